//! What fuzzing has found to be of interest: which of it is understood, so that other implementations can say the same.
//!
//! `fuzzed.json` has messages for a replica of the golden corpus' `replica-kinds.json` that has applied `populated`. `rows` is how many rows it has
//! then; of a message that is no frame 0; null where it is an error. More inputs are put in by hand, and `UPDATE_GOLDEN=1` fills in the rest.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{fs, path::Path};

use evertick_protocol::{Changes, Replica, ServerMessage};
use serde_json::{Value, json};
use support::json::{hex, unhex};
use support::{decoders, frame};

fn rows(message: &[u8]) -> Option<usize> {
    let mut replica = Replica::new(&support::description::kinds()).unwrap();
    let mut changes = Changes::new();
    replica.apply(frame(&decoders::populating()), &mut changes).unwrap();
    match ServerMessage::decode(message).ok()? {
        ServerMessage::Frame(frame) => replica.apply(frame, &mut changes).ok()?,
        ServerMessage::State(state) => replica.apply_state(state, &mut changes).ok()?,
        _ => return Some(0),
    }
    Some((0..replica.schema().rows().len()).map(|row| replica.len(row as u32)).sum())
}

#[test]
fn what_was_found_is_understood_as_it_was() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzzed.json");
    let was: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let inputs = was["inputs"].as_array().unwrap().iter().map(|input| {
        let message = unhex(input["hex"].as_str().unwrap());
        json!({ "hex": hex(&message), "rows": rows(&message) })
    });
    let inputs: Vec<Value> = inputs.collect();
    let understood = inputs.iter().filter(|input| !input["rows"].is_null()).count();
    assert!(understood > 50 && inputs.len() - understood > 100, "{understood} of {}", inputs.len());
    let lines: Vec<String> = inputs.iter().map(ToString::to_string).collect();
    let is = format!(
        "{{\"populated\":\"{}\",\"inputs\":[\n{}\n]}}\n",
        hex(&decoders::populating()),
        lines.join(",\n")
    );
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &is).unwrap();
    }
    assert!(
        is.as_bytes() == fs::read(&path).unwrap(),
        "verdicts differ; if that is meant, run again with UPDATE_GOLDEN=1"
    );
}
