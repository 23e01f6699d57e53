//! Modules written in Rust with the module API, built as they ship.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::bench::NOW;
use common::sim::Sim;
use evertick_schema::{EntityId, Identity, SessionId};
use evertick_test_guests::wasm;
use evertick_wasm::GuestLimits;
use evertick_world::{Call, CallError, CallResult, Caller, FaultKind, Simulation};

fn player() -> Caller {
    Caller { identity: Identity([3; 32]), session: SessionId(5), roles: Arc::new([]) }
}

fn number(sim: &Sim, reducer: &str) -> u32 {
    sim.description.reducer(reducer).unwrap() as u32
}

fn row(sim: &Sim, row: &str) -> u32 {
    sim.description.row(row).unwrap() as u32
}

fn call(simulation: &mut Simulation, reducer: u32, args: &[u8]) -> CallResult {
    simulation.call(&Call { module: 0, reducer, args, caller: &player() }, NOW)
}

#[test]
fn a_player_arrives_walks_and_is_refused() {
    let mut sim = Sim::new(&wasm("gather-module"));
    assert_eq!(sim.simulation.connect(&player(), NOW), CallResult::Ok(vec![]));
    let (position, name) = (row(&sim, "Position"), row(&sim, "Name"));
    let entity = sim.simulation.world().player(&player().identity).unwrap();
    assert_eq!(sim.rows(position), [(entity, vec![0; 8])]);
    let text = String::from_utf8(sim.rows(name)[0].1[8..].to_vec()).unwrap();
    assert!(text.starts_with("player 0303"), "{text}");

    let vec2 = |x: f32, y: f32| [x.to_le_bytes(), y.to_le_bytes()].concat();
    let walk = number(&sim, "walk");
    assert_eq!(call(&mut sim.simulation, walk, &vec2(3.0, -4.0)), CallResult::Ok(vec![]));
    for _ in 0..20 {
        sim.tick();
    }
    let bytes = &sim.rows(position)[0].1;
    let at = [0, 4].map(|at| f32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()));
    assert!((at[0] - 3.0).abs() < 1e-3 && (at[1] + 4.0).abs() < 1e-3, "{at:?}");

    let CallResult::Refused { variant: 1, message, fields } =
        call(&mut sim.simulation, walk, &vec2(6.0, 8.0))
    else {
        panic!("10 m/s is too fast");
    };
    assert_eq!((message.as_str(), fields), ("10.0 m/s is too fast", 10f32.to_le_bytes().to_vec()));

    let gather = number(&sim, "gather");
    let gone = call(&mut sim.simulation, gather, &EntityId(4711).0.to_le_bytes());
    assert!(matches!(&gone, CallResult::Refused { variant: 0, .. }), "{gone:?}");
}

/// Calls a reducer that must fail. Returns how it failed.
fn failure(sim: &mut Sim, reducer: &str, args: &[u8]) -> evertick_world::GuestFault {
    let reducer = number(sim, reducer);
    let result = call(&mut sim.simulation, reducer, args);
    let CallResult::Failed(CallError::Internal { id }) = result else { panic!("{result:?}") };
    let mut faults = sim.simulation.take_faults();
    assert_eq!((faults.len(), faults[0].id), (1, id));
    faults.remove(0).fault
}

#[test]
fn a_panic_says_where_it_was() {
    let mut sim = Sim::new(&wasm("unruly-module"));
    let fault = failure(&mut sim, "heap", &[0; 4]);
    assert_eq!(fault.kind, FaultKind::Trap);
    assert!(fault.message.contains("a pile of no stones"), "{}", fault.message);
    assert!(fault.message.contains("unruly/src/lib.rs:26"), "{}", fault.message);
    let line = fault.backtrace.lines().find(|line| line.contains("unruly/src/lib.rs:26"));
    assert!(line.is_some_and(|line| line.contains("unruly_module::check")), "{}", fault.backtrace);

    let pile = row(&sim, "Pile");
    assert_eq!(sim.rows(pile), [], "the pile it made is gone");
    let heap = number(&sim, "heap");
    assert!(matches!(call(&mut sim.simulation, heap, &[5, 0, 0, 0]), CallResult::Ok(_)));
    assert_eq!(sim.rows(pile)[0].1, [5, 0, 0, 0]);
}

#[test]
fn a_reducer_without_end_or_measure() {
    let limits = GuestLimits { call_time_max: Duration::from_millis(20), ..GuestLimits::default() };
    let mut sim = Sim::with_limits(&wasm("unruly-module"), limits);
    let fault = failure(&mut sim, "count", &[]);
    assert_eq!(fault.kind, FaultKind::Deadline);
    assert!(fault.backtrace.contains("unruly/src/lib.rs"), "{}", fault.backtrace);

    let call_time_max = Duration::from_secs(60);
    let limits = GuestLimits { memory_bytes_max: 8 << 20, call_time_max, ..GuestLimits::default() };
    let mut sim = Sim::with_limits(&wasm("unruly-module"), limits);
    let fault = failure(&mut sim, "hoard", &[]);
    assert_eq!(fault.kind, FaultKind::Memory);
    assert!(fault.backtrace.contains("unruly/src/lib.rs"), "{}", fault.backtrace);
}

#[test]
fn a_sweep_that_panics_in_the_middle_changes_nothing() {
    let mut sim = Sim::new(&wasm("unruly-module"));
    let heap = number(&sim, "heap");
    for stones in [3u32, 12, 5] {
        assert!(matches!(call(&mut sim.simulation, heap, &stones.to_le_bytes()), CallResult::Ok(_)));
    }
    let stones =
        |sim: &Sim| -> Vec<u8> { sim.rows(row(sim, "Pile")).iter().map(|(_, bytes)| bytes[0]).collect() };
    sim.tick();
    assert_eq!(stones(&sim), [4, 13, 6]);
    for _ in 0..2 {
        let (_, faults) = sim.tick_with_faults();
        assert!(faults[0].fault.message.contains("thirteen stones"), "{}", faults[0].fault);
        assert_eq!(stones(&sim), [4, 13, 6]);
    }
}
