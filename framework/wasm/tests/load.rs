//! Loading: what is no guest is refused with a word on what to do; compiled modules are kept and found again.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::bench::{engine, load};
use common::{description, guest, guest_with_json};
use evertick_schema::{Access, FieldDef, Type};
use evertick_wasm::{CompiledCache, CompiledKey, Engine, EngineConfig, GuestLimits, LoadError};
use evertick_world::FaultKind;

fn refused(wasm: &[u8], says: &[&str]) -> LoadError {
    let error = load(wasm).unwrap_err();
    let text = error.to_string();
    for part in says {
        assert!(text.contains(part), "{text:?} does not say {part:?}");
    }
    error
}

#[test]
fn a_guest_describes_itself() {
    let (loaded, _) = load(&guest(&description(), "")).unwrap();
    assert_eq!(loaded, description());
}

#[test]
fn what_is_no_module() {
    refused(b"", &["not a WebAssembly module", "cdylib"]);
    refused(b"MZ\x90\0 this is a DLL", &["not a WebAssembly module"]);
    let mut cut = guest(&description(), "");
    cut.truncate(cut.len() / 2);
    refused(&cut, &["not a WebAssembly module"]);
    // A component, memory of 64 bits, threads.
    refused(b"\0asm\x0d\0\x01\0", &["not a WebAssembly module"]);
    refused(
        &wat::parse_str("(module (memory (export \"memory\") i64 1))").unwrap(),
        &["not a WebAssembly module"],
    );
    refused(
        &wat::parse_str("(module (memory (export \"memory\") 1 1 shared))").unwrap(),
        &["not a WebAssembly module"],
    );
}

#[test]
fn a_module_that_is_too_large() {
    let engine =
        Engine::new(EngineConfig { module_bytes_max: 100, ..EngineConfig::default() }, None).unwrap();
    let error = engine.load(&guest(&description(), ""), GuestLimits::default()).unwrap_err();
    assert!(error.to_string().contains("more than 100"), "{error}");
}

