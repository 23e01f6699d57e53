//! Systems of native guests on the schedule: what they see, what becomes of what they write.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod native;

use std::sync::Arc;

use evertick_schema::{Access, EntityId, ParamDef, ReducerKind, SystemDef, Timestamp};
use evertick_world::{
    CallResult, Config, FaultKind, GuestFault, OrderError, Place, Simulation, SimulationError, TableView,
    Undeclared,
};
use native::*;
use proptest::prelude::*;

/// A simulation whose init reducer has run.
fn begin(game: Game) -> Simulation {
    let mut sim = start(vec![game.module()]);
    sim.init(Timestamp(0)).unwrap();
    sim.commit(Timestamp(0));
    sim
}

/// An init reducer that spawns an entity for each list of rows.
fn world_of(game: Game, entities: Vec<Vec<(usize, Vec<u8>)>>) -> Game {
    let init = evertick_schema::ReducerDef { kind: ReducerKind::Init, ..call("init", &[]) };
    game.reducer(init, move |tx, ids, _| {
        for rows in &entities {
            let entity = tx.spawn();
            for (row, bytes) in rows {
                tx.set(ids[*row], entity, bytes).unwrap();
            }
        }
        done()
    })
}

fn at(x: f32) -> (usize, Vec<u8>) {
    (POSITION, vec2(x, 0.0))
}

fn moving(dx: f32) -> (usize, Vec<u8>) {
    (VELOCITY, vec2(dx, 0.0))
}

fn x_of(sim: &Simulation, entity: EntityId) -> f32 {
    read_vec2(&get(sim, POSITION, entity).unwrap()).0
}

/// Adds `by` to the x of every position.
fn push(game: Game, def: SystemDef, by: f32) -> Game {
    game.system(def, move |view| {
        for (number, table) in view.params()[0].tables().iter().enumerate() {
            let positions = table.columns()[0].as_ref().unwrap().flat().unwrap();
            let pushed: Vec<u8> =
                positions.chunks(8).map(read_vec2).flat_map(|(x, y)| vec2(x + by, y)).collect();
            view.write_back(0, number, 0, &pushed)?;
        }
        Ok(())
    })
}

fn positions() -> Vec<ParamDef> {
    vec![query(&[(POSITION, Access::Write)])]
}

#[test]
fn a_sweep_moves_rows_the_grid_and_the_delta() {
    let game = world_of(movement(Game::new("game")), vec![vec![at(60.0), moving(10.0)]; 70]);
    let mut sim = begin(game);
    let report = sim.tick(Timestamp(1));
    assert_eq!((report.systems_run, report.faults, report.commands_skipped), (1, 0, 0));
    let delta = sim.commit(Timestamp(1));
    let changes = updated(&delta, row(&sim, POSITION));
    assert_eq!(changes.len(), 70);
    assert!(changes.iter().all(|(_, mask, bytes)| *mask == 1 && *bytes == vec2(70.0, 0.0)));
    assert_eq!(delta.moved.len(), 70);
    assert!(updated(&delta, row(&sim, VELOCITY)).is_empty());
    sim.world().check().unwrap();
}

#[test]
fn unchanged_rows_are_not_told() {
    let mut sim =
        begin(push(world_of(Game::new("game"), vec![vec![at(1.0)]]), system("rest", positions()), 0.0));
    sim.tick(Timestamp(1));
    assert!(sim.commit(Timestamp(1)).is_empty());
}

#[test]
fn systems_see_what_those_before_them_wrote_and_commanded() {
    // Declared backwards, ordered by name: `count` after `grow` after `push`.
    let (counted, count) = (seen(), system("count", vec![query(&[(POSITION, Access::Read)])]));
    let game = world_of(Game::new("game"), vec![vec![at(0.0)]]);
    let log = Arc::clone(&counted);
    let game = game.system(SystemDef { after: vec!["grow".into()], ..count }, move |view| {
        let tables = view.params()[0].tables().iter();
        let rows = tables.flat_map(|table| table.columns()[0].as_ref().unwrap().flat().unwrap().chunks(8));
        log.lock().unwrap().push(rows.map(|row| read_vec2(row).0).collect::<Vec<f32>>());
        Ok(())
    });
    let grow = system("grow", vec![query(&[(POSITION, Access::Read)]), ParamDef::Commands]);
    let game = game.system(SystemDef { after: vec!["game.push".into()], ..grow }, |view| {
        let first = view.params()[0].tables()[0].columns()[0].as_ref().unwrap().flat().unwrap();
        let twice = read_vec2(first).0 * 2.0;
        view.commands(&CommandBytes::default().spawn(&[at(twice)]).0)
    });
    let mut sim = begin(push(game, system("push", positions()), 5.0));
    let report = sim.tick(Timestamp(1));
    assert_eq!((report.systems_run, report.faults), (3, 0));
    assert_eq!(*counted.lock().unwrap(), [[5.0, 10.0]]);
    assert_eq!(sim.commit(Timestamp(1)).spawned.len(), 1);
}

