//! Reducers that do all they can do wrong: each costs the module that call, and nobody else anything.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::time::Duration;

use common::bench::Bench;
use common::{description, guest};
use evertick_schema::EntityId;
use evertick_wasm::{Engine, EngineConfig, GuestLimits};
use evertick_world::{Cause, Config, FaultKind, Guest, GuestFault, Outcome, World};

/// A guest whose reducer 0 spawns an entity and then runs `bad` if its argument is 1; with 0 it is well-behaved.
fn misbehaving(bad: &str, more: &str) -> Vec<u8> {
    guest(
        &description(),
        &format!(
            r#"{more}
            (func (export "evertick_call") (param $reducer i32) (param $ptr i32) (param $len i32) (result i64)
                (local $e i64)
                (local.set $e (call $spawn))
                (if (i32.load (i32.add (local.get $ptr) (i32.const 48))) (then {bad}))
                i64.const 0)"#
        ),
    )
}

/// Runs the misbehaviour and checks that only the call is lost. Returns how it failed.
fn only_the_call(wasm: &[u8], limits: GuestLimits) -> GuestFault {
    let mut bench = Bench::with_limits(wasm, limits);
    let fine = Ok(Outcome::Ok(vec![]));
    assert_eq!(bench.call(0, &0u32.to_le_bytes()), fine);
    let before = bench.world.entity_count();
    let fault = bench.call(0, &1u32.to_le_bytes()).unwrap_err();
    assert_eq!(bench.world.entity_count(), before, "what it did before it failed is undone: {fault}");
    assert_eq!(bench.call(0, &0u32.to_le_bytes()), fine, "after: {fault}");
    assert_eq!(bench.world.entity_count(), before + 1);
    bench.world.check().unwrap();
    fault
}

fn misuse(bad: &str, says: &str) {
    let fault = only_the_call(&misbehaving(bad, ""), GuestLimits::default());
    assert_eq!(fault.kind, FaultKind::Trap, "{bad}: {fault}");
    assert!(fault.message.contains(says), "{bad}: {fault}");
    assert!(!fault.backtrace.is_empty(), "{bad}");
}

const OUTSIDE: &str = "not within the guest's memory";

#[test]
fn pointers_and_lengths_outside_of_memory() {
    // Each pair of pointer and length, in each import that takes one.
    for (ptr, len) in [("-16", "17"), ("0", "-2"), ("262140", "8"), ("-1", "-2"), ("262145", "0")] {
        let at = format!("(i32.const {ptr}) (i32.const {len})");
        for bad in [
            format!("(drop (call $get (i32.const 0) (local.get $e) {at}))"),
            format!("(drop (call $put (i32.const 0) (local.get $e) {at} (i32.const 0)))"),
            format!("(drop (call $insert (i32.const 3) {at}))"),
            format!("(drop (call $find (i32.const 3) (i32.const 0) {at} (i32.const 0) (i32.const 64)))"),
            format!("(drop (call $find (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4) {at}))"),
            format!(
                "(drop (call $scan (i32.const 3) (i32.const 0) {at} (i32.const 0) (i32.const -1) (i32.const 512) (i32.const 0) (i32.const 64)))"
            ),
            format!(
                "(drop (call $scan (i32.const 3) (i32.const 0) (i32.const 0) (i32.const -1) {at} (i32.const 512) (i32.const 0) (i32.const 64)))"
            ),
            format!(
                "(drop (call $scan (i32.const 3) (i32.const -1) (i32.const 0) (i32.const -1) (i32.const 0) (i32.const -1) (i32.const 512) {at}))"
            ),
            format!("(call $emit (i32.const 5) {at})"),
            format!("(drop (call $after (i64.const 5) (i32.const 0) {at}))"),
            format!("(call $detached (i32.const 0) {at})"),
            format!("(call $log (i32.const 2) {at})"),
        ] {
            misuse(&bad, OUTSIDE);
        }
    }
    for (out, cap) in [("262140", "1"), ("0", "32769"), ("-8", "1"), ("262145", "0")] {
        misuse(
            &format!(
                "(drop (call $near (i32.const 0) (f32.const 0) (f32.const 0) (f32.const 9) (i32.const -1) (i32.const {out}) (i32.const {cap})))"
            ),
            OUTSIDE,
        );
    }
    misuse(
        "(drop (call $near (i32.const 0) (f32.const 0) (f32.const 0) (f32.const 9) (i32.const -1) (i32.const 0) (i32.const 0x20000000)))",
        "no room for",
    );
    for cursor in ["262129", "-1", "-16"] {
        misuse(
            &format!(
                "(drop (call $scan (i32.const 3) (i32.const -1) (i32.const 0) (i32.const -1) (i32.const 0) (i32.const -1) (i32.const {cursor}) (i32.const 0) (i32.const 64)))"
            ),
            OUTSIDE,
        );
    }
}

