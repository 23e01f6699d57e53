//! Rows that move, over a network that delays what is in order and delays, doubles, reorders and loses what is not: at any moment
//! a replica is what the obvious receiver is, and when all has come to rest it is what the server has.
#![allow(clippy::unwrap_used, reason = "tests")]

mod obvious;
mod support;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use evertick_protocol::{BlockWriter, Changes, Replica, TopicKind, WireSchema};
use evertick_schema::EntityId;
use obvious::{Op, Receiver, Value};
use proptest::prelude::*;
use support::description::{CLOCK, FLOATS, POSITION, SCALARS, kinds};
use support::random::Random;
use support::report::{Rows, check_report, contents};
use support::{Stage, apply, state_message, states};

const TOPICS: u32 = 3;
const ENTITIES: usize = 6;
const TYPES: [u32; 4] = [POSITION, SCALARS, CLOCK, FLOATS];
/// Frames without a change after which a row is at rest.
const REST_FRAMES: u32 = 2;
/// Ticks that a freed slot is not used again: more than 2 s.
const SLOT_REST_TICKS: u64 = 41;

/// A message on its way, with what it means to the obvious receiver.
#[derive(Clone)]
struct Message {
    due: u64,
    bytes: Vec<u8>,
    /// Its frame's number and tick.
    number: u64,
    tick: u64,
    meaning: Meaning,
}

#[derive(Clone)]
enum Meaning {
    /// Of a frame: what it does, and whether it has results alone.
    Ordered(Vec<Op>, bool),
    Latest(Vec<Value>),
}

#[derive(Default)]
struct Slots {
    of: BTreeMap<EntityId, u32>,
    /// With the tick in which they were freed.
    free: VecDeque<(u32, u64)>,
    next: u32,
}

/// What one frame does to a topic.
#[derive(Default)]
struct News {
    left: Vec<u32>,
    entered: Vec<(u32, EntityId)>,
    removed: Vec<(u32, u32)>,
    set: Vec<Set>,
}

struct Server {
    stage: Stage,
    slots: BTreeMap<u32, Slots>,
    rows: Rows,
    /// Fields that have changed since the row began to move, and frames since it last did.
    moving: BTreeMap<(u32, EntityId), (u64, u32)>,
    seen: BTreeSet<u32>,
}

impl Server {
    fn new() -> Self {
        let slots = (1..=TOPICS).map(|topic| (topic, Slots::default())).collect();
        Self {
            stage: Stage::new(&kinds()),
            slots,
            rows: Rows::new(),
            moving: BTreeMap::new(),
            seen: BTreeSet::new(),
        }
    }

    fn is_in(&self, topic: u32, entity: EntityId) -> bool {
        self.slots[&topic].of.contains_key(&entity)
    }

    /// A row that fields of have new values; as a client would be shown it.
    fn random_row(&self, row: u32, random: &mut Random) -> Vec<u8> {
        let mut bytes = random.row(&kinds().rows[row as usize].fields);
        self.stage.schema.row(row).quantize(&mut bytes);
        bytes
    }

    /// One frame with so many happenings: its message, and one State message for each topic in which rows move.
    fn frame(&mut self, happenings: usize, random: &mut Random) -> (Message, Vec<Message>) {
        self.stage.wait(random.below(8) as u64);
        let tick = self.stage.tick() + 1;
        let mut news: BTreeMap<u32, News> = (1..=TOPICS).map(|topic| (topic, News::default())).collect();
        let (mut crossed, mut touched, mut inserted) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for _ in 0..happenings {
            let entity = EntityId(1 + random.below(ENTITIES) as u64);
            let topic = 1 + random.below(TOPICS as usize) as u32;
            let row = TYPES[random.below(TYPES.len())];
            let there = self.rows.contains_key(&(row, entity));
            match random.below(8) {
                0 if crossed.insert((topic, entity)) => {
                    self.cross(topic, entity, tick, news.get_mut(&topic).unwrap());
                }
                1 if there && touched.insert((row, entity)) => {
                    self.rows.remove(&(row, entity));
                    self.moving.remove(&(row, entity));
                    for (topic, news) in &mut news {
                        if let Some(slot) = self.slots[topic].of.get(&entity) {
                            news.removed.push((row, *slot));
                        }
                    }
                }
                2 | 3 if !there && touched.insert((row, entity)) => {
                    self.rows.insert((row, entity), self.random_row(row, random));
                    inserted.insert((row, entity));
                }
                _ if there && !inserted.contains(&(row, entity)) => {
                    touched.insert((row, entity));
                    self.change(row, entity, random);
                }
                _ => {}
            }
        }
        let mut rested = Vec::new();
        self.moving.retain(|key, (mask, frames)| {
            *frames += 1;
            if *frames > REST_FRAMES {
                rested.push((*key, *mask));
            }
            *frames <= REST_FRAMES
        });
        for (topic, news) in &mut news {
            let slots = &self.slots[topic].of;
            let is_new = |entity: EntityId| news.entered.iter().any(|(_, of)| *of == entity);
            // Removals of rows of who left, or came, in this frame are said by that.
            news.removed.retain(|(_, slot)| slots.iter().any(|(entity, of)| of == slot && !is_new(*entity)));
            for ((row, entity), bytes) in &self.rows {
                let Some(slot) = slots.get(entity) else { continue };
                if is_new(*entity) || inserted.contains(&(*row, *entity)) {
                    news.set.push((*row, u64::MAX, *slot, bytes.clone()));
                } else if let Some((_, mask)) = rested.iter().find(|(key, _)| *key == (*row, *entity)) {
                    news.set.push((*row, *mask, *slot, bytes.clone()));
                }
            }
        }
        let ordered = self.write(&news, random);
        let latest = self.write_states(random);
        (ordered, latest)
    }

