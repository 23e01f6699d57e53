//! What a replica says of streams that are not as they should be, and how frames are packed.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;

use bytes::Bytes;
use evertick_protocol::{
    BlockWriter, Blocks, Change, ChangeKind, Changes, Entered, Frame, ProtocolError, Replica, SessionFrame,
    Snapshot, TopicFrames, TopicId, TopicKind, TopicList, WireSchema, pack_frame,
};
use evertick_schema::{EntityId, ModuleDescription, Timestamp};
use support::description::{CLOCK, DEF, POSITION, TAG, kinds};
use support::{Stage, apply, apply_state, row, state_message, states};

fn position(x: f32) -> Vec<u8> {
    row(&[&[x, 0.0f32], &0f32])
}

fn set_position(writer: &mut BlockWriter, schema: &WireSchema, slot: u32, x: f32) {
    let position = position(x);
    writer.rows(schema, POSITION, u64::MAX, &[slot], |_| &position);
}

/// A stage with topic 1, where entity 7 is at 1, and a replica that knows it.
fn opened() -> (Stage, Replica) {
    let mut stage = Stage::new(&kinds());
    stage.enter(1, TopicKind::Everyone, |writer, schema| {
        writer.enter(&[(0, EntityId(7))]);
        set_position(writer, schema, 0, 1.0);
    });
    let mut replica = Replica::new(&kinds()).unwrap();
    apply(&mut replica, &stage.send()).unwrap();
    (stage, replica)
}

#[test]
fn changes_are_reported_with_the_row_before() {
    let (mut stage, mut replica) = opened();
    assert_eq!(replica.topics().collect::<Vec<_>>(), [(TopicId(1), TopicKind::Everyone)]);
    stage.change(1, |writer, schema| set_position(writer, schema, 0, 5.0));
    let changes = apply(&mut replica, &stage.send()).unwrap();
    let change =
        Change { kind: ChangeKind::Updated, row: POSITION, entity: EntityId(7), old: Some(&position(1.0)) };
    assert_eq!(changes.iter().collect::<Vec<_>>(), [change]);
    assert_eq!(replica.get(POSITION, EntityId(7)), Some(&position(5.0)[..]));
    assert_eq!((replica.len(POSITION), replica.is_empty(TAG), replica.len(999)), (1, true, 0));
    assert_eq!((replica.tick(), replica.time()), (changes.tick, changes.time));
    assert_eq!(replica.get(999, EntityId(7)), None);
}

#[test]
fn a_lost_block_is_noticed() {
    let (mut stage, mut replica) = opened();
    stage.change(1, |writer, _| writer.enter(&[(1, EntityId(8))]));
    let lost = stage.send();
    stage.change(1, |writer, schema| set_position(writer, schema, 0, 2.0));
    let next = stage.send();
    let mut whole = replica.clone();
    apply(&mut whole, &lost).unwrap();
    apply(&mut whole, &next).unwrap();
    let error = ProtocolError::RosterVersion { topic: TopicId(1), want: 0, got: 1 };
    assert_eq!(apply(&mut replica, &next).unwrap_err(), error);
}

#[test]
fn roster_versions_wrap_around() {
    let mut replica = Replica::new(&kinds()).unwrap();
    let mut writer = BlockWriter::new();
    writer.begin_snapshot(TopicId(1), u16::MAX, TopicKind::Owner);
    let own = SessionFrame { entered: vec![entered(1, writer.finish())], ..SessionFrame::default() };
    let mut topics = TopicList::default();
    let mut message = Vec::new();
    assert!(pack_frame(&Frame::default(), Some(&own), &mut topics, &mut message));
    apply(&mut replica, &message).unwrap();
    writer.begin(TopicId(1), u16::MAX);
    assert!(writer.is_empty());
    writer.enter(&[(0, EntityId(1))]);
    assert_eq!((writer.version(), writer.is_empty()), (0, false));
    writer.leave(&[0]);
    assert_eq!(writer.version(), 0);
    let frame = Frame { topics: said([(1, writer.finish())]), ..Frame::default() };
    message.clear();
    assert!(pack_frame(&frame, None, &mut topics, &mut message));
    apply(&mut replica, &message).unwrap();
}

