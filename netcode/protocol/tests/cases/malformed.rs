//! Bytes that nobody may accept. Blanks in the hex are for the eye.

use evertick_protocol::TopicKind;
use evertick_schema::EntityId;

use super::frames::scalars;
use crate::support::Stage;
use crate::support::description::{CLOCK, POSITION, SCALARS, TAG, kinds};
use crate::support::json::unhex;

/// What it is, what it is read as, and the bytes.
pub fn all() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let schema = "ab".repeat(32);
    let client = [
        ("nothing", String::new()),
        ("an unknown kind", "09".into()),
        ("a server's kind", "82".into()),
        ("a hello without token", format!("01 01 {schema} 00")),
        ("a hello with unknown flags", format!("01 01 {schema} 04 00")),
        ("a token longer than the message", format!("01 01 {schema} 00 05 616263")),
        ("a token of 4097 bytes", format!("01 01 {schema} 00 8120 {}", "61".repeat(4097))),
        ("a call with bytes behind", "02 01 00 00 0a".into()),
        ("a call with fewer bytes than it says", "02 01 00 02 01".into()),
        ("a sequence number of 33 bits", "02 8080808010 00 00".into()),
        ("a varint in a longer form", "02 8100 00 00".into()),
        ("a varint of 65 bits", "02 ffffffffffffffffff02 00 00".into()),
        ("a short ping", "03 00000000000000".into()),
        ("a ping without results", "03 0000000000000000".into()),
        ("a resume without its session", format!("01 01 {schema} 02 00 0100000000000000")),
        ("no inputs", "05 09 00".into()),
        ("17 inputs", format!("05 7f 11 {}", "000000".repeat(17))),
        ("an input from before the world began", "05 01 02 00 00 00 02 00 00".into()),
        ("inputs that do not go newest first", "05 09 02 01 00 00 00 00 00".into()),
        ("an input's arguments of 1025 bytes", format!("05 09 01 00 00 8108 {}", "00".repeat(1025))),
        ("a report with a value missing", "06 01 02 03 04 05".into()),
        ("a query that is not UTF-8", "07 01 02 c328".into()),
        ("a query of 4097 bytes", format!("07 01 8120 {}", "61".repeat(4097))),
        ("an unsubscribe without its query", "08".into()),
        ("a bye with more", "04 00".into()),
    ];
    let time = "0000000000000000";
    let half = "cd".repeat(16);
    let welcome = |flags: &str| format!("81 01 {flags} {time} {half} {schema} 00 00 {time} {schema} 00 00");
    let server = [
        ("nothing", String::new()),
        ("a client's kind", "02".into()),
        ("a pong without its cost", format!("83 {time} 00 {time}")),
        ("a pong with an unknown flag", format!("83 {time} 00 {time} 00 02")),
        ("a pong without its slack", format!("83 {time} 00 {time} 00 01")),
        ("states without a tick", "85 01".into()),
        ("a close with text that is not UTF-8", "84 0100 02 c328".into()),
        ("a close with more", "84 0100 00 00".into()),
        ("a welcome with unknown flags", welcome("04")),
        ("a welcome without its description", welcome("01")),
    ];
    let client = client.into_iter().map(|(what, hex)| (what, "client", bytes(&hex)));
    let server = server.into_iter().map(|(what, hex)| (what, "server", bytes(&hex)));
    let frames = parts().into_iter().map(|(what, hex)| (what, "frame", frame(hex)));
    let sections = sections().into_iter().map(|(what, hex)| (what, "frame", snapshot(hex)));
    let rows = rows().into_iter().map(|(what, hex)| (what, "frame", snapshot(&format!("02 02 05 04 {hex}"))));
    let states = states().into_iter().map(|(what, hex)| (what, "state", bytes(&format!("85 cb01 65 {hex}"))));
    client.chain(server).chain(frames).chain(sections).chain(rows).chain(states).collect()
}

/// The frame that a replica has applied before it is shown a malformed state: entity 2 is in slot 5 of topic 1 and has a
/// Tag, a Position, Scalars and a Clock.
pub fn known() -> Vec<u8> {
    let mut stage = Stage::new(&kinds());
    stage.enter(1, TopicKind::Everyone, |writer, schema| {
        writer.enter(&[(5, EntityId(2))]);
        let mut set = |number: u32, row: &[u8]| writer.rows(schema, number, u64::MAX, &[5], |_| row);
        set(TAG, &[]);
        set(CLOCK, &[0; 4]);
        set(POSITION, &[0; 12]);
        set(SCALARS, &scalars(1));
    });
    stage.send()
}

fn states() -> Vec<(&'static str, &'static str)> {
    vec![
        ("a State without a state", ""),
        ("a state longer than its message", "09 01"),
        ("a state without a topic", "00"),
        ("a state with an entity that leaves", "04 01 01 02 05"),
        ("a state with an entity that enters", "05 01 02 02 06 04"),
        ("a state with a row that is removed", "05 01 04 03 02 05"),
        ("a state with events", "04 01 05 06 00"),
        ("a state of rows with tails", "0b 01 03 04 02 05 01 00 01000000"),
        ("a state of a row type that is not there", "06 01 03 7f 02 05 00"),
        ("a state with a field that is not there", "06 01 03 00 02 05 04"),
        ("a state with a column that is too short", "09 01 03 05 02 05 01 00 0000"),
        ("a state with a bool that is 2", "0a 01 03 01 02 05 808001 00 02"),
        ("a state with more in it", "0c 01 03 05 02 05 01 00 00000000 00"),
    ]
}

fn bytes(hex: &str) -> Vec<u8> {
    unhex(&hex.replace(' ', ""))
}

