//! States, in frames and in messages of their own; topics that overlap; snapshots that are compressed; queries.

use bytes::Bytes;
use evertick_protocol::{BlockWriter, QueryOutcome, TopicId, TopicKind, WireSchema};
use evertick_schema::EntityId;

use super::frames::{Case, entities, position, put, scalars, set};
use crate::support::description::{DEF, HIT, POSITION, SCALARS, TAG, kinds};
use crate::support::{Stage, row, state_message};

pub fn all() -> Vec<Case> {
    [
        ("states", states_in_frames as fn(&mut Stage) -> Vec<Vec<u8>>),
        ("latest", states_in_datagrams),
        ("far", states_far_away),
        ("holders", holders),
        ("snapshots", snapshots),
        ("queries", queries),
    ]
    .map(|(name, play)| (name, kinds(), play(&mut Stage::new(&kinds()))))
    .into()
}

/// Positions, without facing, of these slots.
fn at(writer: &mut BlockWriter, schema: &WireSchema, places: &[(u32, f32)]) {
    let slots: Vec<u32> = places.iter().map(|(slot, _)| *slot).collect();
    let rows: Vec<Vec<u8>> = places.iter().map(|(_, x)| position(*x, 1.0, 0.0)).collect();
    put(writer, schema, POSITION, 0b01, &slots, &rows);
}

/// The same as a state.
fn state(stage: &mut Stage, topic: u32, places: &[(u32, f32)]) -> Bytes {
    stage.state(topic, |writer, schema| at(writer, schema, places))
}

/// Topic 1 with entities 1, 2, 3 in slots 0, 1, 2.
fn open(stage: &mut Stage) -> Vec<u8> {
    stage.enter_cell(1, |writer, schema| {
        writer.enter(&entities(&[1, 2, 3]));
        set(
            writer,
            schema,
            POSITION,
            &[position(1.0, 1.0, 0.5), position(2.0, 1.0, 0.5), position(3.0, 1.0, 0.5)],
        );
        set(writer, schema, SCALARS, &[scalars(1)]);
    });
    stage.send()
}

/// Frames as they come over a WebSocket.
fn states_in_frames(stage: &mut Stage) -> Vec<Vec<u8>> {
    let mut messages = vec![open(stage)];
    // All fields, one of two, and those of another row type; two states of one topic.
    stage.moving(1, |writer, schema| {
        put(writer, schema, POSITION, 0b11, &[0], &[position(1.5, 1.5, 1.0)]);
        at(writer, schema, &[(1, 2.5), (2, 3.5)]);
    });
    stage.moving(1, |writer, schema| put(writer, schema, SCALARS, 0b1000_0010_0000, &[0], &[scalars(2)]));
    messages.push(stage.send());
    // One leaves, one enters and moves at once, one comes to rest; states of a topic that nobody knows, of slots that are
    // free, of rows that are not there.
    stage.change(1, |writer, schema| {
        writer.leave(&[0]);
        writer.enter(&[(5, EntityId(9))]);
        put(writer, schema, POSITION, u64::MAX, &[5], &[position(9.0, 1.0, 0.0)]);
        at(writer, schema, &[(2, 3.75)]);
    });
    stage.moving(1, |writer, schema| {
        at(writer, schema, &[(0, 8.0), (1, 2.75), (5, 9.5), (99, 8.0)]);
        put(writer, schema, SCALARS, 1 << 14, &[1, 5], &[scalars(2), scalars(3)]);
    });
    stage.moving(77, |writer, schema| at(writer, schema, &[(0, 8.0)]));
    stage.happen(1, |writer, _| {
        let hit = row(&[&[4i32, 5], &0.5f64]);
        writer.events(HIT, [&hit[..]].into_iter());
    });
    stage.enter(77, TopicKind::Owner, |writer, _| writer.enter(&entities(&[1])));
    stage.reply_ok(1, &[]);
    messages.push(stage.send());
    // What moves as it did is no change.
    stage.moving(1, |writer, schema| at(writer, schema, &[(1, 2.75), (5, 9.75)]));
    messages.push(stage.send());
    messages.push(stage.beat());
    messages
}