#[test]
fn conflicting_systems_run_in_declared_order() {
    let game = world_of(Game::new("game"), vec![vec![at(1.0)]]);
    let game = push(game, system("first", positions()), 1.0);
    let game = game.system(system("double", positions()), |view| {
        let x = read_vec2(view.params()[0].tables()[0].columns()[0].as_ref().unwrap().flat().unwrap()).0;
        view.write_back(0, 0, 0, &vec2(2.0 * x, 0.0)).map(drop)
    });
    let mut sim = begin(push(game, system("last", positions()), 10.0));
    sim.tick(Timestamp(1));
    let entity = entities(&sim, POSITION)[0];
    assert_eq!(x_of(&sim, entity), 14.0);
    let delta = sim.commit(Timestamp(1));
    assert_eq!(updated(&delta, row(&sim, POSITION)), [(entity, 1, vec2(14.0, 0.0))]);
}

#[test]
fn what_cannot_be_ordered_or_shared_is_refused() {
    let refused = |game: Game| Simulation::new(Config::default(), TICK, vec![game.module()]).unwrap_err();
    let unknown = SystemDef { before: vec!["nothing".into()], ..system("one", vec![]) };
    let error = refused(Game::new("game").system(unknown, |_| Ok(())));
    assert!(matches!(error, SimulationError::Order(OrderError::Unknown { .. })), "{error}");

    let both = vec![
        query(&[(POSITION, Access::Write)]),
        query(&[(POSITION, Access::Read), (VELOCITY, Access::Read)]),
    ];
    let error = refused(Game::new("game").system(system("both", both), |_| Ok(()))).to_string();
    assert!(error.contains("game.both reaches game.Position by parameters 1 and 2"), "{error}");

    let apart = vec![
        query(&[(POSITION, Access::Write), (VELOCITY, Access::With)]),
        query(&[(POSITION, Access::Write), (VELOCITY, Access::Without)]),
    ];
    begin(Game::new("game").system(system("apart", apart), |_| Ok(())));
}

#[test]
fn queries_match_tables_by_all_their_terms() {
    let entities = vec![
        vec![at(1.0)],
        vec![at(2.0), moving(0.0)],
        vec![at(3.0), (HEALTH, health(1, true))],
        vec![at(4.0), moving(0.0), (HEALTH, health(1, true))],
        vec![moving(0.0)],
    ];
    let terms = |terms: &[(usize, Access)]| vec![query(terms)];
    for (params, want) in [
        (terms(&[(POSITION, Access::Read)]), vec![(1.0, None), (2.0, None), (3.0, None), (4.0, None)]),
        (terms(&[(POSITION, Access::Read), (VELOCITY, Access::With)]), vec![(2.0, None), (4.0, None)]),
        (terms(&[(POSITION, Access::Read), (VELOCITY, Access::Without)]), vec![(1.0, None), (3.0, None)]),
        (
            terms(&[(VELOCITY, Access::Without), (POSITION, Access::OptionalRead)]),
            vec![(1.0, None), (3.0, None)],
        ),
        (
            terms(&[(POSITION, Access::Read), (HEALTH, Access::OptionalRead)]),
            vec![(1.0, Some(false)), (2.0, Some(false)), (3.0, Some(true)), (4.0, Some(true))],
        ),
    ] {
        let found = seen();
        let log = Arc::clone(&found);
        let game =
            world_of(Game::new("game"), entities.clone()).system(system("look", params), move |view| {
                for table in view.params()[0].tables() {
                    let rows = table.columns()[0].as_ref().unwrap().flat().unwrap().chunks(8);
                    let optional = table.columns().get(1).map(Option::is_some);
                    log.lock().unwrap().extend(rows.map(|row| (read_vec2(row).0, optional)));
                    assert_eq!(table.entities().count(), table.rows());
                }
                Ok(())
            });
        begin(game).tick(Timestamp(1));
        let mut found = found.lock().unwrap();
        found.sort_by(|a, b| a.partial_cmp(b).unwrap());
        assert_eq!(*found, want);
    }
}