#[test]
fn numbers_that_name_nothing() {
    for row in ["7", "-1", "65536"] {
        for bad in [
            format!("(drop (call $get (i32.const {row}) (local.get $e) (i32.const 0) (i32.const 64)))"),
            format!(
                "(drop (call $put (i32.const {row}) (local.get $e) (i32.const 0) (i32.const 8) (i32.const 0)))"
            ),
            format!("(drop (call $insert (i32.const {row}) (i32.const 0) (i32.const 16)))"),
            format!("(drop (call $remove (i32.const {row}) (local.get $e)))"),
            format!(
                "(drop (call $find (i32.const {row}) (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 64)))"
            ),
            format!(
                "(drop (call $scan (i32.const {row}) (i32.const -1) (i32.const 0) (i32.const -1) (i32.const 0) (i32.const -1) (i32.const 512) (i32.const 0) (i32.const 64)))"
            ),
            format!("(call $emit (i32.const {row}) (i32.const 0) (i32.const 4))"),
        ] {
            misuse(&bad, "there is no row type");
        }
    }
    for (bad, says) in [
        (
            "(drop (call $near (i32.const 0) (f32.const 0) (f32.const 0) (f32.const 9) (i32.const 7) (i32.const 0) (i32.const 4)))",
            "there is no row type 7",
        ),
        (
            "(drop (call $put (i32.const 0) (local.get $e) (i32.const 0) (i32.const 8) (i32.const 3)))",
            "modes 0, 1 and 2",
        ),
        (
            "(call $focus (i32.const 3) (i64.const 0) (i32.const 0) (f32.const 0) (f32.const 0) (f32.const 0))",
            "kinds 0, 1 and 2",
        ),
        ("(call $join (i64.const 3) (i32.const 2))", "0 and 1"),
        ("(call $log (i32.const 5) (i32.const 0) (i32.const 0))", "no log level 5"),
        (
            "(drop (call $find (i32.const 3) (i32.const 9) (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 64)))",
            "no index on field 9",
        ),
        (
            "(drop (call $find (i32.const 3) (i32.const 65536) (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 64)))",
            "no index on field 65536",
        ),
        (
            "(drop (call $find (i32.const 3) (i32.const 1) (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 64)))",
            "needs a unique index",
        ),
        (
            "(drop (call $find (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 5) (i32.const 0) (i32.const 64)))",
            "a key of 5 bytes",
        ),
        (
            "(drop (call $scan (i32.const 3) (i32.const 2) (i32.const 0) (i32.const -1) (i32.const 0) (i32.const -1) (i32.const 512) (i32.const 0) (i32.const 64)))",
            "no index on field 2",
        ),
        (
            "(drop (call $scan (i32.const 3) (i32.const 1) (i32.const 0) (i32.const 4) (i32.const 0) (i32.const -1) (i32.const 512) (i32.const 0) (i32.const 64)))",
            "only an ordered index has ranges",
        ),
    ] {
        misuse(bad, says);
    }
}

#[test]
fn rows_that_are_none() {
    for (bad, says) in [
        // A flat row of another length, a bool of 2, an enum of 5, text that is not UTF-8, offsets that lie.
        (
            "(drop (call $put (i32.const 0) (local.get $e) (i32.const 0) (i32.const 7) (i32.const 0)))",
            "7 bytes",
        ),
        (
            "(i32.store16 (i32.const 0) (i32.const 0x0002)) (drop (call $put (i32.const 2) (local.get $e) (i32.const 0) (i32.const 2) (i32.const 0)))",
            "bool",
        ),
        (
            "(i32.store16 (i32.const 0) (i32.const 0x0501)) (drop (call $put (i32.const 2) (local.get $e) (i32.const 0) (i32.const 2) (i32.const 0)))",
            "enum",
        ),
        (
            "(i64.store (i32.const 0) (i64.const 0x0000000100000008)) (i32.store8 (i32.const 8) (i32.const 0xff)) (drop (call $put (i32.const 4) (local.get $e) (i32.const 0) (i32.const 9) (i32.const 0)))",
            "UTF-8",
        ),
        (
            "(i64.store (i32.const 0) (i64.const 0x0000000100000009)) (drop (call $put (i32.const 4) (local.get $e) (i32.const 0) (i32.const 9) (i32.const 0)))",
            "points to 9",
        ),
        (
            "(i64.store (i32.const 0) (i64.const 0xffffffff00000008)) (drop (call $put (i32.const 4) (local.get $e) (i32.const 0) (i32.const 9) (i32.const 0)))",
            "bytes where",
        ),
        ("(call $emit (i32.const 5) (i32.const 0) (i32.const 3))", "3 bytes"),
        ("(drop (call $insert (i32.const 3) (i32.const 0) (i32.const 15)))", "15 bytes"),
        // Rows of the wrong kind.
        ("(call $emit (i32.const 0) (i32.const 0) (i32.const 8))", "no event"),
        ("(drop (call $insert (i32.const 0) (i32.const 0) (i32.const 8)))", "can't be written so"),
        (
            "(drop (call $put (i32.const 5) (local.get $e) (i32.const 0) (i32.const 4) (i32.const 0)))",
            "can't be written so",
        ),
    ] {
        misuse(bad, says);
    }
}

