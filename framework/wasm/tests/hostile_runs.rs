//! Systems that do all they can do wrong: the run leaves nothing behind, and the world goes on.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::time::Duration;

use common::sim::Sim;
use common::{FLAG, POSITION, VELOCITY, description, guest, query, system};
use evertick_schema::{Access, ParamDef};
use evertick_wasm::GuestLimits;
use evertick_world::{CallResult, FaultKind, GuestFault};

/// A guest with five entities' worth of rows from `act(0)`, and a system that first writes 9 over all it may
/// write, then runs `bad`, if `act(1)` was called on the same instance. After a trap it is well-behaved.
fn misbehaving(params: Vec<ParamDef>, bad: &str) -> Vec<u8> {
    let mut description = description();
    description.systems = vec![system("sweep", params)];
    let body = format!(
        r#"(global $bad (mut i32) (i32.const 0))
        (func (export "evertick_call") (param $reducer i32) (param $ptr i32) (param $len i32) (result i64)
            (local $n i32) (local $e i64)
            (if (i32.load offset=48 (local.get $ptr))
                (then (global.set $bad (i32.const 1)) (return (i64.const 0))))
            (loop $more
                (local.set $e (call $spawn))
                (drop (call $put (i32.const 0) (local.get $e) (i32.const 0) (i32.const 8) (i32.const 0)))
                (drop (call $put (i32.const 1) (local.get $e) (i32.const 0) (i32.const 8) (i32.const 0)))
                (drop (call $put (i32.const 2) (local.get $e) (i32.const 0) (i32.const 2) (i32.const 0)))
                (br_if $more (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 5))))
            i64.const 0)
        (func (export "evertick_run") (param $system i32) (param $view i32) (result i64)
            (local $table i32) (local $column i32)
            (if (i32.eqz (global.get $bad)) (then (return (i64.const 0))))
            (local.set $table (i32.load offset=4 (i32.load offset=28 (local.get $view))))
            (local.set $column (i32.load offset=12 (local.get $table)))
            (memory.fill (i32.load (local.get $column)) (i32.const 9) (i32.load offset=4 (local.get $column)))
            {bad})"#
    );
    guest(&description, &body)
}

/// Runs the misbehaviour and checks that nothing of the run is left and the next one works.
fn only_the_run(wasm: &[u8], limits: GuestLimits) -> GuestFault {
    let mut sim = Sim::with_limits(wasm, limits);
    assert_eq!(sim.call(0, &[0; 4]), CallResult::Ok(vec![]));
    sim.tick();
    let state = |sim: &Sim| [sim.rows(POSITION), sim.rows(VELOCITY), sim.rows(FLAG)];
    let before = state(&sim);
    assert_eq!(before[0].len(), 5);
    sim.simulation.commit(sim.now);
    assert_eq!(sim.call(0, &[1, 0, 0, 0]), CallResult::Ok(vec![]));
    let (report, mut faults) = sim.tick_with_faults();
    assert_eq!((report.faults, faults.len()), (1, 1), "{faults:?}");
    assert_eq!(state(&sim), before);
    assert!(sim.simulation.commit(sim.now).is_empty());
    sim.tick();
    assert_eq!(sim.call(0, &[0; 4]), CallResult::Ok(vec![]));
    faults.remove(0).fault
}

fn position() -> Vec<ParamDef> {
    vec![query(&[(POSITION, Access::Write)])]
}

#[test]
fn a_trap_in_the_middle_of_a_sweep() {
    let fault = only_the_run(&misbehaving(position(), "unreachable"), GuestLimits::default());
    assert_eq!(fault.kind, FaultKind::Trap);
    assert!(fault.backtrace.lines().count() >= 1, "{}", fault.backtrace);
}

#[test]
fn a_sweep_without_end() {
    let limits = GuestLimits { run_time_max: Duration::from_millis(10), ..GuestLimits::default() };
    let fault = only_the_run(&misbehaving(position(), "(loop $on (br $on)) i64.const 0"), limits);
    assert_eq!(fault.kind, FaultKind::Deadline);
}

#[test]
fn a_memory_bomb_in_a_sweep() {
    let limits = GuestLimits { memory_bytes_max: 2 << 20, ..GuestLimits::default() };
    let bad = "(loop $on (drop (memory.grow (i32.const 4))) (br $on)) i64.const 0";
    assert_eq!(only_the_run(&misbehaving(position(), bad), limits).kind, FaultKind::Memory);
}

#[test]
fn imports_that_systems_may_not_use() {
    for bad in [
        "(drop (call $spawn))",
        "(drop (call $despawn (i64.const 1)))",
        "(drop (call $put (i32.const 0) (i64.const 1) (i32.const 0) (i32.const 8) (i32.const 0)))",
        "(drop (call $insert (i32.const 3) (i32.const 0) (i32.const 16)))",
        "(drop (call $remove (i32.const 0) (i64.const 1)))",
        "(call $emit (i32.const 5) (i32.const 0) (i32.const 4))",
        "(drop (call $after (i64.const 1) (i32.const 0) (i32.const 0) (i32.const 4)))",
        "(drop (call $cancel (i64.const 1)))",
        "(call $detached (i32.const 0) (i32.const 0) (i32.const 4))",
        "(call $focus (i32.const 0) (i64.const 0) (i32.const 0) (f32.const 0) (f32.const 0) (f32.const 0))",
        "(call $join (i64.const 1) (i32.const 1))",
    ] {
        let fault =
            only_the_run(&misbehaving(position(), &format!("{bad} i64.const 0")), GuestLimits::default());
        assert!(fault.message.contains("a system called"), "{bad}: {fault}");
    }
}