#[test]
fn a_fault_loses_the_run_and_nothing_else() {
    let late = |view: &mut evertick_world::SystemView<'_>| {
        view.write_back(0, 0, 0, &vec2(99.0, 0.0))?;
        view.commands(&CommandBytes::default().spawn(&[at(99.0)]).0)
    };
    let game = world_of(Game::new("game"), vec![vec![at(1.0), (HEALTH, health(3, true))]]);
    let params = || vec![query(&[(POSITION, Access::Write), (HEALTH, Access::Write)]), ParamDef::Commands];
    let game = game.system(system("traps", params()), move |view| {
        late(view)?;
        Err(GuestFault::new(FaultKind::Trap, "unreachable"))
    });
    let game = game.system(system("lies", params()), move |view| {
        late(view)?;
        view.write_back(0, 0, 1, &[3, 0, 0, 0, 2, 0, 0, 0]).map(drop)
    });
    // What a system does not say counts all the same.
    let game = game.system(system("hides", params()), move |view| {
        late(view)?;
        let _ = view.commands(&[77]);
        Ok(())
    });
    let game = game.system(system("short", params()), move |view| {
        late(view)?;
        view.write_back(0, 0, 0, &[0; 7]).map(drop)
    });
    let mut sim = begin(push(game, system("works", positions()), 1.0));
    let report = sim.tick(Timestamp(1));
    assert_eq!((report.systems_run, report.faults, report.commands_skipped), (5, 4, 0));
    assert_eq!(entities(&sim, POSITION).len(), 1);
    assert_eq!(x_of(&sim, entities(&sim, POSITION)[0]), 2.0);
    let told: Vec<_> =
        sim.take_faults().into_iter().map(|fault| (fault.id, fault.name, fault.fault.kind)).collect();
    let bad = FaultKind::BadOutput;
    let want = [(1, "traps", FaultKind::Trap), (2, "lies", bad), (3, "hides", bad), (4, "short", bad)];
    assert_eq!(told, want.map(|(id, name, kind)| (id, format!("game.{name}"), kind)));
    sim.world().check().unwrap();
}

#[test]
fn variable_rows_are_read_in_place_and_written_by_commands() {
    let game = world_of(Game::new("game"), vec![vec![(LABEL, label("abc"))], vec![(LABEL, label(""))]]);
    let game = game.system(system("shout", vec![query(&[(LABEL, Access::Write)])]), |view| {
        let mut commands = CommandBytes::default();
        for table in view.params()[0].tables() {
            let column = table.columns()[0].as_ref().unwrap();
            assert!(column.is_writable() && column.flat().is_none());
            for (entity, row) in table.entities().zip(column.variable().unwrap().iter()) {
                let text = String::from_utf8(row[8..].to_vec()).unwrap().to_uppercase();
                commands = commands.set(entity, LABEL, &label(&text));
            }
        }
        view.commands(&commands.0)
    });
    let mut sim = begin(game);
    assert_eq!(sim.tick(Timestamp(1)).faults, 0);
    let labels: Vec<_> =
        entities(&sim, LABEL).into_iter().map(|entity| get(&sim, LABEL, entity).unwrap()).collect();
    assert_eq!(labels, [label("ABC"), label("")]);
    let delta = sim.commit(Timestamp(1));
    assert_eq!(updated(&delta, row(&sim, LABEL)).len(), 1);
}

