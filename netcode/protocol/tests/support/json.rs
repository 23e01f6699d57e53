//! Row bytes, changes and results as the plain JSON of the golden corpus; see `docs/wire.md`.

use evertick_protocol::{CallOutcome, ChangeKind, Changes, QueryOutcome, QueryReply, Replica};
use evertick_schema::{EntityId, FieldDef, Lane, ModuleDescription, Type};
use serde_json::{Map, Value, json};

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

pub fn float(value: f64) -> Value {
    match value {
        _ if value.is_nan() => json!("NaN"),
        f64::INFINITY => json!("inf"),
        f64::NEG_INFINITY => json!("-inf"),
        _ if value == 0.0 && value.is_sign_negative() => json!("-0"),
        _ => json!(value),
    }
}

/// A row as an object by field name.
pub fn row(fields: &[FieldDef], bytes: &[u8]) -> Value {
    object(fields, bytes, 0)
}

fn object(fields: &[FieldDef], row: &[u8], mut at: usize) -> Value {
    let mut object = Map::new();
    for field in fields {
        object.insert(field.name.clone(), value(&field.ty, row, at));
        at += field.ty.size() as usize;
    }
    Value::Object(object)
}

fn word(row: &[u8], at: usize) -> usize {
    u32::from_le_bytes(row[at..at + 4].try_into().unwrap()) as usize
}

fn value(ty: &Type, row: &[u8], at: usize) -> Value {
    let bytes = |len: usize| &row[at..at + len];
    let elements = |of: &Type, at: usize, len: usize| {
        let stride = of.size() as usize;
        if *of == Type::U8 {
            return json!(hex(&row[at..at + len]));
        }
        (0..len).map(|index| value(of, row, at + index * stride)).collect()
    };
    match ty {
        Type::Bool => json!(row[at] == 1),
        Type::Identity => json!(hex(bytes(32))),
        Type::Enum(of) => {
            let mut word = [0; 4];
            word[..of.size as usize].copy_from_slice(bytes(of.size as usize));
            json!(u32::from_le_bytes(word))
        }
        Type::Array(of, len) => elements(of, at, *len as usize),
        Type::Struct(of) => object(&of.fields, row, at),
        Type::String => json!(str::from_utf8(&row[word(row, at)..][..word(row, at + 4)]).unwrap()),
        Type::List(of) => elements(of, word(row, at), word(row, at + 4)),
        Type::Option(of) => match word(row, at + 4) {
            0 => Value::Null,
            _ => value(of, row, word(row, at)),
        },
        plain => {
            let (lane, lanes) = plain.lanes().unwrap();
            let size = plain.size() as usize / usize::from(lanes);
            let mut lanes: Vec<Value> =
                bytes(plain.size() as usize).chunks(size).map(|of| number(lane, of)).collect();
            if lanes.len() == 1 { lanes.remove(0) } else { Value::Array(lanes) }
        }
    }
}

fn number(lane: Lane, bytes: &[u8]) -> Value {
    match lane {
        Lane::U8 => json!(bytes[0]),
        Lane::I8 => json!(bytes[0] as i8),
        Lane::U16 => json!(u16::from_le_bytes(bytes.try_into().unwrap())),
        Lane::I16 => json!(i16::from_le_bytes(bytes.try_into().unwrap())),
        Lane::U32 => json!(u32::from_le_bytes(bytes.try_into().unwrap())),
        Lane::I32 => json!(i32::from_le_bytes(bytes.try_into().unwrap())),
        Lane::U64 => json!(u64::from_le_bytes(bytes.try_into().unwrap()).to_string()),
        Lane::I64 => json!(i64::from_le_bytes(bytes.try_into().unwrap()).to_string()),
        Lane::F32 => float(f32::from_le_bytes(bytes.try_into().unwrap()).into()),
        Lane::F64 => float(f64::from_le_bytes(bytes.try_into().unwrap())),
    }
}

/// What a frame did, sorted by row type and entity.
pub fn changes(description: &ModuleDescription, changes: &Changes) -> Value {
    let mut sorted: Vec<_> = changes.iter().collect();
    sorted.sort_by_key(|change| (change.row, change.entity));
    sorted
        .iter()
        .map(|change| {
            let def = &description.rows[change.row as usize];
            json!({
                "change": match change.kind {
                    ChangeKind::Inserted => "inserted",
                    ChangeKind::Updated => "updated",
                    ChangeKind::Removed => "removed",
                },
                "row": def.name,
                "entity": change.entity.0.to_string(),
                "old": change.old.map(|old| row(&def.fields, old)),
            })
        })
        .collect()
}

pub fn events(description: &ModuleDescription, changes: &Changes) -> Value {
    let event = |event: evertick_protocol::Event<'_>| {
        let def = &description.rows[event.row as usize];
        json!({ "row": def.name, "value": row(&def.fields, event.bytes) })
    };
    changes.events().map(event).collect()
}

pub fn results(changes: &Changes) -> Value {
    let result = |reply: &evertick_protocol::CallReply| match &reply.result {
        CallOutcome::Ok(payload) => json!({ "seq": reply.seq, "status": "ok", "payload": hex(payload) }),
        CallOutcome::Refused { variant, message, fields } => json!({
            "seq": reply.seq, "status": "refused", "variant": variant, "message": message, "fields": hex(fields),
        }),
        CallOutcome::Failed { code, message, id } => json!({
            "seq": reply.seq, "status": "failed", "code": *code as u8, "message": message, "id": id.to_string(),
        }),
    };
    changes.results.iter().map(result).collect()
}

pub fn queries(changes: &Changes) -> Value {
    let answer = |reply: &QueryReply| match &reply.outcome {
        QueryOutcome::Applied { topics } => {
            let topics: Vec<u32> = topics.iter().map(|topic| topic.0).collect();
            json!({ "query": reply.query, "status": "applied", "topics": topics })
        }
        QueryOutcome::Refused { message } => {
            json!({ "query": reply.query, "status": "refused", "message": message })
        }
        QueryOutcome::Explained { plan } => {
            json!({ "query": reply.query, "status": "explained", "plan": plan })
        }
    };
    changes.queries.iter().map(answer).collect()
}

/// What has become of states.
pub fn state_stats(replica: &Replica) -> Value {
    let stats = replica.state_stats();
    json!({
        "messages_applied": stats.messages_applied,
        "messages_stale": stats.messages_stale,
        "messages_malformed": stats.messages_malformed,
        "rows_applied": stats.rows_applied,
        "rows_skipped": stats.rows_skipped,
    })
}

/// All that a replica holds.
pub fn rows(description: &ModuleDescription, replica: &Replica) -> Value {
    let mut all = Map::new();
    for (number, def) in description.rows.iter().enumerate() {
        let mut rows: Vec<(EntityId, &[u8])> = replica.rows(number as u32).collect();
        rows.sort_by_key(|(entity, _)| *entity);
        if !rows.is_empty() {
            let rows = rows.iter().map(|(entity, bytes)| (entity.0.to_string(), row(&def.fields, bytes)));
            all.insert(def.name.clone(), Value::Object(rows.collect()));
        }
    }
    Value::Object(all)
}