#[test]
fn reads_of_what_it_did_not_declare() {
    for (bad, says) in [
        (
            "(drop (call $get (i32.const 1) (i64.const 1) (i32.const 0) (i32.const 8)))",
            "none of its parameters names",
        ),
        (
            "(drop (call $find (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 64)))",
            "none of its parameters names",
        ),
        (
            "(drop (call $scan (i32.const 3) (i32.const -1) (i32.const 0) (i32.const -1) (i32.const 0) (i32.const -1) (i32.const 512) (i32.const 0) (i32.const 64)))",
            "none of its parameters names",
        ),
        (
            "(drop (call $get (i32.const 77) (i64.const 1) (i32.const 0) (i32.const 8)))",
            "there is no row type 77",
        ),
        (
            "(drop (call $near (i32.const 0) (f32.const 0) (f32.const 0) (f32.const 9) (i32.const -1) (i32.const 0) (i32.const 4)))",
            "`Near`",
        ),
    ] {
        let fault =
            only_the_run(&misbehaving(position(), &format!("{bad} i64.const 0")), GuestLimits::default());
        assert!(fault.message.contains(says), "{bad}: {fault}");
    }
}

#[test]
fn bools_and_enums_that_are_none() {
    let params = vec![query(&[(FLAG, Access::Write)])];
    // The fill has left 9 in the bools.
    let fault = only_the_run(&misbehaving(params, "i64.const 0"), GuestLimits::default());
    assert_eq!(fault.kind, FaultKind::BadOutput);
    assert!(fault.message.contains("bool"), "{fault}");
}

#[test]
fn command_buffers_that_are_not_there() {
    let limits = GuestLimits { output_bytes_max: 4096, ..GuestLimits::default() };
    for (packed, says) in [
        ("0x00000000_00001001", "more than the 4096"),
        ("0xffffffff_00000004", "not there"),
        ("0x00000000_ffffffff", "more than the 4096"),
    ] {
        let fault = only_the_run(&misbehaving(position(), &format!("(i64.const {packed})")), limits.clone());
        assert_eq!(fault.kind, FaultKind::BadOutput, "{packed}: {fault}");
        assert!(fault.message.contains(says), "{packed}: {fault}");
    }
}

#[test]
fn command_buffers_that_are_malformed() {
    // Each is written to address 0 and handed over with its own length.
    let params = || vec![query(&[(POSITION, Access::Write)]), ParamDef::Commands];
    for buffer in [
        &[8][..],
        &[255, 0, 0],
        &[0],
        &[0, 255, 255, 255, 255],
        &[0, 1, 0, 0, 0, 77, 0, 0, 0, 0, 0, 0, 0],
        &[1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255],
        &[1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 2],
        &[2, 1, 0, 0, 0, 0, 0, 0, 0, 77, 0, 0, 0],
        &[3, 1, 0, 0],
        &[4, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[5, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[6, 0, 0, 0, 0, 0, 0, 0, 0, 77, 0, 0, 0, 0, 0, 0, 0],
        &[7, 0, 0, 0, 0, 3, 0, 0, 0, 1, 2, 3],
        // A good command in front of a bad one: neither counts.
        &[3, 1, 0, 0, 0, 0, 0, 0, 0, 9],
    ] {
        let mut bad = String::new();
        for (at, byte) in buffer.iter().enumerate() {
            bad += &format!("(i32.store8 (i32.const {at}) (i32.const {byte}))");
        }
        let wasm = misbehaving(params(), &format!("{bad} (i64.const {})", buffer.len()));
        let fault = only_the_run(&wasm, GuestLimits::default());
        assert_eq!(fault.kind, FaultKind::BadOutput, "{buffer:?}: {fault}");
        assert!(fault.message.contains("malformed"), "{buffer:?}: {fault}");
    }
}

#[test]
fn commands_without_a_commands_parameter() {
    let bad = "(i32.store8 (i32.const 0) (i32.const 3)) (i64.store offset=1 (i32.const 0) (i64.const 1)) (i64.const 9)";
    let fault = only_the_run(&misbehaving(position(), bad), GuestLimits::default());
    assert!(fault.message.contains("Commands"), "{fault}");
}

#[test]
fn scribbling_over_the_view_and_what_is_only_read() {
    // Not an error: it is the guest's memory. But nobody else sees it.
    let params = vec![query(&[(POSITION, Access::Read), (VELOCITY, Access::Read)])];
    let bad = "(memory.fill (local.get $view) (i32.const 255) (i32.const 64)) i64.const 0";
    let mut sim = Sim::new(&misbehaving(params, bad));
    assert_eq!(sim.call(0, &[0; 4]), CallResult::Ok(vec![]));
    let before = sim.rows(POSITION);
    assert_eq!(sim.call(0, &[1, 0, 0, 0]), CallResult::Ok(vec![]));
    for _ in 0..3 {
        sim.tick();
    }
    assert_eq!(sim.rows(POSITION), before);
}