/// States that come late, doubled, too early.
fn states_in_datagrams(stage: &mut Stage) -> Vec<Vec<u8>> {
    let mut messages = vec![state_message(200, 100, &[state(stage, 1, &[(0, 0.0)])]), open(stage)];
    // As it should be; the same again; older ones of these rows and of one that had none.
    let first = state_message(204, 102, &[state(stage, 1, &[(0, 1.25), (1, 2.25)])]);
    messages.extend([first.clone(), first]);
    messages.push(state_message(203, 101, &[state(stage, 1, &[(0, 1.125), (2, 3.125)])]));
    // Topics that are not known beside one that is.
    let states = [state(stage, 9, &[(0, 7.0)]), state(stage, 1, &[(1, 2.5)]), state(stage, 8, &[])];
    messages.push(state_message(204, 102, &states));
    // One leaves, one enters, one comes to rest.
    stage.wait(1);
    stage.change(1, |writer, schema| {
        writer.leave(&[0]);
        writer.enter(&[(3, EntityId(4))]);
        put(writer, schema, POSITION, u64::MAX, &[3], &[position(4.0, 1.0, 0.0)]);
        at(writer, schema, &[(1, 2.75)]);
    });
    messages.push(stage.send());
    let all = [state(stage, 1, &[(0, 1.5), (1, 2.5), (2, 3.5), (3, 4.5)])];
    messages.push(state_message(205, 102, &all));
    messages.push(state_message(206, 103, &all));
    // A block that a state of a newer frame has overtaken writes, but the row stays as new as it was.
    messages.push(state_message(210, 105, &[state(stage, 1, &[(2, 3.75), (4, 5.0)])]));
    stage.change(1, |writer, schema| {
        writer.enter(&[(4, EntityId(5))]);
        put(writer, schema, POSITION, u64::MAX, &[4], &[position(5.0, 1.0, 0.0)]);
        put(writer, schema, POSITION, 0b10, &[2], &[position(0.0, 0.0, 3.0)]);
    });
    messages.push(stage.send());
    messages.push(state_message(209, 104, &[state(stage, 1, &[(2, 3.625), (4, 5.125)])]));
    messages.push(state_message(210, 105, &[state(stage, 1, &[(2, 3.75), (4, 5.25)])]));
    // The topic comes anew: what is older does not count. Then it goes.
    stage.wait(2);
    stage.enter_cell(1, |writer, schema| {
        writer.enter(&entities(&[1, 2]));
        set(writer, schema, POSITION, &[position(10.0, 1.0, 0.0), position(20.0, 1.0, 0.0)]);
    });
    messages.push(stage.send());
    let both = [state(stage, 1, &[(0, 11.0), (1, 21.0)])];
    messages.push(state_message(213, 106, &both));
    messages.push(state_message(215, 107, &both));
    stage.leave(1);
    messages.push(stage.send());
    messages.push(state_message(217, 108, &both));
    messages
}

/// States far from the newest frame, slots that are used again, states that are not well-formed.
fn states_far_away(stage: &mut Stage) -> Vec<Vec<u8>> {
    let mut messages = vec![open(stage)];
    let opened = stage.tick();
    let moved = |stage: &mut Stage, x: f32| [state(stage, 1, &[(0, x), (1, x + 1.0)])];
    for (ticks, x) in [(40, 1.5), (41, 1.75)] {
        let states = moved(stage, x);
        messages.push(state_message((opened + ticks) * 2, opened + ticks, &states));
    }
    // Slot 0 is used again after it has rested.
    stage.change(1, |writer, _| writer.leave(&[0]));
    messages.push(stage.send());
    stage.wait(40);
    stage.change(1, |writer, schema| {
        writer.enter(&[(0, EntityId(8))]);
        put(writer, schema, POSITION, u64::MAX, &[0], &[position(8.0, 1.0, 0.0)]);
    });
    messages.push(stage.send());
    let reused = stage.tick();
    for (ticks, x) in [(41, 2.5), (40, 2.75), (1, 3.0)] {
        let states = moved(stage, x);
        messages.push(state_message((reused - ticks) * 2, reused - ticks, &states));
    }
    // Results alone say nothing of what has come; a frame that says nothing does.
    stage.wait(20);
    stage.reply_ok(1, &[]);
    messages.push(stage.send());
    let states = moved(stage, 4.0);
    messages.push(state_message((reused + 41) * 2, reused + 41, &states));
    messages.push(stage.beat());
    messages.push(state_message((reused + 41) * 2, reused + 41, &states));
    // Not well-formed: dropped, and all goes on.
    let number = (reused + 42) * 2;
    let leave = stage.state(1, |writer, _| writer.remove(TAG, &[1]));
    let texts = stage
        .state(1, |writer, schema| put(writer, schema, DEF, 0b01, &[1], &[row(&[&1u32, &String::new()])]));
    let cut = state(stage, 1, &[(1, 5.0)]).slice(..4);
    for bad in [leave, texts, cut] {
        messages.push(state_message(number, reused + 42, &[bad]));
    }
    messages.push(state_message(number, reused + 42, &moved(stage, 6.0)));
    messages
}

