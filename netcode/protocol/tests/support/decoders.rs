//! Every decoder, called with bytes of any kind. Property tests and fuzz targets share these.

use std::sync::LazyLock;

use evertick_protocol::{
    BlockReader, ChangeKind, Changes, ClientMessage, Replica, ServerMessage, TopicKind, WireSchema,
};
use evertick_schema::{EntityId, ModuleDescription, check_row};

use super::description::kinds;
use super::{Stage, frame};

/// A client's message: what can be read is written as the same bytes.
pub fn client_message(bytes: &[u8]) {
    if let Ok(message) = ClientMessage::decode(bytes) {
        let mut again = Vec::new();
        message.encode(&mut again);
        assert_eq!(again, bytes);
    }
}

/// A server's message other than a frame. (Unknown close codes are read as internal.)
pub fn server_message(bytes: &[u8]) {
    match ServerMessage::decode(bytes) {
        Ok(ServerMessage::Closed(_)) | Err(_) => {}
        Ok(message) => {
            let mut again = Vec::new();
            message.encode(&mut again);
            assert_eq!(again, bytes);
        }
    }
}

/// A block's sections.
pub fn block(bytes: &[u8]) {
    let schema = WireSchema::new(&kinds().rows).unwrap();
    let mut reader = BlockReader::new();
    if reader.begin(bytes).is_ok() {
        while let Ok(Some(_)) = reader.next_section(&schema) {}
    }
}

/// A frame's body, applied to a replica that knows two topics.
pub fn changed_frame(bytes: &[u8]) {
    apply_any(&mut populated(), bytes);
}

/// A snapshot: the bytes are the block of the one topic entered. Topic 1 is known already.
pub fn snapshot(bytes: &[u8]) {
    let mut body = vec![1, 1];
    body.extend_from_slice(&[0; 8]);
    body.extend_from_slice(&[0, 1]);
    let mut len = bytes.len();
    while len >= 0x80 {
        body.push(len as u8 | 0x80);
        len >>= 7;
    }
    body.push(len as u8);
    body.extend_from_slice(bytes);
    body.extend_from_slice(&[0, 0, 0, 0]);
    apply_any(&mut populated(), &body);
}

/// States of a frame near the replica's, which knows two topics. Whatever they are, it goes on with valid rows.
pub fn states(bytes: &[u8]) {
    let mut replica = populated();
    let message = [&[0x85, 0xcb, 0x01, 0x65][..], bytes].concat();
    let mut changes = Changes::new();
    let before: Vec<usize> = (0..replica.schema().rows().len()).map(|row| replica.len(row as u32)).collect();
    let applied = replica.apply_state(super::states(&message), &mut changes);
    assert!(replica.broken().is_none());
    assert_eq!(replica.state_stats().messages_malformed, u64::from(applied.is_err()));
    assert!(changes.iter().all(|change| change.kind == ChangeKind::Updated));
    for (row, len) in before.into_iter().enumerate() {
        assert_eq!(replica.len(row as u32), len);
    }
    check_rows(&replica);
}

/// Arguments of calls and inputs, which are rows; and rows of all types.
pub fn arguments(bytes: &[u8]) {
    for codec in populated().schema().rows() {
        let _refused = check_row(&codec.layout, bytes);
    }
}

/// A module's description, as a Welcome brings it: what can be read is written so that it means the same, and has rows that can be read.
pub fn description(bytes: &[u8]) {
    if let Ok(description) = ModuleDescription::from_json(bytes) {
        let again = ModuleDescription::from_json(&description.to_json()).unwrap();
        assert_eq!(again, description);
        if description.check().is_ok() {
            let _too_much = Replica::new(&description);
        }
    }
}

/// A replica with rows of some types in topics 1 and 2.
fn populated() -> Replica {
    static REPLICA: LazyLock<Replica> = LazyLock::new(populate);
    REPLICA.clone()
}

fn populate() -> Replica {
    let mut replica = Replica::with_bytes_max(&kinds(), 1 << 20).unwrap();
    replica.apply(frame(&populating()), &mut Changes::new()).unwrap();
    replica
}

/// The message that brings topics 1 and 2 with their rows.
pub fn populating() -> Vec<u8> {
    let description = kinds();
    let mut stage = Stage::new(&description);
    for topic in [1, 2] {
        stage.enter(topic, TopicKind::Everyone, |writer, schema| {
            let entity = |slot: u32| (slot, EntityId(u64::from(slot + topic * 100)));
            writer.enter(&[entity(0), entity(1), entity(5)]);
            for (row, codec) in schema.rows().iter().enumerate().filter(|(_, codec)| !codec.event) {
                let zeros = vec![0; codec.layout.size as usize];
                if check_row(&codec.layout, &zeros).is_ok() {
                    writer.rows(schema, row as u32, codec.all_fields, &[0, 1], |_| &zeros);
                }
            }
        });
    }
    stage.send()
}

/// Applies a body of any bytes. Afterwards the replica is broken, or all it holds is valid.
fn apply_any(replica: &mut Replica, body: &[u8]) {
    let mut message = vec![0x82];
    message.extend_from_slice(body);
    let mut changes = Changes::new();
    if replica.apply(frame(&message), &mut changes).is_err() {
        assert!(replica.broken().is_some());
        assert_eq!(changes.iter().count(), 0);
        return;
    }
    check_rows(replica);
    for event in changes.events() {
        check_row(&replica.schema().row(event.row).layout, event.bytes).unwrap();
    }
}

fn check_rows(replica: &Replica) {
    for (row, codec) in replica.schema().rows().iter().enumerate() {
        for (_, bytes) in replica.rows(row as u32) {
            check_row(&codec.layout, bytes).unwrap();
        }
    }
}
