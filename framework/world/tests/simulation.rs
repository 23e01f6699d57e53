//! Simulations of native guests: calls, timers and what becomes of their failures.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod native;

use evertick_schema::{Identity, ReducerDef, ReducerKind, Timestamp, Type};
use evertick_world::{Call, CallError, CallResult, FaultKind, GuestFault, Outcome, RowId, Tx};
use native::*;

// ---- calls ----

#[test]
fn a_call_changes_the_world_and_a_refusal_does_not() {
    let game = Game::new("game")
        .reducer(call("open", &[("id", Type::U64)]), |tx, rows, args| {
            let id = u64::from_le_bytes(args.try_into().unwrap());
            tx.insert_row(rows[ACCOUNT], &account(id, 100)).unwrap();
            done()
        })
        .reducer(call("spend", &[("id", Type::U64)]), |tx, rows, args| {
            let id = u64::from_le_bytes(args.try_into().unwrap());
            let entity = tx.find(rows[ACCOUNT], 0, args).unwrap();
            tx.set(rows[ACCOUNT], entity, &account(id, -1)).unwrap();
            refused(7)
        });
    let mut sim = start(vec![game.module()]);
    assert_eq!(run(&mut sim, 0, &3u64.to_le_bytes()), CallResult::Ok(vec![]));
    let refusal =
        CallResult::Refused { variant: 0, message: "no".into(), fields: 7u32.to_le_bytes().to_vec() };
    assert_eq!(run(&mut sim, 1, &3u64.to_le_bytes()), refusal);
    let entity = entities(&sim, ACCOUNT)[0];
    assert_eq!(get(&sim, ACCOUNT, entity).unwrap(), account(3, 100));
    assert!(sim.take_faults().is_empty());
}

#[test]
fn a_fault_undoes_the_call_and_has_a_number() {
    let game = Game::new("game")
        .reducer(call("trap", &[]), |tx, rows, _| {
            tx.insert_row(rows[ACCOUNT], &account(1, 1)).unwrap();
            Err(GuestFault::new(FaultKind::Trap, "unreachable"))
        })
        .reducer(ReducerDef { returns: Some(Type::Bool), ..call("lie", &[]) }, |_, _, _| {
            Ok(Outcome::Ok(vec![2]))
        })
        .reducer(call("strange", &[]), |_, _, _| {
            Ok(Outcome::Refused { variant: 9, message: String::new(), fields: vec![] })
        });
    let mut sim = start(vec![game.module()]);
    for (reducer, id) in [(0, 1), (1, 2), (2, 3)] {
        assert_eq!(run(&mut sim, reducer, &[]), CallResult::Failed(CallError::Internal { id }));
    }
    assert!(entities(&sim, ACCOUNT).is_empty());
    let faults = sim.take_faults();
    let told: Vec<_> = faults.iter().map(|fault| (fault.id, fault.name.as_str(), fault.fault.kind)).collect();
    assert_eq!(
        told,
        [
            (1, "game.trap", FaultKind::Trap),
            (2, "game.lie", FaultKind::BadOutput),
            (3, "game.strange", FaultKind::BadOutput)
        ]
    );
    assert!(sim.take_faults().is_empty());
}

#[test]
fn calls_are_checked_before_the_guest_runs() {
    fn never(_: &mut Tx<'_>, _: &[RowId], _: &[u8]) -> Result<Outcome, GuestFault> {
        panic!("must not run")
    }
    let game = Game::new("game")
        .reducer(call("typed", &[("name", Type::String)]), never)
        .reducer(ReducerDef { private: true, ..call("private", &[]) }, never)
        .reducer(ReducerDef { role: Some("admin".into()), ..call("admin", &[]) }, |_, _, _| done())
        .reducer(ReducerDef { kind: ReducerKind::Init, ..call("start", &[]) }, never);
    let mut sim = start(vec![game.module()]);
    let failed = |result, error| assert_eq!(result, CallResult::Failed(error));
    failed(run(&mut sim, 9, &[]), CallError::UnknownReducer);
    failed(run(&mut sim, 1, &[]), CallError::Forbidden);
    failed(run(&mut sim, 2, &[]), CallError::Forbidden);
    failed(run(&mut sim, 3, &[]), CallError::Forbidden);
    let result = run(&mut sim, 0, &[8, 0, 0, 0, 1, 0, 0, 0, 0xff]);
    assert!(matches!(result, CallResult::Failed(CallError::BadArguments(_))), "{result:?}");

    let admin = player(2, &["admin"]);
    let call = Call { module: 0, reducer: 2, args: &[], caller: &admin };
    assert_eq!(sim.call(&call, Timestamp(0)), CallResult::Ok(vec![]));
    failed(sim.call(&Call { module: 1, ..call }, Timestamp(0)), CallError::UnknownReducer);
}

#[test]
fn calls_of_one_commit_are_told_as_one_change() {
    let game = spawner(Game::new("game"), "spawn", vec![(POSITION, vec2(0.0, 0.0))]).reducer(
        call("nudge", &[]),
        |tx, rows, _| {
            let (entity, (x, y)) = {
                let (entity, bytes) = tx.scan(rows[POSITION]).next().unwrap();
                (entity, read_vec2(bytes))
            };
            tx.set(rows[POSITION], entity, &vec2(x + 1.0, y)).unwrap();
            done()
        },
    );
    let mut sim = start(vec![game.module()]);
    assert_eq!(run(&mut sim, 0, &[]), CallResult::Ok(vec![]));
    sim.commit(Timestamp(0));
    for _ in 0..3 {
        assert_eq!(run(&mut sim, 1, &[]), CallResult::Ok(vec![]));
    }
    let delta = sim.commit(Timestamp(1));
    let entity = entities(&sim, POSITION)[0];
    assert_eq!(updated(&delta, row(&sim, POSITION)), [(entity, 1, vec2(3.0, 0.0))]);
}