/// Frame 1, of tick 1 at time 0.
fn frame(hex: &str) -> Vec<u8> {
    bytes(&format!("82 01 01 0000000000000000 {hex}"))
}

/// A frame with one snapshot, of topic 1 (everyone, roster version 0), of these sections.
fn snapshot(sections: &str) -> Vec<u8> {
    let len = 5 + bytes(sections).len();
    assert!(len < 128, "the length must fit one byte");
    frame(&format!("00 01 {len:02x} 01 01 0000 03 {sections} 00 00 00 00"))
}

fn parts() -> Vec<(&'static str, &'static str)> {
    vec![
        ("a frame without queries", "00 00 00 00 00"),
        ("a frame with more", "00 00 00 00 00 00 00"),
        ("a topic changes that was never entered", "00 00 01 04 01 00 0000 00 00 00"),
        ("more topics than bytes", "ff0f"),
        ("a snapshot among the changes", "00 00 01 05 01 01 0000 03 00 00 00"),
        ("a change among the snapshots", "00 01 04 01 00 0000 00 00 00 00 00"),
        ("unknown block flags", "00 01 05 01 05 0000 03 00 00 00 00"),
        ("a compressed change", "00 00 01 05 01 02 0000 00 00 00 00"),
        ("an unknown kind of topic", "00 01 05 01 01 0000 06 00 00 00 00"),
        ("a block longer than the frame", "00 01 0d 01 01 0000 03 00 00 00 00"),
        ("a block without a version", "00 01 03 01 01 00 00 00 00 00"),
        ("an unknown result status", "00 00 00 00 01 01 03 01 00 00"),
        ("a refusal without message", "00 00 00 00 01 01 01 02 0000 00"),
        ("a failure with more", "00 00 00 00 01 01 02 0b 06 00 0000000000000000 00 00"),
        ("an unknown query status", "00 00 00 00 00 01 01 03 00"),
        ("a query's text that is not UTF-8", "00 00 00 00 00 01 01 01 02 c328"),
        ("a query's topics that are cut off", "00 00 00 00 00 01 01 00 01 80"),
        ("a snapshot that is compressed to nothing", "00 01 06 01 03 0000 03 05 00 00 00 00"),
        ("a snapshot compressed by more than can be", "00 01 0a 01 03 0000 03 ff7f 030000 00 00 00 00"),
        ("a snapshot shorter than it says", "00 01 08 01 03 0000 03 02 0300 00 00 00 00"),
        ("a snapshot longer than it says", "00 01 0c 01 03 0000 03 00 010100feff06 00 00 00 00"),
        ("a snapshot's compression that is no DEFLATE", "00 01 08 01 03 0000 03 02 07ff 00 00 00 00"),
    ]
}

fn sections() -> Vec<(&'static str, &'static str)> {
    vec![
        ("an unknown section", "06"),
        ("entity 0", "02 02 05 00"),
        ("a slot above the limit", "02 02 808040 04"),
        ("a bitmap with more bits than it says", "02 05 00 01 07 02 02 02"),
        ("a bitmap that reaches above the limit", "02 03 ffff3f 01 02 02"),
        ("more slots than bytes", "02 c0843d 00"),
        ("a free slot leaves", "01 02 05"),
        ("a row in a free slot", "03 03 02 05 00"),
        ("a row leaves a free slot", "04 03 02 05"),
    ]
}

/// Behind an ENTER of entity 2 in slot 5.
fn rows() -> Vec<(&'static str, &'static str)> {
    vec![
        ("a slot taken twice", "02 02 05 06"),
        ("a row type that is not there", "03 7f 02 05 00"),
        ("an event type as row", "03 06 02 05 00"),
        ("a row type as event", "05 00 00"),
        ("a field that is not there", "03 00 02 05 04"),
        ("a part of a row that is not there", "03 00 02 05 01 00 0000000000000000"),
        ("an unknown encoding", "03 00 02 05 03 07"),
        ("varints of a quantized field", "03 00 02 05 03 02 00 00 00 00000000"),
        ("an opaque flat field", "03 00 02 05 03 03 00 00 00000000"),
        ("a packed float that is not quantized", "03 05 02 05 01 01 00 00"),
        ("a raw column that is too short", "03 00 02 05 03 00 0000000000"),
        ("a width of 33 bits", "03 00 02 05 03 01 21 00"),
        ("a base beyond i32", "03 00 02 05 03 01 00 8080808010 00 00 00 00000000"),
        ("a varint beyond u32", "03 04 02 05 03 02 8080808010 03 00"),
        ("a packed number beyond u32", "03 04 02 05 03 01 01 ffffffff0f 01 03 00"),
        ("an event without its bytes", "05 07 01 10"),
        ("an event that is too short", "05 07 01 00"),
        ("text that is not UTF-8", "03 04 02 05 03 00 07000000 03 02 02 c328"),
        (
            "a list with a bool that is 2",
            "03 02 02 05 ff03 0300 0300 0300 0000000000 0300 0300 0300 0300 03 01 01 02",
        ),
        (
            "a tail shorter than its list",
            "03 02 02 05 ff03 0300 0300 0300 0000000000 0300 0300 0300 0300 03 02 01 01",
        ),
        (
            "a tail longer than its list",
            "03 02 02 05 ff03 0300 0300 0300 0000000000 0300 0300 0300 0300 03 01 02 0101",
        ),
        ("an option of two", "03 02 02 05 ff03 0300 0300 03 02 02 6162 0000000000 0300 0300 0300 0300 0300"),
        (
            "a nested tail that is not where it must be",
            "03 02 02 05 ff03 0300 03 01 09 12000000 01000000 61 0300 0000000000 0300 0300 0300 0300 0300",
        ),
    ]
}
