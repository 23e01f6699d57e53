//! The golden corpus: what the encoder writes, and what the decoder makes of it. The TypeScript client's tests
//! read the same files. `UPDATE_GOLDEN=1` rewrites them; look at the difference before you commit it.
#![allow(clippy::unwrap_used, reason = "tests")]

mod cases;
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use evertick_protocol::{Changes, ClientMessage, Quantizer, Replica, ServerMessage};
use evertick_schema::{ModuleDescription, WireDef};
use serde_json::{Value, json};
use support::{apply, frame, json, states};

/// The corpus by file name.
#[derive(Default)]
pub struct Corpus {
    files: BTreeMap<String, Vec<u8>>,
}

impl Corpus {
    fn json(&mut self, name: &str, value: &Value) {
        let mut text = serde_json::to_vec_pretty(value).unwrap();
        text.push(b'\n');
        assert!(self.files.insert(format!("{name}.json"), text).is_none());
    }

    fn bin(&mut self, name: String, bytes: Vec<u8>) -> String {
        let file = format!("{name}.bin");
        assert!(self.files.insert(file.clone(), bytes).is_none());
        file
    }

    /// Frames and states that a fresh replica applies.
    fn replica(&mut self, name: &str, description: &ModuleDescription, messages: Vec<Vec<u8>>) {
        let name = format!("replica-{name}");
        let mut replica = Replica::new(description).unwrap();
        let mut steps = Vec::new();
        for (index, message) in messages.into_iter().enumerate() {
            let latest = matches!(ServerMessage::decode(&message), Ok(ServerMessage::State(_)));
            let mut changes = Changes::new();
            let malformed = if latest {
                replica.apply_state(states(&message), &mut changes).is_err()
            } else {
                changes = apply(&mut replica, &message).unwrap();
                false
            };
            steps.push(json!({
                "file": self.bin(format!("{name}.{index}"), message),
                "lane": if latest { "latest" } else { "ordered" },
                "malformed": malformed,
                "number": changes.number.to_string(),
                "tick": changes.tick.to_string(),
                "time_us": changes.time.0.to_string(),
                "changes": json::changes(description, &changes),
                "events": json::events(description, &changes),
                "results": json::results(&changes),
                "queries": json::queries(&changes),
                "rows": json::rows(description, &replica),
                "states": json::state_stats(&replica),
            }));
        }
        let description: Value = serde_json::from_slice(&description.to_json()).unwrap();
        self.json(&name, &json!({ "description": description, "steps": steps }));
    }

    fn client(&mut self) {
        let mut index = Vec::new();
        for (name, message, value) in cases::messages::client() {
            let mut bytes = Vec::new();
            message.encode(&mut bytes);
            assert_eq!(ClientMessage::decode(&bytes), Ok(message));
            index.push(json!({ "file": self.bin(format!("client-{name}"), bytes), "message": value }));
        }
        self.json("client", &Value::Array(index));
    }

    fn server(&mut self) {
        let mut index = Vec::new();
        for (name, message, value) in cases::messages::server() {
            let mut bytes = Vec::new();
            message.encode(&mut bytes);
            assert_eq!(ServerMessage::decode(&bytes), Ok(message));
            index.push(json!({ "file": self.bin(format!("server-{name}"), bytes), "message": value }));
        }
        self.json("server", &Value::Array(index));
    }

    fn malformed(&mut self) {
        let mut index = Vec::new();
        let known = cases::malformed::known();
        self.bin("malformed-state".to_owned(), known.clone());
        for (what, class, bytes) in cases::malformed::all() {
            let error = match class {
                "client" => ClientMessage::decode(&bytes).map(drop).err(),
                "server" => ServerMessage::decode(&bytes).map(drop).err(),
                "state" => {
                    let mut replica = Replica::new(&support::description::kinds()).unwrap();
                    apply(&mut replica, &known).unwrap();
                    match ServerMessage::decode(&bytes) {
                        Ok(_) => replica.apply_state(states(&bytes), &mut Changes::new()).err(),
                        Err(error) => Some(error),
                    }
                }
                _ => {
                    let mut replica = Replica::new(&support::description::kinds()).unwrap();
                    replica.apply(frame(&bytes), &mut Changes::new()).err()
                }
            };
            let Some(error) = error else { panic!("{what} is accepted") };
            index.push(json!({
                "what": what, "as": class, "hex": json::hex(&bytes), "error": error.to_string(),
            }));
        }
        self.json("malformed", &Value::Array(index));
    }

    fn quantizer(&mut self) {
        let mut cases = Vec::new();
        for (wide, wire, values) in cases::quantizer::all() {
            let quantizer = Quantizer::new(&wire).unwrap();
            let q: Vec<Option<i64>> = values.iter().map(|value| quantizer.quantize(*value)).collect();
            let back = q.iter().map(|q| match q {
                Some(q) if wide => json::float(quantizer.dequantize(*q)),
                Some(q) => json::float((quantizer.dequantize(*q) as f32).into()),
                None => Value::Null,
            });
            let back: Vec<Value> = back.collect();
            let values: Vec<Value> = values.iter().map(|value| json::float(*value)).collect();
            let WireDef { step, bits, wrap } = wire;
            cases.push(json!({
                "type": if wide { "f64" } else { "f32" },
                "wire": { "step": step, "bits": bits, "wrap": wrap },
                "values": values, "q": q, "back": back,
            }));
        }
        self.json("quantizer", &Value::Array(cases));
    }
}

#[test]
fn the_corpus_is_as_it_was() {
    let mut corpus = Corpus::default();
    corpus.client();
    corpus.server();
    corpus.malformed();
    corpus.quantizer();
    for (name, description, messages) in cases::frames::all().into_iter().chain(cases::states::all()) {
        corpus.replica(name, &description, messages);
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::remove_dir_all(&folder).unwrap();
        fs::create_dir(&folder).unwrap();
        for (file, bytes) in &corpus.files {
            fs::write(folder.join(file), bytes).unwrap();
        }
    }
    let mut there: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    there.sort();
    assert!(there.iter().eq(corpus.files.keys()), "files are missing or too many: {there:?}");
    for (file, bytes) in &corpus.files {
        let same = fs::read(folder.join(file)).unwrap() == *bytes;
        assert!(same, "{file} would change; if that is meant, run again with UPDATE_GOLDEN=1");
    }
}
