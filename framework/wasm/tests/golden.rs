//! The ABI, byte by byte: a guest written by hand from `docs/abi.md` alone, and what must come out of it.
//!
//! `UPDATE_GOLDEN=1 cargo test -p evertick-wasm --test golden` writes the files anew. A change in them is a change of
//! the ABI: it needs a new version, unless only something was added.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use common::bench::NOW;
use common::sim::Sim;
use evertick_schema::{Identity, ModuleDescription, SessionId};
use evertick_world::{Call, CallResult, Caller, Delta};
use wasmtime::{Engine, Linker, Module, Store, TypedFunc};

fn guest() -> Vec<u8> {
    wat::parse_str(fs::read_to_string(golden("guest.wat")).unwrap()).unwrap()
}

fn golden(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file)
}

/// Compares with a golden file, or writes it.
fn check(file: &str, actual: &str) {
    let path = golden(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, actual).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap();
    assert_eq!(actual, expected, "{file} differs");
}

/// 16 bytes a line, with the offset in front.
fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (line, bytes) in bytes.chunks(16).enumerate() {
        write!(text, "{:04x} ", line * 16).unwrap();
        bytes.iter().for_each(|byte| write!(text, " {byte:02x}").unwrap());
        text.push('\n');
    }
    text
}

/// A delta, one change a line.
fn lines(sim: &Sim, delta: &Delta) -> String {
    let name = |row| sim.simulation.world().row(row).name.as_str();
    let plain = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    let mut text = String::new();
    writeln!(text, "spawned {:?}", delta.spawned).unwrap();
    writeln!(text, "despawned {:?}", delta.despawned).unwrap();
    for rows in &delta.rows {
        for (entity, _, bytes) in rows.inserted.iter() {
            writeln!(text, "inserted {} of {entity}: {}", name(rows.row), plain(bytes)).unwrap();
        }
        for (entity, mask, bytes) in rows.updated.iter() {
            writeln!(text, "updated {} of {entity}, fields {mask:#b}: {}", name(rows.row), plain(bytes))
                .unwrap();
        }
        for entity in &rows.removed {
            writeln!(text, "removed {} of {entity}", name(rows.row)).unwrap();
        }
    }
    for event in &delta.events {
        writeln!(text, "event {}: {} bytes", name(event.row), event.bytes.len()).unwrap();
    }
    for op in &delta.sessions {
        writeln!(text, "session {op:?}").unwrap();
    }
    for op in &delta.timers {
        writeln!(text, "timer {op:?}").unwrap();
    }
    text
}

/// Calls a reducer that returns bytes; returns them.
fn returned(sim: &mut Sim, reducer: u32, args: &[u8]) -> Vec<u8> {
    let caller = Caller { identity: Identity([0xab; 32]), session: SessionId(0x0102), ..Caller::default() };
    match sim.simulation.call(&Call { module: 0, reducer, args, caller: &caller }, NOW) {
        CallResult::Ok(bytes) => bytes,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_description() {
    let (description, _) = common::bench::load(&guest()).unwrap();
    let json = fs::read(golden("description.json")).unwrap();
    assert_eq!(description, ModuleDescription::from_json(&json).unwrap());
    check("description.json", &String::from_utf8(description.to_json()).unwrap());
}

#[test]
fn a_call_with_arguments() {
    let mut sim = Sim::new(&guest());
    // n = 9, text = "hi"
    let args = [&[9, 0, 0, 0, 12, 0, 0, 0, 2, 0, 0, 0][..], b"hi"].concat();
    check("call_input.hex", &hex(&returned(&mut sim, 0, &args)));
}

#[test]
fn a_refusal() {
    let mut sim = Sim::new(&guest());
    let refused = CallResult::Refused { variant: 2, message: "sorry".into(), fields: vec![42, 0] };
    assert_eq!(sim.call(1, &[]), refused);
}

#[test]
fn every_import() {
    let mut sim = Sim::new(&guest());
    check("acts.hex", &hex(&returned(&mut sim, 2, &[])));
    // The call that was detached refused, as it always does: no fault.
    assert_eq!(sim.simulation.take_faults(), []);
    let delta = sim.simulation.commit(NOW);
    check("acts.txt", &lines(&sim, &delta));
    check("reads.hex", &hex(&returned(&mut sim, 3, &[])));
}

#[test]
fn a_run_with_commands() {
    let mut sim = Sim::new(&guest());
    returned(&mut sim, 2, &[]);
    sim.simulation.commit(NOW);
    let report = sim.tick();
    assert_eq!(report.commands_skipped, 2, "the remove and the despawn of what is not there");
    let delta = sim.simulation.commit(NOW);
    let view = &delta.events[0].bytes;
    check("view.hex", &hex(view));
    check("run.txt", &lines(&sim, &delta));
}

/// What a client does: an instance of its own, whose imports trap; bytes where `evertick_alloc` said; `evertick_predict`.
#[test]
fn a_prediction() {
    let engine = Engine::default();
    let module = Module::new(&engine, guest()).unwrap();
    let mut linker = Linker::new(&engine);
    linker.define_unknown_imports_as_traps(&module).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let memory = instance.get_memory(&mut store, "memory").unwrap();
    let alloc = instance.get_typed_func::<u32, u32>(&mut store, "evertick_alloc").unwrap();
    let predict = instance.get_typed_func(&mut store, "evertick_predict").unwrap();
    let predict = predict as TypedFunc<(u32, u32, u32, u32, u32, f32), ()>;

    // Position (1, 2), steered toward (3, -0.5) for a twentieth of a second.
    let floats = |x: f32, y: f32| [x.to_le_bytes(), y.to_le_bytes()].concat();
    let (row, args, seconds) = (floats(1.0, 2.0), floats(3.0, -0.5), 0.05_f32);
    let (row_at, args_at) = (alloc.call(&mut store, 8).unwrap(), alloc.call(&mut store, 8).unwrap());
    assert_eq!((row_at % 16, args_at % 16), (0, 0));
    memory.write(&mut store, row_at as usize, &row).unwrap();
    memory.write(&mut store, args_at as usize, &args).unwrap();
    predict.call(&mut store, (0, row_at, 8, args_at, 8, seconds)).unwrap();
    let mut changed = [0; 8];
    memory.read(&store, row_at as usize, &mut changed).unwrap();
    let mut text = String::new();
    for (name, bytes) in
        [("row", &row[..]), ("args", &args), ("seconds", &seconds.to_le_bytes()), ("changed", &changed)]
    {
        writeln!(text, "{name}\n{}", hex(bytes).trim_end()).unwrap();
    }
    check("predict.hex", &text);
    for (prediction, row_len, args_len) in [(1, 8, 8), (0, 7, 8), (0, 8, 9)] {
        predict.call(&mut store, (prediction, row_at, row_len, args_at, args_len, seconds)).unwrap_err();
    }
}