#[test]
fn a_broken_replica_stays_broken() {
    let (mut stage, mut replica) = opened();
    let mut changes = Changes::new();
    stage.change(1, |writer, _| writer.leave(&[3]));
    let bad = stage.send();
    let error = ProtocolError::Slot { topic: TopicId(1), slot: 3 };
    assert_eq!(replica.apply(support::frame(&bad), &mut changes), Err(error.clone()));
    assert_eq!(replica.broken(), Some(&error));
    stage.change(1, |writer, schema| set_position(writer, schema, 0, 2.0));
    let good = stage.send();
    assert_eq!(
        replica.apply(support::frame(&good), &mut changes),
        Err(ProtocolError::Broken(Box::new(error)))
    );
    assert_eq!(changes.iter().count(), 0);
}

#[test]
fn a_part_of_a_row_comes_from_a_holder_only() {
    let (mut stage, mut replica) = opened();
    stage.enter(2, TopicKind::Everyone, |writer, _| writer.enter(&[(4, EntityId(7))]));
    apply(&mut replica, &stage.send()).unwrap();
    stage.change(2, |writer, schema| {
        let position = position(3.0);
        writer.rows(schema, POSITION, 1, &[4], |_| &position);
    });
    let error = apply(&mut replica, &stage.send()).unwrap_err();
    assert_eq!(
        error,
        ProtocolError::NoSuchRow { topic: TopicId(2), row: "Position".into(), entity: EntityId(7) }
    );
}

#[test]
fn a_replica_has_a_limit_that_counts_what_is_held() {
    let mut stage = Stage::new(&kinds());
    let mut replica = Replica::with_bytes_max(&kinds(), 4000).unwrap();
    let text = |len: usize| row(&[&1u32, &"x".repeat(len)]);
    stage.enter(1, TopicKind::Everyone, |writer, _| writer.enter(&[(0, EntityId(1))]));
    apply(&mut replica, &stage.send()).unwrap();
    let mut set = |len: usize, mask: u64| {
        stage.change(1, |writer, schema| {
            let text = text(len);
            writer.rows(schema, DEF, mask, &[0], |_| &text);
        });
        let set = stage.send();
        stage.change(1, |writer, _| writer.remove(DEF, &[0]));
        (set, stage.send())
    };
    // What grows, shrinks and goes is not held for ever.
    for _ in 0..100 {
        for len in [3000, 10, 3500] {
            apply(&mut replica, &set(len, 0b11).0).unwrap();
            apply(&mut replica, &set(len / 2, 0b10).0).unwrap();
        }
        apply(&mut replica, &set(0, 0b11).1).unwrap();
    }
    assert_eq!(
        apply(&mut replica, &set(5000, 0b11).0).unwrap_err(),
        ProtocolError::ReplicaFull { max: 4000 }
    );
}

#[test]
fn bad_descriptions_are_refused() {
    let mut description = kinds();
    description.rows[CLOCK as usize].name = "not a name".into();
    let error = Replica::new(&description).unwrap_err();
    assert!(error.to_string().contains("not a name"), "{error}");
}

#[test]
fn descriptions_survive_their_json() {
    let description = kinds();
    let read = ModuleDescription::from_json(&description.to_json()).unwrap();
    assert_eq!(read, description, "steps must be read to the last bit");
}

/// 50 of the 64 in a cell move: positions to 2 cm.
#[test]
fn a_mover_takes_four_bytes() {
    let schema = WireSchema::new(&kinds().rows).unwrap();
    let slots: Vec<u32> = (0..50).map(|index| index * 64 / 50).collect();
    let mut random = support::random::Random(1);
    let mut within = |cell: f32| cell + (random.next() % 6400) as f32 / 100.0;
    let rows: Vec<Vec<u8>> =
        slots.iter().map(|_| row(&[&[within(1024.0), within(-4096.0)], &0f32])).collect();
    let mut writer = BlockWriter::new();
    writer.begin(TopicId(1000), 0);
    writer.rows(&schema, POSITION, 1, &slots, |index| &rows[index]);
    let block = writer.finish();
    assert!(block.len() <= 50 * 4, "{} bytes", block.len());
}

