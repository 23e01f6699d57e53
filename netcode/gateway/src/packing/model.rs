//! Random worlds, budgets and cuts against what a client obviously must have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use evertick_protocol::{
    BlockWriter, Blocks, CallOutcome, CallReply, Changes, Entered, Frame, Replica, ServerMessage,
    SessionFrame, Snapshot, Square, TopicId, TopicKind, Viewpoint, WireSchema,
};
use evertick_schema::{EntityId, SessionId, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::clock::Clock;

#[allow(dead_code, unreachable_pub, reason = "the tests of whole gateways use all of it")]
#[path = "../../tests/host/module.rs"]
mod module;

const TOPICS: u32 = 8;
/// Those below have no place.
const PLACED: u32 = 2;

/// What happens between two frames.
#[derive(Clone, Debug)]
enum Step {
    /// Rows of these topics change.
    Change(Vec<u32>),
    /// The session sees a topic from now on, or no more.
    Toggle(u32),
    /// A call is answered.
    Result,
    /// The client reads too slowly to be sent anything with a place.
    Slow,
    /// The connection is lost, with so many of the last messages; for so many frames there is none.
    Cut { messages: usize, frames: u8 },
    /// The client says which results it has got.
    Acknowledge,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec(0..TOPICS, 1..5).prop_map(Step::Change),
        3 => (0..TOPICS).prop_map(Step::Toggle),
        2 => Just(Step::Result),
        1 => Just(Step::Slow),
        1 => (0..6_usize, 0..4_u8).prop_map(|(messages, frames)| Step::Cut { messages, frames }),
        1 => Just(Step::Acknowledge),
    ]
}

/// Topics with a row each; the value is in the row, and text beside it makes snapshots large.
struct World {
    schema: WireSchema,
    values: Vec<u32>,
    seen: BTreeSet<u32>,
    again: BTreeSet<u32>,
    number: u64,
    calls: u32,
}

impl World {
    fn block(&self, topic: u32, snapshot: bool) -> Bytes {
        let mut writer = BlockWriter::new();
        let row = module::bytes(&module::Score { value: self.values[topic as usize] });
        if snapshot {
            writer.begin_snapshot(TopicId(topic), 0, TopicKind::Group(topic.into()));
            writer.enter(&[(0, EntityId(u64::from(topic) + 1))]);
            let title = module::bytes(&module::Title { text: "x".repeat(100) });
            writer.rows(&self.schema, module::TITLE, u64::MAX, &[0], |_| &title);
        } else {
            writer.begin(TopicId(topic), 0);
        }
        writer.rows(&self.schema, module::SCORE, u64::MAX, &[0], |_| &row);
        writer.finish()
    }

    fn entered(&self, topic: u32) -> Entered {
        let square = Square { space: 0, min: [topic as f32 * 10.0, 0.0], size: 10.0 };
        Entered {
            topic: TopicId(topic),
            square: (topic >= PLACED).then_some(square),
            snapshot: Arc::new(Snapshot::new(self.block(topic, true))),
            followed: Vec::new(),
        }
    }

    /// The next frame, with what the step does.
    fn frame(&mut self, step: &Step) -> Frame {
        self.number += 1;
        let mut own = SessionFrame::default();
        if self.number == 1 {
            own.viewpoint = Some(Viewpoint { space: 0, at: [0.0, 0.0], radius: 100.0 });
        }
        let mut topics = BTreeSet::new();
        match step {
            Step::Change(changed) => topics.extend(changed),
            Step::Toggle(topic) if self.seen.remove(topic) => own.left.push(TopicId(*topic)),
            Step::Toggle(topic) => {
                self.seen.insert(*topic);
                self.again.insert(*topic);
            }
            Step::Result => {
                self.calls += 1;
                own.results.push(CallReply { seq: self.calls, result: CallOutcome::Ok(Bytes::new()) });
            }
            Step::Slow | Step::Cut { .. } | Step::Acknowledge => {}
        }
        topics.iter().for_each(|topic: &u32| self.values[*topic as usize] += 1);
        let again = std::mem::take(&mut self.again);
        own.entered = again.intersection(&self.seen).map(|topic| self.entered(*topic)).collect();
        let said = |topic: u32| Blocks { ordered: Some(self.block(topic, false)), events: None };
        Frame {
            number: self.number,
            tick: self.number,
            time: Timestamp(self.number as i64 * 50_000),
            topics: topics.iter().map(|topic| (TopicId(*topic), said(*topic))).collect(),
            sessions: [(SessionId(1), own)].into_iter().collect(),
            ..Frame::default()
        }
    }
}

/// The gateway's side and the client's.
struct Run {
    world: World,
    stream: Stream,
    replica: Replica,
    /// Sent, and not come yet.
    under_way: Vec<Bytes>,
    results: Vec<u32>,
    start: Instant,
}

