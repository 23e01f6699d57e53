//! Exact images and traces: what a recording is made of.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod native;

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use evertick_schema::{Access, Duration, ParamDef, ReducerDef, ReducerKind, SystemDef, Timestamp, Type};
use evertick_world::{
    Config, Delta, Guest, GuestFault, ImageError, Module, Outcome, RowId, Simulation, SystemView, TableView,
    TraceEntry, Tx,
};
use native::*;
use proptest::prelude::*;

/// A reducer that does all sorts of things, by `word` and by the world's random numbers.
fn mess(tx: &mut Tx<'_>, rows: &[RowId], args: &[u8]) -> Result<Outcome, GuestFault> {
    let word = read_u32(args);
    let dice = tx.random();
    let some = |tx: &Tx<'_>, row: usize| {
        let count = tx.row_count(rows[row]).max(1);
        tx.scan(rows[row]).nth(dice as usize % count).map(|(entity, _)| entity)
    };
    let x = (dice % 300) as f32 - 150.0;
    match word % 9 {
        0 | 1 => {
            let entity = tx.spawn();
            tx.set(rows[POSITION], entity, &vec2(x, 3.0)).unwrap();
            if word.is_multiple_of(2) {
                tx.set(rows[VELOCITY], entity, &vec2(x % 7.0, -1.0)).unwrap();
            }
        }
        2 => drop(tx.spawn()),
        3 => {
            if let Some(entity) = some(tx, POSITION) {
                tx.set(rows[LABEL], entity, &label(&"long".repeat(word as usize % 5))).unwrap();
            }
        }
        4 => {
            if let Some(entity) = some(tx, VELOCITY) {
                tx.remove(rows[VELOCITY], entity);
            }
        }
        5 => {
            if let Some(entity) = some(tx, POSITION) {
                tx.despawn(entity);
            }
        }
        6 => {
            tx.after(
                tx.now() + Duration::from_millis(i64::from(word % 400)),
                0,
                0,
                &(word / 2).to_le_bytes(),
            )
            .unwrap();
        }
        7 => drop(tx.insert_row(rows[ACCOUNT], &account(dice % 50, i64::from(word)))),
        _ => {
            tx.set(rows[HEALTH], some(tx, POSITION).unwrap_or_default(), &health(word, true)).ok();
            tx.detached(0, 0, &(word / 3).to_le_bytes()).unwrap();
            return refused(word);
        }
    }
    done()
}

fn game() -> Game {
    let game = Game::new("game").reducer(call("mess", &[("word", Type::U32)]), mess);
    let paced = |name: &str, ms: i64, params| SystemDef { every_us: Some(ms * 1000), ..system(name, params) };
    let turn = vec![query(&[(VELOCITY, Access::Write)]), ParamDef::Rng];
    let game = movement(game).system(paced("turn", 70, turn), |view| {
        for table in 0..view.params()[0].tables().len() {
            let rows = view.params()[0].tables()[table].rows();
            let turned: Vec<u8> =
                (0..rows).flat_map(|_| vec2((view.random() % 40) as f32 - 20.0, 1.0)).collect();
            view.write_back(0, table, 0, &turned)?;
        }
        Ok(())
    });
    let params = vec![query(&[(POSITION, Access::Read)]), ParamDef::Rng, ParamDef::Commands];
    game.system(paced("seed", 130, params), |view| {
        let first = view.params()[0].tables().iter().flat_map(TableView::entities).next();
        let x = (view.random() % 100) as f32;
        let commands = CommandBytes::default().spawn(&[(POSITION, vec2(x, x)), (VELOCITY, vec2(1.0, 1.0))]);
        view.commands(&first.map_or(CommandBytes::default(), |old| commands.despawn(old)).0)
    })
}

fn simulation(seed: u64, tick: Duration) -> Simulation {
    Simulation::new(Config { seed, ..Config::default() }, tick, vec![game().module()]).unwrap()
}

fn image(sim: &Simulation) -> Vec<u8> {
    let mut image = Vec::new();
    sim.write_image(&mut image).unwrap();
    image
}

#[derive(Clone, Debug)]
enum Input {
    Call(u32),
    Tick,
}

/// Plays the inputs, with a commit after each tick.
fn play(sim: &mut Simulation, inputs: &[Input]) -> Vec<(Delta, Vec<TraceEntry>)> {
    let mut told = Vec::new();
    for input in inputs {
        let now = Timestamp(50_000 * sim.tick_number() as i64);
        match input {
            Input::Call(word) => drop(run_at(sim, &word.to_le_bytes(), now)),
            Input::Tick => {
                sim.tick(now);
                told.push((sim.commit(now), sim.take_trace()));
            }
        }
    }
    told
}