/// Blocks without content, told apart by their length byte.
fn stub(length: u8) -> Bytes {
    Bytes::copy_from_slice(&[length])
}

/// A State message that moves entity 7.
fn moved(stage: &mut Stage, number: u64, tick: u64, x: f32) -> Vec<u8> {
    let state = stage.state(1, |writer, schema| {
        let position = position(x);
        writer.rows(schema, POSITION, 0b01, &[0], |_| &position);
    });
    state_message(number, tick, &[state])
}

#[test]
fn how_far_a_state_may_be_depends_on_the_tick() {
    let (mut stage, mut replica) = opened();
    let tick = stage.tick();
    let mut moves = |replica: &mut Replica, ticks: u64| {
        let message = moved(&mut stage, (tick + ticks) * 2, tick + ticks, ticks as f32);
        apply_state(replica, &message).iter().count() == 1
    };
    assert_eq!([20, 40, 41].map(|ticks| moves(&mut replica, ticks)), [true, true, false]);
    replica.set_tick_us(16_667);
    assert_eq!([120, 121].map(|ticks| moves(&mut replica, ticks)), [true, false]);
    replica.set_tick_us(3_000_000);
    assert_eq!([200, 201].map(|ticks| moves(&mut replica, ticks)), [false, false]);
    replica.set_tick_us(0);
    assert!(moves(&mut replica, 1_000_000));
    let stats = replica.state_stats();
    assert_eq!((stats.messages_applied, stats.messages_stale), (4, 4));
}

/// A server gives an entity one slot, but may not be trusted to: what was in the slot before is not meant for it.
#[test]
fn a_state_from_before_an_entity_entered_its_slot_is_not_for_it() {
    let (mut stage, mut replica) = opened();
    stage.change(1, |writer, _| writer.enter(&[(5, EntityId(7))]));
    apply(&mut replica, &stage.send()).unwrap();
    let entered = stage.tick() * 2;
    for (slot, number, x, now) in
        [(5, entered - 1, 2.0, 1.0), (0, entered - 1, 3.0, 3.0), (5, entered, 4.0, 4.0)]
    {
        let state = stage.state(1, |writer, schema| set_position(writer, schema, slot, x));
        apply_state(&mut replica, &state_message(number, stage.tick(), &[state]));
        assert_eq!(
            replica.get(POSITION, EntityId(7)),
            Some(&position(now)[..]),
            "slot {slot}, frame {number}"
        );
    }
}

#[test]
fn states_do_not_touch_a_broken_replica() {
    let (mut stage, mut replica) = opened();
    stage.change(1, |writer, _| writer.leave(&[3]));
    let error = apply(&mut replica, &stage.send()).unwrap_err();
    let message = moved(&mut stage, 300, 102, 5.0);
    let mut changes = Changes::new();
    assert_eq!(
        replica.apply_state(states(&message), &mut changes),
        Err(ProtocolError::Broken(Box::new(error)))
    );
    assert_eq!(replica.get(POSITION, EntityId(7)), Some(&position(1.0)[..]));
}