#[test]
fn a_log_line_that_is_no_text() {
    misuse(
        "(i32.store8 (i32.const 0) (i32.const 0xc0)) (call $log (i32.const 0) (i32.const 0) (i32.const 1))",
        "UTF-8",
    );
}

#[test]
fn traps_of_its_own() {
    for (bad, says) in [
        ("unreachable", "unreachable"),
        ("(drop (i32.div_s (i32.const 1) (i32.const 0)))", "divide by zero"),
        ("(drop (i32.load (i32.const -4)))", "out of bounds memory access"),
        ("(memory.copy (i32.const 0) (i32.const 8) (i32.const -1))", "out of bounds memory access"),
    ] {
        misuse(bad, says);
    }
}

#[test]
fn the_last_error_it_logged_is_what_a_panic_says() {
    let says = "(i64.store (i32.const 0) (i64.const 0x21736B6F6F)) (call $log (i32.const 0) (i32.const 0) (i32.const 5)) unreachable";
    misuse(says, "ooks!");
}

#[test]
fn recursion_without_end() {
    let wasm = misbehaving("(call $deep)", "(func $deep (call $deep) (call $deep))");
    let fault = only_the_call(&wasm, GuestLimits::default());
    assert_eq!(fault.kind, FaultKind::Trap);
    assert!(fault.message.contains("nested too deeply"), "{fault}");
}

#[test]
fn a_loop_without_end() {
    let limits = GuestLimits { call_time_max: Duration::from_millis(30), ..GuestLimits::default() };
    let fault = only_the_call(&misbehaving("(loop $on (br $on))", ""), limits);
    assert_eq!(fault.kind, FaultKind::Deadline);
    assert!(fault.backtrace.contains("evertick_call") || !fault.backtrace.is_empty());
}

#[test]
fn a_loop_without_end_of_host_calls() {
    let limits = GuestLimits { call_time_max: Duration::from_millis(30), ..GuestLimits::default() };
    let fault = only_the_call(&misbehaving("(loop $on (drop (call $random)) (br $on))", ""), limits);
    assert_eq!(fault.kind, FaultKind::Deadline);
}

#[test]
fn a_memory_bomb() {
    let limits = GuestLimits { memory_bytes_max: 4 << 20, ..GuestLimits::default() };
    let fault =
        only_the_call(&misbehaving("(loop $on (drop (memory.grow (i32.const 8))) (br $on))", ""), limits);
    assert_eq!(fault.kind, FaultKind::Memory);
    assert!(fault.message.contains("4194304"), "{fault}");
}

#[test]
fn a_log_bomb_is_dropped_not_kept() {
    let lines = "(loop $on
        (call $log (i32.const 2) (i32.const 0) (i32.const 0x10000))
        (br_if $on (i32.lt_u (global.get $n) (i32.const 1000)) (global.set $n (i32.add (global.get $n) (i32.const 1)))))";
    let mut bench = Bench::new(&misbehaving(lines, "(global $n (mut i32) (i32.const 0))"));
    assert_eq!(bench.call(0, &1u32.to_le_bytes()), Ok(Outcome::Ok(vec![])));
}

#[test]
fn outcomes_that_are_none() {
    let limits = GuestLimits { output_bytes_max: 64, ..GuestLimits::default() };
    for (packed, says) in [
        ("0x00000000_00000041", "more than the 64"),
        ("0xffffffff_00000004", "not there"),
        ("0x00040000_00000001", "not there"),
        ("0x00000000_ffffffff", "more than the 64"),
        ("0x00000001_00000000", "neither a result"),
        // The description's JSON stands at 1024: its first byte is neither 0 nor 1.
        ("0x00000400_00000008", "neither a result"),
    ] {
        let fault =
            only_the_call(&misbehaving(&format!("(return (i64.const {packed}))"), ""), limits.clone());
        assert_eq!(fault.kind, FaultKind::BadOutput, "{packed}: {fault}");
        assert!(fault.message.contains(says), "{packed}: {fault}");
    }
}