#[test]
fn imports_that_nobody_gives() {
    let import = |import: &str| wat::parse_str(format!("(module (import {import}))")).unwrap();
    refused(
        &import(r#""wasi_snapshot_preview1" "fd_write" (func)"#),
        &["wasi_snapshot_preview1.fd_write", "no WASI"],
    );
    refused(&import(r#""evertick_1" "teleport" (func)"#), &["evertick_1.teleport"]);
    refused(&import(r#""evertick_2" "random" (func (result i64))"#), &["evertick_2.random"]);
    refused(&import(r#""evertick_1" "random" (func (result i32))"#), &["evertick_1.random", "(result i64)"]);
    refused(&import(r#""evertick_1" "memory" (memory 1)"#), &["evertick_1.memory"]);
}

#[test]
fn exports_that_are_missing() {
    let full = r#"(memory (export "memory") 1)
        (func (export "evertick_abi") (result i32) i32.const 1)
        (func (export "evertick_describe") (result i64) i64.const 0)
        (func (export "evertick_alloc") (param i32) (result i32) i32.const 16)
        (func (export "evertick_call") (param i32 i32 i32) (result i64) i64.const 0)
        (func (export "evertick_run") (param i32 i32) (result i64) i64.const 0)"#;
    for line in full.lines() {
        let without = full.replace(line, "");
        let name = line.split('"').nth(1).unwrap();
        refused(&wat::parse_str(format!("(module {without})")).unwrap(), &[name, "export_module!"]);
    }
    let other = full.replace("(param i32 i32) (result i64)", "(param i32 i64) (result i64)");
    refused(&wat::parse_str(format!("(module {other})")).unwrap(), &["evertick_run", "(i32, i32) -> i64"]);
}

#[test]
fn another_abi_version() {
    let wasm = guest(&description(), r#"(func (export "evertick_abi") (result i32) i32.const 2)"#);
    let error = refused(&wasm, &["ABI 2", "speaks 1", "rebuild"]);
    assert!(matches!(error, LoadError::Abi { got: 2, want: 1 }));
}

#[test]
fn a_description_that_fails() {
    let with = |describe: &str| {
        guest(&description(), &format!(r#"(func (export "evertick_describe") (result i64) {describe})"#))
    };
    refused(&with("unreachable"), &["fails to describe itself", "unreachable"]);
    refused(&with("(drop (call $random)) i64.const 0"), &["random can only be called"]);
    refused(
        &with("(call $log (i32.const 0) (i32.const 0) (i32.const 1)) i64.const 0"),
        &["log can only be called"],
    );
    refused(&with("i64.const 0xffffffff00000010"), &["a description that is not there"]);
    refused(&with("i64.const 0x00000000ffffffff"), &["a description of 4294967295 bytes"]);
    refused(&with("i64.const 0"), &["not valid JSON"]);

    let limits = GuestLimits { init_time_max: Duration::from_millis(30), ..GuestLimits::default() };
    let error = engine().load(&with("(loop $on (br $on)) unreachable"), limits).unwrap_err();
    assert!(matches!(&error, LoadError::Fault { fault } if fault.kind == FaultKind::Deadline), "{error}");
}

#[test]
fn a_start_function_that_fails() {
    let with = |start: &str| guest(&description(), &format!("(func $start {start}) (start $start)"));
    refused(&with("unreachable"), &["can't be started", "unreachable"]);
    refused(&with("(drop (call $spawn))"), &["can't call imports"]);
    let limits = GuestLimits { call_time_max: Duration::from_millis(30), ..GuestLimits::default() };
    let error = engine().load(&with("(loop $on (br $on))"), limits).unwrap_err();
    assert!(matches!(&error, LoadError::Fault { fault } if fault.kind == FaultKind::Deadline), "{error}");
}

#[test]
fn a_module_that_starts_over_its_limits() {
    let limits = GuestLimits { memory_bytes_max: 64 << 10, ..GuestLimits::default() };
    let error = engine().load(&guest(&description(), ""), limits).unwrap_err();
    assert!(error.to_string().contains("262144 bytes of memory"), "{error}");
    let limits = GuestLimits { table_elements_max: 10, ..GuestLimits::default() };
    let error = engine().load(&guest(&description(), "(table 11 funcref)"), limits).unwrap_err();
    assert!(error.to_string().contains("11 table elements"), "{error}");
}

#[test]
fn descriptions_with_problems_name_module_row_and_field() {
    refused(&guest_with_json(b"{}", ""), &["not valid JSON"]);
    refused(&guest_with_json(b"[1, 2", ""), &["not valid JSON"]);

    let mut padded = description();
    padded.rows[1].fields = vec![FieldDef::new("a", Type::U8), FieldDef::new("b", Type::U32)];
    padded.rows[3].fields[2].ty = Type::Array(Box::new(Type::String), 2);
    padded.systems = vec![common::system("s", vec![common::query(&[(99, Access::Read)])])];
    refused(&guest(&padded, ""), &["hand.Velocity", "padding", "hand.Account.balance", "hand.s"]);
}

#[test]
fn instances_are_limited_and_given_back() {
    let engine = Engine::new(EngineConfig { instances_max: 1, ..EngineConfig::default() }, None).unwrap();
    let wasm = guest(&description(), "");
    let first = engine.load(&wasm, GuestLimits::default()).unwrap();
    let error = engine.load(&wasm, GuestLimits::default()).unwrap_err();
    assert!(error.to_string().contains("raise EngineConfig::instances_max"), "{error}");
    drop(first);
    engine.load(&wasm, GuestLimits::default()).unwrap();
}

/// Keeps compiled modules in memory and counts.
#[derive(Default)]
struct Kept {
    modules: Mutex<HashMap<String, Vec<u8>>>,
    hits: Mutex<u32>,
}

impl CompiledCache for Kept {
    fn get(&self, key: &CompiledKey) -> Option<Vec<u8>> {
        let found = self.modules.lock().unwrap().get(&key.to_string()).cloned();
        *self.hits.lock().unwrap() += u32::from(found.is_some());
        found
    }

    fn put(&self, key: &CompiledKey, compiled: &[u8]) {
        self.modules.lock().unwrap().insert(key.to_string(), compiled.to_vec());
    }
}

#[test]
fn a_compiled_module_is_kept_and_a_damaged_one_compiled_again() {
    let kept = Arc::new(Kept::default());
    let engine =
        || Engine::new(EngineConfig::default(), Some(Arc::clone(&kept) as Arc<dyn CompiledCache>)).unwrap();
    let wasm = guest(&description(), "");
    let load = |engine: Engine| engine.load(&wasm, GuestLimits::default()).unwrap().0;
    let counts = || (kept.modules.lock().unwrap().len(), *kept.hits.lock().unwrap());

    assert_eq!(load(engine()), description());
    assert_eq!(counts(), (1, 0));
    assert_eq!(load(engine()), description());
    assert_eq!(counts(), (1, 1));

    // Damage of any sort: a flipped bit, a torn write, nothing at all.
    let whole = kept.modules.lock().unwrap().values().next().unwrap().clone();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for damaged in [flipped, whole[..whole.len() / 2].to_vec(), vec![1, 2, 3], vec![]] {
        kept.modules.lock().unwrap().values_mut().for_each(|bytes| *bytes = damaged.clone());
        assert_eq!(load(engine()), description());
        assert_eq!(kept.modules.lock().unwrap().values().next(), Some(&whole));
    }

    // Other settings that change the code, other key.
    let other = EngineConfig { module_bytes_max: 1 << 20, ..EngineConfig::default() };
    load(Engine::new(other, Some(Arc::clone(&kept) as Arc<dyn CompiledCache>)).unwrap());
    assert_eq!(counts().0, 1, "a setting that changes no code has the same key");
    let another = guest(&description(), "(func (export \"more\"))");
    engine().load(&another, GuestLimits::default()).unwrap();
    assert_eq!(counts().0, 2);
}