#[test]
fn frames_are_told_apart_beyond_32_bits() {
    let number = u64::from(u32::MAX) * 3 + 2; // its low half is the largest
    let mut replica = Replica::new(&kinds()).unwrap();
    let (mut writer, schema) = (BlockWriter::new(), WireSchema::new(&kinds().rows).unwrap());
    writer.begin_snapshot(TopicId(1), 0, TopicKind::Owner);
    writer.enter(&[(0, EntityId(7))]);
    set_position(&mut writer, &schema, 0, 1.0);
    let own = SessionFrame { entered: vec![entered(1, writer.finish())], ..SessionFrame::default() };
    let mut message = Vec::new();
    let frame = Frame { number, tick: 100, ..Frame::default() };
    assert!(pack_frame(&frame, Some(&own), &mut TopicList::default(), &mut message));
    apply(&mut replica, &message).unwrap();
    assert_eq!((replica.number(), replica.tick()), (number, 100));
    let mut stage = Stage::new(&kinds());
    for (after, x, now) in [(-1, 2.0, 1.0), (0, 3.0, 3.0), (2, 4.0, 4.0), (1, 5.0, 4.0)] {
        apply_state(&mut replica, &moved(&mut stage, number.wrapping_add_signed(after), 100, x));
        assert_eq!(replica.get(POSITION, EntityId(7)), Some(&position(now)[..]), "{after} frames after");
    }
}

/// Topics that hold the same row count for what they take.
#[test]
fn holders_are_counted() {
    let mut stage = Stage::new(&kinds());
    let mut replica = Replica::with_bytes_max(&kinds(), 1000).unwrap();
    let enter = |stage: &mut Stage, topic: u32| {
        stage.enter(topic, TopicKind::Query, |writer, schema| {
            writer.enter(&[(0, EntityId(7))]);
            set_position(writer, schema, 0, 1.0);
        });
        stage.send()
    };
    for _ in 0..100 {
        for topic in 1..9 {
            apply(&mut replica, &enter(&mut stage, topic)).unwrap();
        }
        (1..9).for_each(|topic| stage.leave(topic));
        apply(&mut replica, &stage.send()).unwrap();
        assert!(replica.is_empty(POSITION));
    }
    let full = (1..99).find_map(|topic| apply(&mut replica, &enter(&mut stage, topic)).err());
    assert_eq!(full, Some(ProtocolError::ReplicaFull { max: 1000 }));
}

fn entered(topic: u32, block: Bytes) -> Entered {
    let snapshot = Arc::new(Snapshot::new(block));
    Entered { topic: TopicId(topic), square: None, snapshot, followed: Vec::new() }
}

fn said(all: impl IntoIterator<Item = (u32, Bytes)>) -> TopicFrames {
    let blocks = |ordered| Blocks { ordered: Some(ordered), events: None };
    all.into_iter().map(|(topic, ordered)| (TopicId(topic), blocks(ordered))).collect()
}

#[test]
fn sessions_get_the_blocks_of_their_topics() {
    let topic = TopicId;
    let mut topics = TopicList::default();
    let mut frame = Frame { number: 4, tick: 5, time: Timestamp(6), ..Frame::default() };
    frame.topics = said([1, 2, 3].map(|topic| (topic, stub(topic as u8))));
    let mut out = vec![0xee];
    assert!(!pack_frame(&frame, None, &mut topics, &mut out));
    assert_eq!(out, [0xee], "nothing to say");

    let own = SessionFrame {
        entered: vec![entered(3, stub(33)), entered(1, stub(11)), entered(9, stub(99))],
        ..SessionFrame::default()
    };
    assert!(pack_frame(&frame, Some(&own), &mut topics, &mut out));
    let head = [0xee, 0x82, 4, 5, 6, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(
        out,
        [&head[..], &[0, 3, 33, 11, 99, 0, 0, 0, 0]].concat(),
        "a snapshot has its frame's changes"
    );
    assert_eq!(topics.as_slice(), [topic(1), topic(3), topic(9)]);

    let own = SessionFrame {
        left: vec![topic(3), topic(9)],
        entered: vec![entered(9, stub(98))],
        ..SessionFrame::default()
    };
    out.truncate(1);
    assert!(pack_frame(&frame, Some(&own), &mut topics, &mut out));
    assert_eq!(out, [&head[..], &[2, 3, 9, 1, 98, 1, 1, 0, 0, 0]].concat());
    assert_eq!((topics.len(), topics.is_empty()), (2, false));
}