impl Run {
    fn new(bytes_per_second: u32) -> Self {
        let limits =
            SessionLimits { bytes_per_second, bytes_burst: bytes_per_second, ..SessionLimits::default() };
        let start = Instant::now();
        Self {
            world: World {
                schema: WireSchema::new(&module::description().rows).unwrap(),
                values: vec![0; TOPICS as usize],
                seen: BTreeSet::new(),
                again: BTreeSet::new(),
                number: 0,
                calls: 0,
            },
            stream: Stream::new(SessionId(1), &limits, start),
            replica: Replica::new(&module::description()).unwrap(),
            under_way: Vec::new(),
            results: Vec::new(),
            start,
        }
    }

    fn frame(&mut self, step: &Step, connected: bool) {
        let frame = self.world.frame(step);
        let own = frame.sessions.get(&SessionId(1));
        if !connected {
            self.stream.follow(&frame, own);
            return;
        }
        let pace = if matches!(step, Step::Slow) { Pace::TooSlow } else { Pace::Good };
        let now = self.start + Duration::from_millis(50) * self.world.number as u32;
        let mut packer = Packer::new(&frame);
        self.stream.pack(&frame, own, Room { datagrams: None, pace }, now, &mut packer);
        if !packer.world.is_empty() {
            self.under_way.push(packer.world.concat().into());
        }
        self.world.again.extend(packer.wanted.iter().map(|topic| topic.0));
    }

    fn arrive(&mut self) {
        for message in self.under_way.drain(..) {
            let ServerMessage::Frame(frame) = ServerMessage::decode(&message).unwrap() else { panic!() };
            let mut changes = Changes::new();
            self.replica.apply(frame, &mut changes).unwrap();
            self.results.extend(changes.results.iter().map(|reply| reply.seq));
        }
    }

    fn clock(&self) -> Clock {
        Clock { number: self.world.number, tick: self.world.number, ..Clock::default() }
    }

    fn come_back(&mut self) {
        let now = self.start + Duration::from_millis(50) * self.world.number as u32;
        assert!(self.stream.resume(self.results.len() as u64, now));
        let parts = self.stream.pack_departed(self.clock());
        if !parts.is_empty() {
            self.under_way.push(parts.concat().into());
        }
        self.stream.asked_for_all(self.world.number);
        self.world.again.extend(self.world.seen.iter().copied());
    }

    fn step(&mut self, step: &Step) {
        self.frame(step, true);
        match step {
            Step::Cut { messages, frames } => {
                let kept = self.under_way.len().saturating_sub(*messages);
                self.under_way.truncate(kept);
                self.arrive();
                (0..*frames).for_each(|topic| self.frame(&Step::Toggle(u32::from(topic)), false));
                self.frame(&Step::Result, false);
                self.come_back();
            }
            Step::Acknowledge => {
                self.arrive();
                self.stream.acknowledge(self.results.len() as u64);
            }
            _ => {}
        }
        // Some of what is under way may be lost with the connection, so not all is applied at once.
        if self.world.number.is_multiple_of(3) {
            self.arrive();
            self.check(false);
        }
    }

    /// The client has nothing that it must not, and what it has of a topic that is not behind is the newest.
    fn check(&self, everything: bool) {
        let behind: BTreeSet<u32> = self.stream.view.topics_behind().map(|topic| topic.0).collect();
        assert!(!everything || behind.is_empty(), "still behind: {behind:?}");
        let has: BTreeMap<u32, u32> = self
            .replica
            .rows(module::SCORE)
            .map(|(entity, row)| (entity.0 as u32 - 1, u32::from_le_bytes(row.try_into().unwrap())))
            .collect();
        for topic in 0..TOPICS {
            let (seen, value) = (self.world.seen.contains(&topic), self.world.values[topic as usize]);
            match has.get(&topic) {
                Some(_) if !seen => panic!("topic {topic} was left"),
                Some(got) if behind.contains(&topic) => assert!(*got <= value),
                Some(got) => assert_eq!(*got, value, "topic {topic}"),
                None => assert!(!seen || behind.contains(&topic), "topic {topic} is missing"),
            }
        }
        assert!(self.results.iter().copied().eq(1..=self.results.len() as u32), "{:?}", self.results);
        assert!(!everything || self.results.len() as u32 == self.world.calls);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn clients_have_what_they_see_and_each_result_once(
        bytes_per_second in prop_oneof![Just(0), 200..20_000_u32],
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut run = Run::new(bytes_per_second);
        steps.iter().for_each(|step| run.step(step));
        // Time to send what is behind.
        for _ in 0..400 {
            run.frame(&Step::Change(Vec::new()), true);
        }
        run.arrive();
        run.check(true);
    }
}