#[test]
fn an_allocator_that_lies() {
    for alloc in ["i32.const 0", "i32.const 8", "i32.const -16", "i32.const 0x40000000"] {
        let wasm = guest(
            &description(),
            &format!(r#"(func (export "evertick_alloc") (param i32) (result i32) {alloc})"#),
        );
        let mut bench = Bench::new(&wasm);
        for _ in 0..2 {
            let fault = bench.call(0, &[0; 4]).unwrap_err();
            assert_eq!(fault.kind, FaultKind::Memory, "{alloc}: {fault}");
        }
    }
}

#[test]
fn imports_in_the_allocator() {
    let wasm = guest(
        &description(),
        r#"(func (export "evertick_alloc") (param i32) (result i32) (drop (call $spawn)) (i32.const 16))"#,
    );
    let mut bench = Bench::new(&wasm);
    let fault = bench.call(0, &[0; 4]).unwrap_err();
    assert!(fault.message.contains("spawn can only be called in a reducer"), "{fault}");
    assert_eq!(bench.world.entity_count(), 0);
}

#[test]
fn an_instance_does_not_remember_across_a_trap_or_renewal() {
    // Counts its calls in memory, returns the count, and traps when its argument is 1.
    let wasm = guest(
        &description(),
        r#"(func (export "evertick_call") (param $reducer i32) (param $ptr i32) (param $len i32) (result i64)
            (i32.store (i32.const 1) (i32.add (i32.load (i32.const 1)) (i32.const 1)))
            (if (i32.load (i32.add (local.get $ptr) (i32.const 48))) (then unreachable))
            (i64.const 0x0000000000000005))"#,
    );
    let mut bench = Bench::new(&wasm);
    let count = |bench: &mut Bench| match bench.call(0, &[0; 4]) {
        Ok(Outcome::Ok(bytes)) => u32::from_le_bytes(bytes.try_into().unwrap()),
        other => panic!("{other:?}"),
    };
    assert_eq!([count(&mut bench), count(&mut bench)], [1, 2]);
    bench.call(0, &[1, 0, 0, 0]).unwrap_err();
    assert_eq!([count(&mut bench), count(&mut bench)], [1, 2]);
    bench.guest.renew();
    assert_eq!(count(&mut bench), 1, "nor when it is renewed");
}

#[test]
fn entities_it_has_no_business_with_are_return_values() {
    // None of these is misuse: the entity is simply not there.
    let probes = "
        (if (i32.ne (call $get (i32.const 0) (i64.const 12345) (i32.const 0) (i32.const 8)) (i32.const -1)) (then unreachable))
        (if (i32.ne (call $put (i32.const 0) (i64.const -1) (i32.const 0) (i32.const 8) (i32.const 0)) (i32.const -1)) (then unreachable))
        (if (i32.ne (call $remove (i32.const 0) (i64.const 0)) (i32.const 0)) (then unreachable))
        (if (i32.ne (call $despawn (i64.const -1)) (i32.const 0)) (then unreachable))
        (if (i32.ne (call $cancel (i64.const 77)) (i32.const 0)) (then unreachable))";
    let mut bench = Bench::new(&misbehaving(probes, ""));
    assert_eq!(bench.call(0, &1u32.to_le_bytes()), Ok(Outcome::Ok(vec![])));
    assert!(!bench.world.exists(EntityId(12345)));
}

#[test]
fn a_guest_that_can_t_be_started_again_is_unavailable_until_it_can() {
    let engine = Engine::new(EngineConfig { instances_max: 1, ..EngineConfig::default() }, None).unwrap();
    let (description, mut guest) =
        engine.load(&misbehaving("unreachable", ""), GuestLimits::default()).unwrap();
    let mut world = World::new(Config::default());
    let rows = world.register(&description.name, &description.rows).unwrap();
    let mut call = |n: u8| guest.call(&mut world.begin(Cause::default()), &rows, 0, &[n, 0, 0, 0]);

    assert_eq!(call(1).unwrap_err().kind, FaultKind::Trap);
    // Its place is free for the moment, and somebody else takes it.
    let other = engine.load(&common::guest(&description, ""), GuestLimits::default()).unwrap();
    for attempt in 0..6 {
        let fault = call(0).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Unavailable);
        // Tried at calls 0, 2 and 5, and not in between.
        assert_eq!(
            fault.message.contains("instances_max"),
            [0, 2, 5].contains(&attempt),
            "{attempt}: {fault}"
        );
    }
    drop(other);
    let again = (0..10).position(|_| call(0).is_ok());
    assert_eq!(again, Some(4));
}

#[test]
fn keys_and_arguments_that_are_far_too_long() {
    for bad in [
        "(drop (call $find (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 0x100001) (i32.const 0) (i32.const 64)))",
        "(drop (call $after (i64.const 5) (i32.const 0) (i32.const 0) (i32.const 0x100001)))",
        "(call $detached (i32.const 0) (i32.const 0) (i32.const 0x100001))",
    ] {
        misuse(&format!("(drop (memory.grow (i32.const 32))) {bad}"), "is the most");
    }
}