#[test]
fn commands_do_what_they_say_and_those_that_cannot_are_counted() {
    let game = world_of(Game::new("game"), vec![vec![at(1.0), moving(1.0)], vec![at(2.0)]]);
    let noted = call("note", &[("id", evertick_schema::Type::U64)]);
    let game = game.reducer(noted, |tx, rows, args| {
        let id = u64::from_le_bytes(args.try_into().unwrap());
        tx.insert_row(rows[ACCOUNT], &account(id, 0)).unwrap();
        done()
    });
    let params = vec![query(&[(POSITION, Access::Read)]), ParamDef::Commands];
    let game = game.system(system("change", params), |view| {
        let mut of: Vec<EntityId> = view.params()[0].tables().iter().flat_map(TableView::entities).collect();
        of.sort();
        let gone = EntityId::new(0, 999);
        let commands = CommandBytes::default()
            .remove(of[0], VELOCITY)
            .remove(of[0], VELOCITY)
            .set(of[1], HEALTH, &health(9, true))
            .despawn(of[1])
            .set(of[1], HEALTH, &health(8, true))
            .despawn(gone)
            .emit(PING, &7u32.to_le_bytes())
            .insert(ACCOUNT, &account(1, 5))
            .insert(ACCOUNT, &account(1, 6))
            .insert(SEASON, &3u32.to_le_bytes())
            .after(view.now().0 + 10, 1, &50u64.to_le_bytes())
            .detached(1, &51u64.to_le_bytes());
        view.commands(&commands.0)
    });
    let mut sim = begin(game);
    let report = sim.tick(Timestamp(1));
    assert_eq!((report.faults, report.commands_skipped), (0, 4), "{:?}", sim.take_faults());
    let delta = sim.commit(Timestamp(1));
    assert_eq!((delta.events.len(), delta.despawned.len()), (1, 1));
    assert_eq!(entities(&sim, POSITION).len(), 1);
    assert!(entities(&sim, VELOCITY).is_empty() && entities(&sim, HEALTH).is_empty());
    assert_eq!((entities(&sim, ACCOUNT).len(), entities(&sim, SEASON).len()), (2, 1));
    sim.world().check().unwrap();
}

#[test]
fn systems_read_what_they_declare_and_nothing_else() {
    let accounts = vec![ParamDef::Table { row: ACCOUNT as u32 }];
    let game = Game::new("game").reducer(
        evertick_schema::ReducerDef { kind: ReducerKind::Init, ..call("init", &[]) },
        |tx, rows, _| {
            for id in 1..=3 {
                tx.insert_row(rows[ACCOUNT], &account(id, -(id as i64))).unwrap();
            }
            done()
        },
    );
    let game = game.system(system("reads", accounts), |view| {
        let rows = view.rows();
        let account_row = rows[ACCOUNT];
        let entity = view.find(account_row, 0, &2u64.to_le_bytes()).unwrap().unwrap();
        assert_eq!(view.get(account_row, entity).unwrap().unwrap(), account(2, -2));
        let mut found = vec![];
        let (lo, hi) = ((-3i64).to_le_bytes(), (-2i64).to_le_bytes());
        let bound = |key| std::ops::Bound::Included(key);
        view.range(account_row, 1, bound(&lo[..]), bound(&hi[..]), &mut found).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(view.scan(account_row).unwrap().count(), 3);
        assert!(matches!(view.get(rows[POSITION], entity), Err(Undeclared::Row { .. })));
        assert_eq!(view.near(Place { space: 0, at: [0.0; 2] }, 1.0, None, &mut found), Err(Undeclared::Near));
        Ok(())
    });
    let near = vec![query(&[(POSITION, Access::Write)]), ParamDef::Near];
    let game = game.system(system("asks", near), |view| {
        view.near(Place { space: 0, at: [0.0; 2] }, 1.0, None, &mut vec![]).unwrap();
        Ok(())
    });
    let mut sim = begin(game);
    assert_eq!(sim.tick(Timestamp(1)).systems_run, 2);
    assert!(sim.take_faults().is_empty());
}