    fn cross(&mut self, topic: u32, entity: EntityId, tick: u64, news: &mut News) {
        let slots = self.slots.get_mut(&topic).unwrap();
        if let Some(slot) = slots.of.remove(&entity) {
            slots.free.push_back((slot, tick));
            return news.left.push(slot);
        }
        let slot = match slots.free.pop_front_if(|(_, freed)| *freed + SLOT_REST_TICKS <= tick) {
            Some((slot, _)) => slot,
            None => {
                slots.next += 1;
                slots.next
            }
        };
        slots.of.insert(entity, slot);
        news.entered.push((slot, entity));
    }

    /// Some fields of a row change.
    fn change(&mut self, row: u32, entity: EntityId, random: &mut Random) {
        let new = self.random_row(row, random);
        let codec = self.stage.schema.row(row);
        let mask = (random.next() | 1 << random.below(codec.layout.fields.len())) & codec.all_fields;
        let bytes = self.rows.get_mut(&(row, entity)).unwrap();
        obvious::write(&codec.layout, mask, &new, bytes);
        let (moved, frames) = self.moving.entry((row, entity)).or_default();
        (*moved, *frames) = (*moved | mask, 0);
    }

    fn write(&mut self, news: &BTreeMap<u32, News>, random: &mut Random) -> Message {
        // As the message has them: topics that are left, snapshots, changes.
        let (mut forgotten, mut snapshots, mut changes) = (Vec::new(), Vec::new(), Vec::new());
        for (topic, news) in news {
            let toggles = random.below(8) == 0;
            let sees = self.seen.contains(topic);
            if sees && toggles {
                self.seen.remove(topic);
                self.stage.leave(*topic);
                forgotten.push(Op::Forget(*topic));
            }
            let News { left, entered, removed, set } = news;
            if left.len() + entered.len() + removed.len() + set.len() > 0 {
                let (mut left, mut entered) = (left.clone(), entered.clone());
                left.sort();
                entered.sort();
                self.stage.change(*topic, |writer, schema| {
                    writer.leave(&left);
                    writer.enter(&entered);
                    put(writer, schema, set);
                    removed.iter().for_each(|(row, slot)| writer.remove(*row, &[*slot]));
                });
                if sees && !toggles {
                    changes.extend(left.iter().map(|slot| Op::Leave(*topic, *slot)));
                    changes.extend(entered.iter().map(|(slot, entity)| Op::Enter(*topic, *slot, *entity)));
                    changes.extend(set.iter().map(|set| Op::Set(value(*topic, set))));
                    changes.extend(removed.iter().map(|(row, slot)| Op::Remove(*topic, *row, *slot)));
                }
            }
            if toggles && !sees {
                self.seen.insert(*topic);
                self.snapshot(*topic, &mut snapshots);
            }
        }
        let ops = [forgotten, snapshots, changes].concat();
        let mut results_alone = false;
        let bytes = if ops.is_empty() && random.below(2) == 0 {
            self.stage.beat()
        } else {
            results_alone = ops.is_empty();
            self.stage.reply_ok(0, &[]);
            self.stage.send()
        };
        let tick = self.stage.tick();
        Message { due: 0, bytes, number: tick * 2, tick, meaning: Meaning::Ordered(ops, results_alone) }
    }

    fn snapshot(&mut self, topic: u32, ops: &mut Vec<Op>) {
        let slots = &self.slots[&topic].of;
        let mut entries: Vec<_> = slots.iter().map(|(entity, slot)| (*slot, *entity)).collect();
        entries.sort();
        let rows = self
            .rows
            .iter()
            .filter_map(|((row, entity), bytes)| Some((*row, u64::MAX, *slots.get(entity)?, bytes.clone())));
        let rows: Vec<_> = rows.collect();
        ops.push(Op::Know(topic));
        ops.extend(entries.iter().map(|(slot, entity)| Op::Enter(topic, *slot, *entity)));
        ops.extend(rows.iter().map(|set| Op::Set(value(topic, set))));
        self.stage.enter(topic, TopicKind::Query, |writer, schema| {
            writer.enter(&entries);
            rows.iter()
                .for_each(|(row, mask, slot, bytes)| writer.rows(schema, *row, *mask, &[*slot], |_| bytes));
        });
    }