// ---- sessions, timers, detached calls ----

#[test]
fn a_refused_connect_leaves_nothing_behind() {
    let lifecycle = |name: &str, kind| ReducerDef { kind, ..call(name, &[]) };
    let greets = Game::new("greets")
        .reducer(lifecycle("connect", ReducerKind::Connect), |tx, rows, _| {
            tx.insert_row(rows[ACCOUNT], &account(1, 1)).unwrap();
            done()
        })
        .reducer(lifecycle("disconnect", ReducerKind::Disconnect), |tx, rows, _| {
            tx.insert_row(rows[ACCOUNT], &account(2, 2)).unwrap();
            done()
        });
    let bars = Game::new("bars").reducer(lifecycle("connect", ReducerKind::Connect), |tx, _, _| {
        if tx.caller().identity == Identity([1; 32]) { refused(1) } else { done() }
    });
    let mut sim = start(vec![greets.module(), bars.module()]);
    let result = sim.connect(&player(1, &[]), Timestamp(0));
    assert!(matches!(result, CallResult::Refused { .. }), "{result:?}");
    assert!(entities(&sim, ACCOUNT).is_empty());
    assert_eq!(sim.connect(&player(2, &[]), Timestamp(0)), CallResult::Ok(vec![]));
    sim.disconnect(&player(2, &[]), Timestamp(0));
    assert_eq!(entities(&sim, ACCOUNT).len(), 2);
}

#[test]
fn init_runs_once_and_its_failure_names_the_module() {
    let init = || ReducerDef { kind: ReducerKind::Init, ..call("init", &[]) };
    let good = Game::new("good").reducer(init(), |tx, rows, _| {
        tx.insert_row(rows[SEASON], &1u32.to_le_bytes()).unwrap();
        done()
    });
    let mut sim = start(vec![good.module()]);
    sim.init(Timestamp(0)).unwrap();
    assert_eq!(entities(&sim, SEASON).len(), 1);

    let bad = Game::new("bad").reducer(init(), |_, _, _| Err(GuestFault::new(FaultKind::Trap, "no data")));
    let error = start(vec![bad.module()]).init(Timestamp(0)).unwrap_err().to_string();
    assert!(error.contains("bad.init") && error.contains("no data"), "{error}");
}

#[test]
fn timers_fire_when_due_within_bounds_and_can_be_cancelled() {
    let game = Game::new("game")
        .reducer(call("arm", &[("at", Type::Timestamp)]), |tx, _, args| {
            let at = Timestamp(i64::from_le_bytes(args.try_into().unwrap()));
            tx.after(at, 0, 1, &at.0.to_le_bytes()).unwrap();
            let second = tx.after(at, 0, 1, &at.0.to_le_bytes()).unwrap();
            assert!(tx.cancel(second));
            done()
        })
        .reducer(ReducerDef { private: true, ..call("fire", &[("id", Type::U64)]) }, |tx, rows, args| {
            assert_eq!(tx.caller().identity, Identity::NONE);
            tx.insert_row(rows[ACCOUNT], &account(u64::from_le_bytes(args.try_into().unwrap()), 0)).unwrap();
            done()
        });
    let mut sim = start(vec![game.module()]);
    for at in [10i64, 20, 30] {
        assert_eq!(run(&mut sim, 0, &at.to_le_bytes()), CallResult::Ok(vec![]));
    }
    assert_eq!(sim.tick(Timestamp(9)).timers_fired, 0);
    assert_eq!(sim.tick(Timestamp(25)).timers_fired, 2);
    assert_eq!(entities(&sim, ACCOUNT).len(), 2);
    assert_eq!(sim.tick(Timestamp(1000)).timers_fired, 1);
    assert_eq!(sim.tick(Timestamp(2000)).timers_fired, 0);
}

#[test]
fn a_detached_call_survives_the_refusal_and_chains_are_bounded() {
    let game = Game::new("game")
        .reducer(call("fail", &[]), |tx, _, _| {
            tx.detached(0, 1, &5u64.to_le_bytes()).unwrap();
            refused(0)
        })
        .reducer(ReducerDef { private: true, ..call("note", &[("id", Type::U64)]) }, |tx, rows, args| {
            assert_eq!(tx.caller().identity, Identity([1; 32]));
            tx.insert_row(rows[ACCOUNT], &account(u64::from_le_bytes(args.try_into().unwrap()), 0)).unwrap();
            done()
        })
        .reducer(call("forever", &[]), |tx, rows, _| {
            let entity = tx.spawn();
            tx.set(rows[VELOCITY], entity, &vec2(0.0, 0.0)).unwrap();
            tx.detached(0, 2, &[]).unwrap();
            done()
        });
    let mut sim = start(vec![game.module()]);
    assert!(matches!(run(&mut sim, 0, &[]), CallResult::Refused { .. }));
    assert_eq!(entities(&sim, ACCOUNT).len(), 1);
    assert_eq!(run(&mut sim, 2, &[]), CallResult::Ok(vec![]));
    let spawned = entities(&sim, VELOCITY).len();
    assert!((2..=1024).contains(&spawned), "{spawned}");
    assert_eq!(sim.take_faults().len(), 1, "the cut chain is told");
}
