//! Frames that a replica applies.

use std::f32::consts::PI;

use bytes::Bytes;
use evertick_protocol::{BlockWriter, CallOutcome, FailCode, TopicKind, WireSchema};
use evertick_schema::{Duration, EntityId, Identity, ModuleDescription, Timestamp};

use crate::support::description::{
    CLOCK, DEF, FLOATS, HIT, POSITION, SAID, SCALARS, SHAPES, TAG, TEXTS, kinds,
};
use crate::support::{Stage, row};

pub type Case = (&'static str, ModuleDescription, Vec<Vec<u8>>);

pub fn all() -> Vec<Case> {
    [
        ("kinds", kinds_of_rows as fn(&mut Stage) -> Vec<Vec<u8>>),
        ("quantized", quantized),
        ("encodings", encodings),
        ("topics", topics),
        ("results", results),
    ]
    .map(|(name, play)| (name, kinds(), play(&mut Stage::new(&kinds()))))
    .into()
}

pub fn position(x: f32, y: f32, facing: f32) -> Vec<u8> {
    row(&[&[x, y], &facing])
}

/// All fields of `rows`, in slots from 0 on.
pub fn set(writer: &mut BlockWriter, schema: &WireSchema, number: u32, rows: &[Vec<u8>]) {
    let slots: Vec<u32> = (0..rows.len() as u32).collect();
    put(writer, schema, number, u64::MAX, &slots, rows);
}

/// Some fields of `rows`.
pub fn put(
    writer: &mut BlockWriter,
    schema: &WireSchema,
    number: u32,
    mask: u64,
    slots: &[u32],
    rows: &[Vec<u8>],
) {
    writer.rows(schema, number, mask, slots, |index| &rows[index]);
}

pub fn entities(ids: &[u64]) -> Vec<(u32, EntityId)> {
    (0..).zip(ids.iter().copied().map(EntityId)).collect()
}

pub fn scalars(seed: i64) -> Vec<u8> {
    row(&[
        &(seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15),
        &(seed * -1_000_000_007),
        &EntityId::new(3, seed as u64 + 1),
        &Timestamp(1_700_000_000_000_000 + seed),
        &Duration(-seed),
        &(seed as u32 * 65_537),
        &(-seed as i32),
        &if seed % 2 == 0 { 1u32 } else { 70_000 },
        &(seed as u16),
        &(-seed as i16),
        &if seed % 3 == 0 { 0u16 } else { 300 },
        &[0u8, 1, 2, 9][seed as usize % 4],
        &(seed as u8),
        &(-seed as i8),
        &(seed % 2 == 1),
        &[seed as u8, 255],
    ])
}

fn texts(name: &str, tags: &[&str], note: Option<&str>) -> Vec<u8> {
    let deep =
        tags.iter().map(|tag| vec![None, Some(tag.to_string()), Some(String::new())]).collect::<Vec<_>>();
    row(&[
        &name.to_string(),
        &tags.iter().map(ToString::to_string).collect::<Vec<_>>(),
        &note.map(str::to_string),
        &(name.len() as u32),
        &(0..tags.len()).map(|step| [step as f32, -0.5]).collect::<Vec<_>>(),
        &name.as_bytes().to_vec(),
        &deep,
        &note.map(|note| EntityId(note.len() as u64)),
        &tags.iter().map(|tag| tag.len() > 2).collect::<Vec<_>>(),
    ])
}

fn floats(of: f32) -> Vec<u8> {
    row(&[
        &f64::from(of),
        &f64::from(of * 7.0),
        &of,
        &of,
        &[of, -of, of * 2.0],
        &[0f32, of / 100.0, 0.0, 1.0],
        &0f32,
    ])
}

fn shapes(of: i32) -> Vec<u8> {
    let pair = |of: i32| {
        (of as u16).to_le_bytes().into_iter().chain([(of & 1) as u8, -of as u8]).collect::<Vec<_>>()
    };
    let pairs: [u8; 12] = [pair(of), pair(of + 1), pair(of + 2)].concat().try_into().unwrap();
    row(&[
        &[of, -of],
        &[of as u32, 0, u32::MAX],
        &[of as f32, 0.5, -0.0, f32::INFINITY],
        &[of, of + 1, of + 2],
        &[0u32, 1, 2, of as u32],
        &pairs,
        &Identity([of as u8; 32]),
    ])
}

/// Every type of field, inserted, updated in part, removed; events.
fn kinds_of_rows(stage: &mut Stage) -> Vec<Vec<u8>> {
    stage.enter(1, TopicKind::Cell { space: 2, x: -7, y: 8 }, |writer, schema| {
        writer.enter(&entities(&[10, 11, 12]));
        set(writer, schema, POSITION, &[position(1.0, 2.0, 0.5), position(-3.5, 70.0, -0.5)]);
        set(writer, schema, SCALARS, &[scalars(0), scalars(1), scalars(77)]);
        set(
            writer,
            schema,
            TEXTS,
            &[texts("", &[], None), texts("Änne", &["a", "", "long"], Some("…")), texts("Bo", &["x"], None)],
        );
        set(writer, schema, TAG, &[vec![], vec![]]);
        set(writer, schema, FLOATS, &[floats(0.0), floats(1.25), floats(-2.0)]);
        set(writer, schema, SHAPES, &[shapes(0), shapes(5), shapes(-9)]);
    });
    stage.enter(2, TopicKind::Everyone, |writer, schema| {
        writer.enter(&entities(&[20, 21, 22]));
        let def = |kind: u32, name: &str| row(&[&kind, &name.to_string()]);
        set(writer, schema, DEF, &[def(1, "tree"), def(2, "rock")]);
        put(writer, schema, CLOCK, 1, &[2], &[row(&[&6.5f32])]);
    });
    stage.enter(3, TopicKind::Owner, |_, _| {});
    stage.enter(4, TopicKind::Group(u64::MAX), |_, _| {});
    let first = stage.send();
    stage.change(1, |writer, schema| {
        put(writer, schema, POSITION, 0b10, &[1], &[position(0.0, 0.0, 3.0)]);
        put(writer, schema, SCALARS, 0b101_0000_0000_0101, &[0, 2], &[scalars(5), scalars(6)]);
        put(
            writer,
            schema,
            TEXTS,
            0b1_0100_0010,
            &[0, 1, 2],
            &[texts("-", &["new", "of all"], None), texts("-", &[], None), texts("-", &["y", "zz"], None)],
        );
        put(writer, schema, FLOATS, 0b1000, &[1], &[floats(f32::NAN)]);
        writer.remove(TAG, &[0]);
        let said = |by: u64, text: &str| row(&[&EntityId(by), &text.to_string()]);
        let said = [said(10, "hello"), said(11, ""), said(10, "🦀")];
        writer.events(SAID, said.iter().map(Vec::as_slice));
    });
    stage.change(2, |writer, schema| {
        put(writer, schema, DEF, 0b10, &[1], &[row(&[&0u32, &"boulder".to_string()])]);
        let hit = row(&[&[-1i32, i32::MAX], &0.1f64]);
        writer.events(HIT, [hit.as_slice()].into_iter());
    });
    let second = stage.send();
    stage.change(1, |writer, schema| {
        writer.leave(&[0, 2]);
        put(writer, schema, TAG, u64::MAX, &[1], &[vec![]]); // is there already
        put(writer, schema, TEXTS, 0b1000_0000, &[1], &[texts("", &[], Some("12345678"))]);
    });
    vec![first, second, stage.send()]
}

/// Positions and angles; values that can't be quantized make their column exact.
fn quantized(stage: &mut Stage) -> Vec<Vec<u8>> {
    let ids: Vec<u64> = (1..=50).collect();
    let wander = |step: f32| -> Vec<Vec<u8>> {
        let at = |n: f32| position(n * 1.27 + step, 64.0 - n * n * 0.02 - step, n * 0.7 - 9.0 * step);
        (0..50).map(|n| at(n as f32)).collect()
    };
    stage.enter_cell(1, |writer, schema| {
        writer.enter(&entities(&ids));
        set(writer, schema, POSITION, &wander(0.0));
    });
    let mut messages = vec![stage.send()];
    let mut change = |rows: &[Vec<u8>], first: u32, number: u32| {
        let slots: Vec<u32> = (first..).take(rows.len()).collect();
        stage.change(1, |writer, schema| {
            put(writer, schema, number, u64::MAX, &slots, rows);
            if rows.len() == 50 {
                writer.leave(&slots[20..]);
            }
        });
        messages.push(stage.send());
    };
    change(&wander(0.37), 0, POSITION);
    change(&[position(-1000.01, -0.01, PI), position(-999.99, -0.009, -PI)], 3, POSITION);
    change(&[position(0.0, -0.0, 2.0 * PI), position(-0.0, 0.0, -2.0 * PI)], 3, POSITION);
    change(&[position(1.0, f32::NAN, 1.0), position(1.0, 1.0, 1.0)], 10, POSITION);
    change(&[position(5e7, 0.0, f32::INFINITY), position(1.0, 1.003, 1.0)], 10, POSITION);
    change(&[position(4e7, -4e7, 1e6), position(0.0, 0.0, -1e6)], 10, POSITION);
    change(&[floats(63.5), floats(-64.0), floats(0.3)], 0, FLOATS);
    change(&[floats(63.75), floats(1.0)], 0, FLOATS);
    change(&[floats(-70.0), floats(9e4)], 0, FLOATS);
    change(&[floats(f32::NAN)], 0, FLOATS);
    messages
}

/// Numbers for which each encoding is the smallest, and slots and ids in all their forms.
fn encodings(stage: &mut Stage) -> Vec<Vec<u8>> {
    let ids: Vec<(u32, EntityId)> = (0..30u32)
        .map(|n| (n * 3 % 7 + n * 7, EntityId::new((n % 3) as u16 * 0x7fff, u64::from(n) + 1)))
        .collect();
    let slots: Vec<u32> = ids.iter().map(|(slot, _)| *slot).collect();
    assert!(slots.is_sorted());
    stage.enter_cell(1, |writer, schema| {
        writer.enter(&ids);
        let rows: Vec<Vec<u8>> = (0..30).map(scalars).collect();
        put(writer, schema, SCALARS, u64::MAX, &slots, &rows);
    });
    let mut messages = vec![stage.send()];
    let column = |values: &[u32]| -> Vec<Vec<u8>> {
        values
            .iter()
            .map(|value| {
                let mut row = scalars(1);
                row[40..44].copy_from_slice(&value.to_le_bytes());
                row
            })
            .collect()
    };
    let wide = |values: &[u64]| -> Vec<Vec<u8>> {
        values
            .iter()
            .map(|value| {
                let mut row = scalars(1);
                row[..16].copy_from_slice(&[value.to_le_bytes(), value.to_le_bytes()].concat());
                row
            })
            .collect()
    };
    let mut change = |rows: Vec<Vec<u8>>, mask: u64, slots: &[u32]| {
        stage.change(1, |writer, schema| put(writer, schema, SCALARS, mask, slots, &rows));
        messages.push(stage.send());
    };
    change(column(&[7; 30]), 1 << 5, &slots); // packed, no bits at all
    change(column(&[u32::MAX, 0, 1, 2, 3, 4, 5, 6]), 1 << 5, &slots[..8]); // varints
    change(column(&[0x8000_0000, 0xffff_ffff, 0x8123_4567]), 1 << 5, &slots[7..10]); // raw
    change(column(&[0, 0xffff_fff0, 0xffff_ffff]), 1 << 5, &slots[20..23]);
    change(wide(&[0, u64::MAX, 1 << 63]), 0b11, &slots[..3]);
    change(wide(&[(1 << 63) - 1, 1 << 63, (1 << 63) + 1]), 0b11, &[slots[0], slots[15], slots[29]]);
    change(wide(&[u64::MAX - 2, u64::MAX, u64::MAX - 1]), 0b11, &[slots[0], slots[1], slots[29]]);
    stage.change(1, |writer, _| {
        writer.leave(&slots[5..28]);
        let far: Vec<(u32, EntityId)> =
            [300_000, 1_000_000, (1 << 20) - 1].map(|slot| (slot, EntityId(slot.into()))).into();
        writer.enter(&far);
    });
    messages.push(stage.send());
    messages
}

/// Entities that cross between topics, in either order of the blocks; topics that go, come and are replaced.
fn topics(stage: &mut Stage) -> Vec<Vec<u8>> {
    let at = |x: f32| position(x, 1.0, 0.0);
    for (topic, ids) in [(1, [1, 2, 3]), (2, [11, 12, 13]), (3, [21, 22, 23])] {
        stage.enter_cell(topic, |writer, schema| {
            writer.enter(&entities(&ids));
            set(writer, schema, POSITION, &[at(1.0), at(2.0), at(3.0)]);
            set(writer, schema, TAG, &[vec![], vec![]]);
        });
    }
    let mut messages = vec![stage.send()];
    // Entity 1 crosses from 1 to 2, entity 12 from 2 to 1: one finds its row gone, the other held elsewhere.
    // Entity 2 crosses and loses its tag. Entity 11 crosses without any change of what is seen.
    stage.change(1, |writer, schema| {
        writer.leave(&[0, 1]);
        writer.enter(&[(3, EntityId(12))]);
        put(writer, schema, POSITION, u64::MAX, &[3], &[at(12.5)]);
        put(writer, schema, TAG, u64::MAX, &[3], &[vec![]]);
    });
    stage.change(2, |writer, schema| {
        writer.leave(&[0, 1]);
        writer.enter(&[(3, EntityId(1)), (4, EntityId(2))]);
        put(writer, schema, POSITION, u64::MAX, &[3, 4], &[at(1.5), at(2.5)]);
        put(writer, schema, TAG, u64::MAX, &[3], &[vec![]]);
    });
    stage.change(3, |writer, schema| {
        writer.enter(&[(7, EntityId(11))]);
        put(writer, schema, POSITION, u64::MAX, &[7], &[at(1.0)]);
        put(writer, schema, TAG, u64::MAX, &[7], &[vec![]]);
    });
    messages.push(stage.send());
    // What a topic may do to rows that it does not hold: nothing, but set them whole.
    stage.change(2, |writer, schema| {
        writer.enter(&[(9, EntityId(3))]);
        writer.remove(POSITION, &[9]);
        writer.remove(TAG, &[2]);
        put(writer, schema, TAG, u64::MAX, &[9], &[vec![]]);
    });
    messages.push(stage.send());
    // Inserted and removed in one frame: nothing happened.
    stage.change(3, |writer, schema| {
        writer.enter(&[(8, EntityId(99))]);
        put(writer, schema, POSITION, u64::MAX, &[8], &[at(9.0)]);
        writer.leave(&[8]);
    });
    stage.reply_ok(1, &[]);
    messages.push(stage.send());
    // A topic goes; an entity of it lives on in a topic that comes. Another is replaced.
    stage.leave(2);
    stage.enter_cell(4, |writer, schema| {
        writer.enter(&entities(&[2, 40]));
        set(writer, schema, POSITION, &[at(2.5), at(40.0)]);
    });
    stage.enter_cell(3, |writer, schema| {
        writer.enter(&entities(&[23, 21]));
        set(writer, schema, POSITION, &[at(3.0), at(77.0)]);
    });
    messages.push(stage.send());
    // Left and entered anew in one frame.
    stage.leave(4);
    stage.enter_cell(4, |writer, schema| {
        writer.enter(&entities(&[40]));
        set(writer, schema, POSITION, &[at(41.0)]);
    });
    messages.push(stage.send());
    stage.leave(1);
    stage.leave(3);
    stage.leave(4);
    messages.push(stage.send());
    messages
}

/// Results of calls.
fn results(stage: &mut Stage) -> Vec<Vec<u8>> {
    stage.reply_ok(1, &[1, 0, 0, 0]);
    stage.reply_ok(2, &[]);
    let fields = Bytes::from(row(&[&4.5f32]));
    stage.reply(3, CallOutcome::Refused { variant: 2, message: "4.5 m is out of reach".into(), fields });
    stage.reply(4, CallOutcome::Refused { variant: u16::MAX, message: String::new(), fields: Bytes::new() });
    let code = [
        FailCode::UnknownReducer,
        FailCode::Forbidden,
        FailCode::BadArguments,
        FailCode::RateLimited,
        FailCode::Busy,
        FailCode::Internal,
        FailCode::Storage,
    ];
    for (index, code) in code.into_iter().enumerate() {
        let id = if code == FailCode::Internal { u64::MAX } else { 0 };
        stage
            .reply(u32::MAX - index as u32, CallOutcome::Failed { code, message: format!("{code:?} ✗"), id });
    }
    vec![stage.send()]
}