fn run_at(sim: &mut Simulation, args: &[u8], now: Timestamp) -> evertick_world::CallResult {
    let caller = player(1, &[]);
    sim.call(&evertick_world::Call { module: 0, reducer: 0, args, caller: &caller }, now)
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![3 => any::<u32>().prop_map(Input::Call), 1 => Just(Input::Tick)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_simulation_from_an_image_does_the_same(
        before in prop::collection::vec(input(), 0..80),
        after in prop::collection::vec(input(), 0..80),
    ) {
        let mut sim = simulation(5, TICK);
        play(&mut sim, &before);
        play(&mut sim, &[Input::Tick]);
        // Its settings are of no account: the image's are.
        let mut twin = simulation(6, Duration::from_millis(10));
        let bytes = image(&sim);
        twin.read_image(&mut &bytes[..]).unwrap();
        twin.world().check().unwrap();
        prop_assert_eq!(&image(&twin), &bytes);
        sim.trace(true);
        twin.trace(true);
        for input in after.iter().chain([&Input::Tick]) {
            let input = std::slice::from_ref(input);
            prop_assert_eq!(play(&mut sim, input), play(&mut twin, input));
        }
        sim.world().check().unwrap();
        twin.world().check().unwrap();
    }
}

#[test]
fn an_image_is_refused_where_it_does_not_belong() {
    let mut sim = simulation(1, TICK);
    drop(run_at(&mut sim, &0u32.to_le_bytes(), Timestamp(0)));
    let error = sim.write_image(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "what is not committed is in no delta");
    sim.commit(Timestamp(0));
    let bytes = image(&sim);
    assert!(matches!(sim.read_image(&mut &bytes[..]), Err(ImageError::NotNew)));

    let mut other = start(vec![Game::new("other").module()]);
    let error = other.read_image(&mut &bytes[..]).unwrap_err().to_string();
    assert!(error.contains("modules game (") && error.contains("simulation has other ("), "{error}");

    let read = |bytes: &[u8]| simulation(1, TICK).read_image(&mut &bytes[..]);
    assert!(matches!(read(b"something else altogether"), Err(ImageError::NotAnImage)));
    read(&bytes).unwrap();
    for at in (0..bytes.len()).step_by(7) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        assert!(read(&flipped).is_err() && read(&bytes[..at]).is_err(), "at {at}");
    }
}

// ---- traces ----

#[test]
fn a_trace_names_what_did_something_else() {
    // Two builds of a module: the second one's timer and system do another thing.
    let play = |bonus: u32| {
        let game = Game::new("game")
            .reducer(call("open", &[]), |tx, rows, _| {
                tx.insert_row(rows[SEASON], &1u32.to_le_bytes()).unwrap();
                tx.after(Timestamp(40), 0, 1, &[]).unwrap();
                done()
            })
            .reducer(ReducerDef { private: true, ..call("pay", &[]) }, move |tx, rows, _| {
                tx.insert_row(rows[ACCOUNT], &account(1, i64::from(bonus))).unwrap();
                done()
            })
            .reducer(call("refuse", &[]), |_, _, _| refused(3))
            .system(system("days", vec![ParamDef::ResMut { row: SEASON as u32 }]), move |view| {
                if view.params()[0].tables().iter().all(|table| table.rows() == 0) {
                    return Ok(());
                }
                view.write_back(0, 0, 0, &(view.tick() as u32 * 10 + bonus / 5).to_le_bytes()).map(drop)
            });
        let mut sim = start(vec![game.module()]);
        sim.tick(Timestamp(1));
        assert!(sim.take_trace().is_empty(), "nothing is noted before it is asked for");
        sim.trace(true);
        drop(run(&mut sim, 0, &[]));
        drop(run(&mut sim, 2, &[]));
        drop(run(&mut sim, 99, &[]));
        sim.tick(Timestamp(2));
        sim.tick(Timestamp(50));
        let trace = sim.take_trace();
        assert!(sim.take_trace().is_empty());
        let names: Vec<String> = trace.iter().map(|entry| entry.name.to_string()).collect();
        assert_eq!(names, ["game.open", "game.refuse", "game.days", "game.pay", "game.days"]);
        trace.iter().map(|entry| entry.checksum).collect::<Vec<u32>>()
    };
    let (first, again, timer, both) = (play(0), play(0), play(1), play(5));
    assert_eq!(first, again);
    let differ = |other: &[u32]| (0..5).filter(|at| first[*at] != other[*at]).collect::<Vec<_>>();
    assert_eq!(differ(&timer), [3]);
    assert_eq!(differ(&both), [2, 3, 4]);
}

// ---- around a restart ----

#[test]
fn upgrade_reducers_run_once_asked_and_ticks_go_on() {
    let upgrade = || ReducerDef { kind: ReducerKind::Upgrade, ..call("upgrade", &[]) };
    let good = Game::new("good").reducer(upgrade(), |tx, rows, _| {
        tx.insert_row(rows[SEASON], &2u32.to_le_bytes()).unwrap();
        done()
    });
    let mut sim = start(vec![good.module()]);
    sim.init(Timestamp(0)).unwrap();
    assert!(entities(&sim, SEASON).is_empty());
    sim.upgrade(Timestamp(0)).unwrap();
    assert_eq!(entities(&sim, SEASON).len(), 1);
    sim.resume(41);
    assert_eq!((sim.tick(Timestamp(1)).tick, sim.tick_number()), (42, 42));

    let bad = Game::new("bad").reducer(upgrade(), |_, _, _| refused(1));
    let mut sim = start(vec![bad.module()]);
    let error = sim.upgrade(Timestamp(0)).unwrap_err().to_string();
    assert!(error.contains("bad.upgrade failed"), "{error}");
    assert_eq!(sim.modules()[0].name, "bad");
}

#[test]
fn renewing_reaches_every_guest() {
    struct Renewed(Arc<AtomicU32>);
    impl Guest for Renewed {
        fn call(&mut self, _: &mut Tx<'_>, _: &[RowId], _: u32, _: &[u8]) -> Result<Outcome, GuestFault> {
            done()
        }
        fn run(&mut self, _: u32, _: &mut SystemView<'_>) -> Result<(), GuestFault> {
            Ok(())
        }
        fn renew(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let renewed = Arc::new(AtomicU32::new(0));
    let module =
        |name: &str| Module { guest: Box::new(Renewed(Arc::clone(&renewed))), ..Game::new(name).module() };
    start(vec![module("one"), module("two")]).renew();
    assert_eq!(renewed.load(Ordering::Relaxed), 2);
}