/// Topics that hold the same rows.
fn holders(stage: &mut Stage) -> Vec<Vec<u8>> {
    let whole = |writer: &mut BlockWriter, schema: &WireSchema, slot: u32, x: f32| {
        put(writer, schema, POSITION, u64::MAX, &[slot], &[position(x, 1.0, 0.5)]);
        put(writer, schema, TAG, u64::MAX, &[slot], &[vec![]]);
    };
    let enter = |writer: &mut BlockWriter, schema: &WireSchema, slot: u32, x: f32| {
        writer.enter(&[(slot, EntityId(1))]);
        whole(writer, schema, slot, x);
    };
    stage.enter_cell(1, |writer, schema| enter(writer, schema, 0, 1.0));
    stage.enter(2, TopicKind::Query, |writer, schema| enter(writer, schema, 4, 1.0));
    let detail = TopicKind::Detail { space: 0, x: 1, y: -3 };
    stage.enter(3, detail, |writer, _| writer.enter(&[(7, EntityId(1))]));
    let mut messages = vec![stage.send()];
    // Both may write; the third may not, and its states count for nothing.
    stage.change(1, |writer, schema| at(writer, schema, &[(0, 1.25)]));
    stage.change(2, |writer, schema| put(writer, schema, POSITION, 0b10, &[4], &[position(0.0, 0.0, 1.0)]));
    stage.moving(3, |writer, schema| at(writer, schema, &[(7, 99.0)]));
    messages.push(stage.send());
    for (topic, slot, x) in [(1, 0, 1.5), (2, 4, 1.75), (3, 7, 99.0)] {
        let state = state(stage, topic, &[(slot, x)]);
        messages.push(state_message(stage.tick() * 2 + 1, stage.tick(), &[state]));
    }
    // One lets go of one row, by REMOVE; the other of all, by LEAVE.
    stage.change(1, |writer, _| writer.remove(TAG, &[0]));
    messages.push(stage.send());
    stage.change(2, |writer, _| writer.leave(&[4]));
    messages.push(stage.send());
    // Three hold it; two are left, one of them by a snapshot without it.
    stage.change(2, |writer, schema| enter(writer, schema, 5, 2.0));
    stage.change(3, |writer, schema| whole(writer, schema, 7, 2.0));
    messages.push(stage.send());
    stage.leave(1);
    stage.enter(2, TopicKind::Query, |writer, _| writer.enter(&[(5, EntityId(1))]));
    messages.push(stage.send());
    let state_of_3 = state(stage, 3, &[(7, 2.5)]);
    let state_of_2 = state(stage, 2, &[(5, 99.0)]);
    messages.push(state_message(stage.tick() * 2 + 1, stage.tick(), &[state_of_2, state_of_3]));
    // The last lets go; a topic that nobody knows is left.
    stage.leave(3);
    stage.leave(55);
    messages.push(stage.send());
    messages
}

/// Snapshots that are compressed, with what followed them; some that are not.
fn snapshots(stage: &mut Stage) -> Vec<Vec<u8>> {
    let crowd = |writer: &mut BlockWriter, schema: &WireSchema, first: u64| {
        let ids: Vec<u64> = (first..first + 100).collect();
        writer.enter(&entities(&ids));
        let rows: Vec<_> = ids.iter().map(|id| position((id % 7) as f32, (id % 5) as f32, 0.0)).collect();
        set(writer, schema, POSITION, &rows);
        set(writer, schema, TAG, &vec![vec![]; 100]);
    };
    stage.enter_cell(1, |writer, schema| crowd(writer, schema, 1));
    stage.follow(1, |writer, schema| {
        writer.leave(&[0, 1]);
        at(writer, schema, &[(50, 50.0)]);
    });
    stage.follow(1, |writer, schema| {
        writer.enter(&[(0, EntityId(500))]);
        put(writer, schema, POSITION, u64::MAX, &[0], &[position(5.0, 5.0, 0.0)]);
    });
    stage.enter(2, TopicKind::Group(70_000), |writer, schema| {
        writer.enter(&entities(&[300]));
        set(writer, schema, TAG, &[vec![]]);
    });
    stage.moving(1, |writer, schema| at(writer, schema, &[(2, 2.5), (50, 50.5)]));
    let mut messages = vec![stage.send()];
    // Another block; then the topic anew, with nothing that followed.
    stage.change(1, |writer, schema| at(writer, schema, &[(3, 3.5)]));
    messages.push(stage.send());
    stage.enter_cell(1, |writer, schema| crowd(writer, schema, 40));
    messages.push(stage.send());
    messages
}

/// Answers to queries.
fn queries(stage: &mut Stage) -> Vec<Vec<u8>> {
    stage.enter(300, TopicKind::Query, |writer, schema| {
        writer.enter(&entities(&[6]));
        set(writer, schema, TAG, &[vec![]]);
    });
    stage.answer(1, QueryOutcome::Applied { topics: vec![TopicId(300)] });
    stage.answer(2, QueryOutcome::Refused { message: "there is no row type ore ✗".into() });
    stage.answer(u32::MAX, QueryOutcome::Explained { plan: "by richness: ordered".into() });
    stage.answer(0, QueryOutcome::Applied { topics: vec![] });
    let mut messages = vec![stage.send()];
    stage.answer(1, QueryOutcome::Applied { topics: vec![TopicId(300), TopicId(u32::MAX)] });
    stage.reply_ok(1, &[]);
    messages.push(stage.send());
    messages
}