#[test]
fn a_resource_is_a_table_of_at_most_one_row() {
    let counted = seen();
    let log = Arc::clone(&counted);
    let game = Game::new("game").reducer(call("begin", &[]), |tx, rows, _| {
        tx.insert_row(rows[SEASON], &0u32.to_le_bytes()).unwrap();
        done()
    });
    let game = game.system(system("pass", vec![ParamDef::ResMut { row: SEASON as u32 }]), move |view| {
        let tables = view.params()[0].tables();
        log.lock().unwrap().push(tables.iter().map(TableView::rows).sum::<usize>());
        match tables.first().filter(|table| table.rows() == 1) {
            Some(table) => {
                let day = read_u32(table.columns()[0].as_ref().unwrap().flat().unwrap());
                view.write_back(0, 0, 0, &(day + 1).to_le_bytes()).map(drop)
            }
            None => Ok(()),
        }
    });
    let mut sim = begin(game);
    sim.tick(Timestamp(1));
    assert_eq!(run(&mut sim, 0, &[]), CallResult::Ok(vec![]));
    sim.tick(Timestamp(2));
    sim.tick(Timestamp(3));
    assert_eq!(*counted.lock().unwrap(), [0, 1, 1]);
    assert_eq!(read_u32(&get(&sim, SEASON, entities(&sim, SEASON)[0]).unwrap()), 2);
}

#[test]
fn a_sweep_that_takes_a_taken_key_is_refused_for_that_row() {
    let game = Game::new("game").reducer(
        evertick_schema::ReducerDef { kind: ReducerKind::Init, ..call("init", &[]) },
        |tx, rows, _| {
            for id in 1..=3 {
                tx.insert_row(rows[ACCOUNT], &account(id, 0)).unwrap();
            }
            done()
        },
    );
    let game = game.system(system("clash", vec![query(&[(ACCOUNT, Access::Write)])]), |view| {
        let rows: Vec<u8> = [account(3, 1), account(9, 2), account(3, 3)].concat();
        view.write_back(0, 0, 0, &rows).map(drop)
    });
    let mut sim = begin(game);
    assert_eq!(sim.tick(Timestamp(1)).commands_skipped, 1);
    sim.world().check().unwrap();
    let rows: Vec<_> =
        entities(&sim, ACCOUNT).iter().map(|entity| get(&sim, ACCOUNT, *entity).unwrap()).collect();
    assert_eq!(rows, [account(1, 0), account(9, 2), account(3, 3)]);
}

#[test]
fn a_system_with_a_period_runs_when_it_is_due() {
    let ran = seen();
    let mut game = Game::new("game");
    for (name, every_us) in
        [("each", None), ("often", Some(10_000)), ("odd", Some(120_000)), ("second", Some(1_000_000))]
    {
        let log = Arc::clone(&ran);
        game = game.system(SystemDef { every_us, ..system(name, vec![]) }, move |view| {
            log.lock().unwrap().push((name, view.tick(), view.delta_time().0));
            Ok(())
        });
    }
    let mut sim = begin(game);
    for tick in 1..=40 {
        sim.tick(Timestamp(tick * 50_000));
    }
    let of = |wanted: &str| {
        let ran = ran.lock().unwrap();
        ran.iter().filter(|(name, ..)| *name == wanted).map(|(_, tick, dt)| (*tick, *dt)).collect::<Vec<_>>()
    };
    assert_eq!(of("each").len(), 40);
    assert!(of("often").iter().all(|(_, dt)| *dt == 50_000) && of("often").len() == 40);
    assert_eq!(of("second"), [(20, 1_000_000), (40, 1_000_000)]);
    // 2 s hold 16.7 times 120 ms; no time is lost or counted twice.
    assert_eq!(of("odd").len(), 16);
    assert_eq!(of("odd")[..3], [(3, 150_000), (5, 100_000), (8, 150_000)]);
}

