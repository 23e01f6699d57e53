#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use evertick_schema::Type;
use proptest::prelude::*;

use super::*;

const ALL: CommandRights = CommandRights { all: true, set: Vec::new() };

/// A component of a bool and three bytes, a table of a string, an event of nothing much; one reducer.
fn rules() -> CommandRules {
    let row = |id, name: &str, kind, fields: &[FieldDef]| RowRule {
        id: RowId(id),
        name: name.into(),
        kind,
        layout: RowLayout::of(fields),
    };
    let flag = [FieldDef::new("on", Type::Bool)];
    CommandRules {
        rows: vec![
            row(10, "m.Flag", RowKind::Component, &flag),
            row(11, "m.Name", RowKind::Table { key: 0 }, &[FieldDef::new("text", Type::String)]),
            row(12, "m.Bang", RowKind::Event, &flag),
        ],
        reducers: vec![("wake".into(), vec![FieldDef::new("who", Type::U32)])],
    }
}

fn u32s(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A record of `op` with `parts` behind it.
fn record(op: u8, parts: &[&[u8]]) -> Vec<u8> {
    [&[op], parts.concat().as_slice()].concat()
}

fn set(row: u32, bytes: &[u8]) -> Vec<u8> {
    record(1, &[&7u64.to_le_bytes(), &u32s(&[row, bytes.len() as u32]), bytes])
}

#[test]
fn every_command_is_read() {
    let wake = [&u32s(&[0, 4])[..], &9u32.to_le_bytes()].concat();
    let buffer = [
        record(0, &[&u32s(&[1, 0, 1]), &[1]]),
        set(0, &[1]),
        record(2, &[&7u64.to_le_bytes(), &u32s(&[0])]),
        record(3, &[&7u64.to_le_bytes()]),
        record(4, &[&u32s(&[2, 1]), &[0]]),
        record(5, &[&u32s(&[1, 8]), &[0; 8]]),
        record(6, &[&5i64.to_le_bytes(), &wake]),
        record(7, &[&wake]),
    ]
    .concat();
    rules().check(&buffer, &ALL).unwrap();
    let commands: Vec<_> = parse(&buffer).map(Result::unwrap).collect();
    let Command::Spawn { rows } = commands[0] else { panic!("{commands:?}") };
    assert_eq!(rows.iter().collect::<Vec<_>>(), [(0, &[1][..])]);
    let entity = EntityId(7);
    assert_eq!(
        commands[1..],
        [
            Command::Set { entity, row: 0, bytes: &[1] },
            Command::Remove { entity, row: 0 },
            Command::Despawn { entity },
            Command::Emit { row: 2, bytes: &[0] },
            Command::Insert { row: 1, bytes: &[0; 8] },
            Command::After { at: Timestamp(5), reducer: 0, args: &9u32.to_le_bytes() },
            Command::Detached { reducer: 0, args: &9u32.to_le_bytes() },
        ]
    );
}

#[test]
fn every_sort_of_nonsense_is_named() {
    let refused =
        |buffer: &[u8], rights: &CommandRights| rules().check(buffer, rights).unwrap_err().to_string();
    for (buffer, says) in [
        (record(8, &[]), "byte 0 is 8"),
        (record(3, &[&[0; 7]]), "ends within the record"),
        (record(0, &[&u32s(&[u32::MAX])]), "ends within the record"),
        (record(4, &[&u32s(&[2, u32::MAX])]), "ends within the record"),
        (set(3, &[1]), "no row type 3"),
        (set(0, &[2]), "m.Flag"),
        (set(0, &[1, 1]), "m.Flag"),
        (set(1, &[8, 0, 0, 0, 1, 0, 0, 0, 0xff]), "UTF-8"),
        (set(2, &[1]), "setting can't be done with m.Bang, which is an event"),
        (record(4, &[&u32s(&[0, 1]), &[1]]), "emitting"),
        (record(5, &[&u32s(&[0, 1]), &[1]]), "inserting"),
        (record(0, &[&u32s(&[1, 1, 8]), &[0; 8]]), "spawning"),
        (record(7, &[&u32s(&[1, 0])]), "no reducer 1"),
        (record(7, &[&u32s(&[0, 0])]), "arguments of wake"),
    ] {
        let error = refused(&buffer, &ALL);
        assert!(error.contains(says), "{error:?} does not say {says:?}");
    }
    let some = CommandRights { all: false, set: vec![RowId(10)] };
    assert_eq!(rules().check(&set(0, &[1]), &some), Ok(()));
    assert!(refused(&set(1, &[0; 8]), &some).contains("neither `Commands` nor write access to m.Name"));
    assert!(refused(&record(3, &[&[0; 8]]), &some).contains("no `Commands` parameter"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever the bytes: an answer, and what passes can be read to the end.
    #[test]
    fn any_bytes_have_an_answer(records in prop::collection::vec((0u8..9, prop::collection::vec(0u8..4, 0..30)), 0..6)) {
        let buffer: Vec<u8> = records.into_iter().flat_map(|(op, rest)| record(op, &[&rest])).collect();
        if rules().check(&buffer, &ALL).is_ok() {
            prop_assert!(parse(&buffer).all(|command| command.is_ok()));
        }
    }
}