    /// What moves, by topic, of the frame just made. Topics that are not seen are not left out.
    fn write_states(&mut self, random: &mut Random) -> Vec<Message> {
        let mut parts: Vec<(Bytes, Vec<Value>)> = Vec::new();
        for topic in 1..=TOPICS {
            let here = self.moving.iter().filter(|((_, entity), _)| self.is_in(topic, *entity));
            let sets = here.map(|(key, (mask, _))| {
                (key.0, *mask, self.slots[&topic].of[&key.1], self.rows[key].clone())
            });
            let sets: Vec<_> = sets.collect();
            if !sets.is_empty() {
                let state = self.stage.state(topic, |writer, schema| {
                    put(writer, schema, &sets);
                });
                parts.push((state, sets.iter().map(|set| value(topic, set)).collect()));
            }
        }
        let tick = self.stage.tick();
        let message = |parts: Vec<(Bytes, Vec<Value>)>| {
            let (states, values): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
            let bytes = state_message(tick * 2, tick, &states);
            Message { due: 0, bytes, number: tick * 2, tick, meaning: Meaning::Latest(values.concat()) }
        };
        if random.below(2) == 0 && !parts.is_empty() {
            return vec![message(parts)];
        }
        parts.into_iter().map(|part| message(vec![part])).collect()
    }

    /// What the session may see.
    fn visible(&self) -> Rows {
        let seen = |entity: EntityId| self.seen.iter().any(|topic| self.is_in(*topic, entity));
        self.rows
            .iter()
            .filter(|((_, entity), _)| seen(*entity))
            .map(|(key, row)| (*key, row.clone()))
            .collect()
    }
}

/// Row type, fields, slot, row.
type Set = (u32, u64, u32, Vec<u8>);

fn put(writer: &mut BlockWriter, schema: &WireSchema, sets: &[Set]) {
    for (row, mask, slot, bytes) in sets {
        writer.rows(schema, *row, *mask, &[*slot], |_| bytes);
    }
}

fn value(topic: u32, (row, mask, slot, bytes): &Set) -> Value {
    Value { topic, row: *row, mask: *mask, slot: *slot, bytes: bytes.clone() }
}

/// A replica and the obvious receiver, which are told the same.
struct Both {
    replica: Replica,
    receiver: Receiver,
    old: Rows,
}

impl Both {
    fn receive(&mut self, message: &Message) {
        let mut changes = Changes::new();
        match &message.meaning {
            Meaning::Ordered(ops, results_alone) => {
                changes = apply(&mut self.replica, &message.bytes).unwrap();
                self.receiver.ordered(message.number, ops);
                if !results_alone {
                    self.receiver.tick = self.receiver.tick.max(message.tick);
                }
            }
            Meaning::Latest(values) => {
                self.replica.apply_state(states(&message.bytes), &mut changes).unwrap();
                self.receiver.latest(message.number, message.tick, values);
            }
        }
        let new = contents(&self.replica);
        assert_eq!(new, self.receiver.contents(), "frame {}", message.number);
        check_report(&self.old, &new, &changes);
        self.old = new;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn lanes_come_together(seed: u64, frames in prop::collection::vec(0usize..12, 10..60), loss in 0usize..90) {
        let mut random = Random(seed);
        let mut server = Server::new();
        let replica = Replica::new(&kinds()).unwrap();
        let receiver = Receiver::new(replica.schema().clone());
        let mut both = Both { replica, receiver, old: Rows::new() };
        let (mut ordered, mut latest): (VecDeque<Message>, Vec<Message>) = Default::default();
        let mut due = 0;
        let rest = (0..=REST_FRAMES).map(|_| 0);
        for (now, happenings) in (0u64..).zip(frames.into_iter().chain(rest)) {
            let (frame, states) = server.frame(happenings, &mut random);
            due = u64::max(due, now + random.below(5) as u64);
            ordered.push_back(Message { due, ..frame });
            for state in states {
                for _ in 0..random.below(3) {
                    if random.below(100) >= loss {
                        latest.push(Message { due: now + random.below(9) as u64, ..state.clone() });
                    }
                }
            }
            // What is due comes, each lane as it likes.
            loop {
                let state = latest.iter().position(|message| message.due <= now);
                let frame = ordered.front().is_some_and(|message| message.due <= now);
                match state {
                    Some(state) if !frame || random.below(2) == 0 => both.receive(&latest.swap_remove(state)),
                    _ if frame => both.receive(&ordered.pop_front().unwrap()),
                    _ => break,
                }
            }
        }
        while !(ordered.is_empty() && latest.is_empty()) {
            if !latest.is_empty() && (ordered.is_empty() || random.below(2) == 0) {
                both.receive(&latest.swap_remove(random.below(latest.len())));
            } else if let Some(frame) = ordered.pop_front() {
                both.receive(&frame);
            }
        }
        prop_assert!(server.moving.is_empty());
        prop_assert_eq!(&both.old, &server.visible());
    }
}