/// What three runs of the same inputs tell.
#[test]
fn the_same_inputs_give_the_same_deltas() {
    let play = |seed: u64| {
        let game = world_of(movement(Game::new("game")), vec![vec![at(0.0), moving(3.0)]; 100]);
        let params = vec![query(&[(VELOCITY, Access::Write)]), ParamDef::Rng, ParamDef::Commands];
        let game = game.system(system("wander", params), |view| {
            let rows = view.params()[0].tables()[0].rows();
            let turned: Vec<u8> = (0..rows).flat_map(|_| vec2((view.random() % 9) as f32, 1.0)).collect();
            view.write_back(0, 0, 0, &turned)?;
            let x = (view.random() % 100) as f32;
            view.commands(&CommandBytes::default().spawn(&[at(x), moving(1.0)]).0)
        });
        let mut sim =
            Simulation::new(Config { seed, ..Config::default() }, TICK, vec![game.module()]).unwrap();
        sim.init(Timestamp(0)).unwrap();
        let ticks = (1..20).map(|tick| {
            assert_eq!(sim.tick(Timestamp(tick * 50_000)).faults, 0);
            sim.commit(Timestamp(tick * 50_000))
        });
        ticks.collect::<Vec<_>>()
    };
    assert_eq!(play(1), play(1));
    assert_ne!(play(1), play(2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Sweeps beside point writes, against a list of numbers.
    #[test]
    fn sweeps_and_calls_together_do_what_a_plain_list_does(
        count in 1usize..200,
        ticks in prop::collection::vec((prop::collection::vec((any::<prop::sample::Index>(), 0u32..4), 0..8), 0u32..5), 1..6),
    ) {
        let game = world_of(Game::new("game"), vec![vec![(HEALTH, health(0, false))]; count]);
        let set = call("set", &[("entity", evertick_schema::Type::EntityId), ("points", evertick_schema::Type::U32)]);
        let game = game.reducer(set, |tx, rows, args| {
            let entity = EntityId(u64::from_le_bytes(args[..8].try_into().unwrap()));
            tx.set(rows[HEALTH], entity, &health(read_u32(&args[8..]), true)).unwrap();
            done()
        });
        // Every `step`th row gains a point; the resource says the step, 0 is none.
        let game = game.reducer(call("step", &[("step", evertick_schema::Type::U32)]), |tx, rows, args| {
            tx.insert_row(rows[SEASON], args).unwrap();
            done()
        });
        let params = vec![query(&[(HEALTH, Access::Write)]), ParamDef::Res { row: SEASON as u32 }];
        let game = game.system(system("heal", params), |view| {
            let season = view.params()[1].tables()[0].columns()[0].as_ref().unwrap().flat().unwrap();
            let step = read_u32(season) as usize;
            let table = &view.params()[0].tables()[0];
            let mut rows = table.columns()[0].as_ref().unwrap().flat().unwrap().to_vec();
            for (number, row) in rows.chunks_mut(8).enumerate() {
                if step != 0 && number % step == 0 {
                    row.copy_from_slice(&health(read_u32(row) + 1, row[4] == 1));
                }
            }
            view.write_back(0, 0, 0, &rows).map(drop)
        });
        let mut sim = begin(game);
        let entities = entities(&sim, HEALTH);
        let mut model: Vec<Vec<u8>> = vec![health(0, false); count];
        for (number, (writes, step)) in ticks.into_iter().enumerate() {
            let before = model.clone();
            prop_assert_eq!(run(&mut sim, 2, &step.to_le_bytes()), CallResult::Ok(vec![]));
            for (at, points) in writes {
                let at = at.index(count);
                let args = [&entities[at].0.to_le_bytes()[..], &points.to_le_bytes()].concat();
                prop_assert_eq!(run(&mut sim, 1, &args), CallResult::Ok(vec![]));
                model[at] = health(points, true);
            }
            for (number, row) in model.iter_mut().enumerate() {
                if step != 0 && number % step as usize == 0 {
                    *row = health(read_u32(row) + 1, row[4] == 1);
                }
            }
            prop_assert_eq!(sim.tick(Timestamp(number as i64 + 1)).faults, 0);
            let delta = sim.commit(Timestamp(number as i64 + 1));
            for (entity, row) in entities.iter().zip(&model) {
                prop_assert_eq!(&get(&sim, HEALTH, *entity).unwrap(), row);
            }
            let told = updated(&delta, row(&sim, HEALTH));
            for (entity, (before, after)) in entities.iter().zip(before.iter().zip(&model)) {
                let told: Vec<_> = told.iter().filter(|(told, ..)| told == entity).collect();
                prop_assert!(told.len() <= 1);
                prop_assert!(before == after || told.len() == 1, "a change is not told");
                for (_, mask, bytes) in told {
                    let differ = u64::from(before[..4] != after[..4]) | u64::from(before[4] != after[4]) << 1;
                    prop_assert_eq!(mask & differ, differ);
                    prop_assert_eq!(bytes, after);
                }
            }
            sim.world().check().unwrap();
        }
    }
}
