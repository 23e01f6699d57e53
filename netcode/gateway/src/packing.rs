//! What a session is sent of a frame: first what is ordered, all of it; then states, as far as its byte budget goes.

use std::time::{Duration, Instant};

use bytes::Bytes;
use evertick_protocol::{CallReply, Frame, FramePacker, QueryReply, SessionFrame, StatePacker, TopicId};
use evertick_schema::SessionId;
use evertick_transport::Datagrams;

use crate::answers::Answers;
use crate::budget::Bucket;
use crate::clock::Clock;
use crate::config::SessionLimits;
use crate::metrics::Metrics;
use crate::results::{Departed, Results};
use crate::view::{Due, View, cost, most_urgent_first};

/// A session whose states go by datagram is sent a frame on the ordered lane at least so often, in microseconds of the world's time: its
/// client takes states only near the newest one.
const BEAT_US: i64 = 900_000;
/// A client that has come back gets its results with the snapshots, so that their effects are there. It does not wait for them for longer.
const SNAPSHOTS_TIME_MAX: Duration = Duration::from_secs(1);
/// While topics are behind, they are asked for in ticks that find so much of a second's bytes.
const ASK_SHARE: usize = 20;

/// What is kept from one session to the next while a frame is handed out.
#[derive(Default)]
pub(crate) struct Packer<'f> {
    frame: FramePacker,
    states: StatePacker,
    due: Vec<Due<'f>>,
    /// The message on the ordered lane; none when there is nothing to say.
    pub(crate) world: Vec<Bytes>,
    /// Messages on the latest lane.
    pub(crate) datagrams: Vec<Bytes>,
    /// Topics that the host is to be asked for.
    pub(crate) wanted: Vec<TopicId>,
}

/// What a session sees, and may be sent.
#[derive(Debug)]
pub(crate) struct Stream {
    view: View,
    /// `None` when there is no limit.
    bytes: Option<Bucket>,
    bytes_per_second: usize,
    /// The world's time of the last message on the ordered lane.
    beat_us: i64,
    results: Results,
    answers: Answers,
    departed: Departed,
    /// Since when a client that has come back waits for snapshots; results and answers wait with it.
    awaiting: Option<Instant>,
}

/// What the session's connection can take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// For states by datagram; `None` sends them in order with the rest.
    pub(crate) datagrams: Option<Datagrams>,
    pub(crate) pace: Pace,
}

/// How a client takes what it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// It keeps up.
    Good,
    /// It gets no states: so it has less to catch up with.
    Slow,
    /// Nor what has a place.
    TooSlow,
}

impl Stream {
    pub(crate) fn new(session: SessionId, limits: &SessionLimits, now: Instant) -> Self {
        let limited = limits.bytes_per_second > 0;
        let bytes = limited.then(|| Bucket::new(limits.bytes_per_second, limits.bytes_burst, now));
        Self {
            view: View::new(session),
            bytes,
            bytes_per_second: limits.bytes_per_second as usize,
            beat_us: 0,
            results: Results::default(),
            answers: Answers::default(),
            departed: Departed::default(),
            awaiting: None,
        }
    }

    /// Takes a frame in while there is no connection to send it over.
    pub(crate) fn follow(&mut self, frame: &Frame, own: Option<&SessionFrame>) {
        self.view.fall_behind(false);
        let Some(own) = own else { return };
        for topic in &own.left {
            self.view.leave(*topic);
            self.departed.add(*topic, frame.time.0);
        }
        own.entered.iter().for_each(|entered| self.view.enter(entered, false));
        if let Some(viewpoint) = own.viewpoint {
            self.view.look_from(viewpoint);
        }
        own.results.iter().for_each(|reply| self.results.push(reply.clone()));
        self.results.trim();
        own.queries.iter().for_each(|reply| self.answers.remember(reply));
    }

    /// Answers of the gateway's own.
    pub(crate) fn answer(&mut self, failed: impl Iterator<Item = CallReply>) {
        failed.for_each(|reply| self.results.push(reply));
    }

    /// Packs the gateway's own answers; `None` while they wait for snapshots, or when there are none. Their effects are none, so they may overtake frames.
    pub(crate) fn pack_answers(&mut self, refused: &[QueryReply], clock: Clock) -> Vec<Bytes> {
        let mut packer = FramePacker::new();
        refused.iter().for_each(|reply| packer.query(reply));
        if self.awaiting.is_none() {
            self.results.send(&mut packer);
            self.results.trim();
        }
        let mut parts = Vec::new();
        packer.finish(clock.number, clock.tick, clock.time, &mut parts);
        parts
    }

    /// The client has got so many results.
    pub(crate) fn acknowledge(&mut self, results: u64) {
        self.results.acknowledge(results);
    }

    /// A query is asked, or over.
    pub(crate) fn forget_query(&mut self, query: u32) {
        self.answers.forget(query);
    }

    /// Whether a client that has got so many results can go on; then it waits for snapshots of all that it sees.
    pub(crate) fn resume(&mut self, results: u64, now: Instant) -> bool {
        let resumed = self.departed.topics().is_some() && self.results.resume(results);
        if resumed {
            self.view.fall_behind(false);
            self.awaiting = Some(now);
        }
        resumed
    }

    /// The message that tells a client which topics are gone; empty when it can't have any.
    pub(crate) fn pack_departed(&self, clock: Clock) -> Vec<Bytes> {
        let mut packer = FramePacker::new();
        let departed = self.departed.topics().unwrap_or_default();
        departed.into_iter().filter(|topic| !self.view.has(*topic)).for_each(|topic| packer.left(topic));
        let mut parts = Vec::new();
        packer.finish(clock.number, clock.tick, clock.time, &mut parts);
        parts
    }

    /// The host was asked for everything.
    pub(crate) fn asked_for_all(&mut self, tick: u64) {
        self.view.asked_for_all(tick);
    }

    /// The host could not be asked for these topics.
    pub(crate) fn not_asked(&mut self, wanted: &[TopicId]) {
        self.view.not_asked(wanted);
    }

    /// Puts what the session is sent of `frame` into the packer's messages. Returns their bytes.
    pub(crate) fn pack<'f>(
        &mut self,
        frame: &'f Frame,
        own: Option<&SessionFrame>,
        room: Room,
        now: Instant,
        packer: &mut Packer<'f>,
        metrics: &Metrics,
    ) -> usize {
        let Packer { frame: ordered, states, due, world, datagrams, wanted } = packer;
        world.clear();
        datagrams.clear();
        wanted.clear();
        let left = self.bytes.as_mut().map_or(usize::MAX, |bytes| bytes.left(now));
        if room.pace == Pace::TooSlow {
            metrics.topics_behind.add(self.view.fall_behind(true) as u64);
        }
        let shared = self.pack_ordered(frame, own, ordered, (left, room.pace), metrics);
        self.pack_results(own, ordered, now);
        due.clear();
        let due_bytes = self.view.due(frame, due);
        let mut budget = if left == usize::MAX { left } else { left.saturating_sub(ordered.bytes()) };
        if self.view.is_behind() && room.pace == Pace::Good {
            if left >= self.bytes_per_second / ASK_SHARE {
                self.view.wanted(frame.tick, budget, wanted);
                metrics.resyncs.add(wanted.len() as u64);
            }
            // Tokens gather for what is behind.
            budget /= 2;
        }
        let fits = budget >= due_bytes && room.datagrams.is_none_or(|datagrams| datagrams.room >= due_bytes);
        if !fits {
            let datagrams = room.datagrams.map_or(usize::MAX, |datagrams| datagrams.room);
            most_urgent_first(due, due_bytes, budget.min(datagrams));
        }
        let mut full = room.datagrams.map(|datagrams| datagrams.room);
        // By grade: the counters are shared by all shards, so they are told once.
        let mut state_bytes = [0; 4];
        let (mut over_budget, mut without_room) = (0, 0);
        let due_count = due.len();
        let bytes_max = room.datagrams.map_or(usize::MAX, |datagrams| datagrams.bytes_max);
        if room.datagrams.is_some() && !due.is_empty() {
            states.begin(frame.number, frame.tick, bytes_max);
        }
        for (done, due) in due.iter().enumerate() {
            let (len, rest) = (due.state.len(), (due_count - done) as u64);
            // The last may be longer than what is left, which is a debt then: so a long one is not passed over for ever.
            if room.pace != Pace::Good || budget == 0 {
                over_budget = rest;
                break;
            }
            if let Some(left) = &mut full {
                // What is too long for a datagram goes by a stream of its own.
                if len <= bytes_max && *left < len {
                    without_room = rest;
                    break;
                }
                *left = left.saturating_sub(len);
                if !states.add(due.state) {
                    datagrams.extend(states.finish());
                    states.begin(frame.number, frame.tick, bytes_max);
                    states.add(due.state);
                }
            } else {
                ordered.state(due.state);
            }
            budget = budget.saturating_sub(len);
            state_bytes[due.grade as usize] += len;
            self.view.sent(due, frame.tick);
        }
        if room.datagrams.is_some() && !due.is_empty() {
            datagrams.extend(states.finish());
        }
        metrics.datagrams_out.add(datagrams.len() as u64);
        metrics.states_over_budget.add(over_budget);
        metrics.states_without_room.add(without_room);
        let [first, full_rate, half, quarter] = state_bytes;
        metrics.bytes_states_full.add((first + full_rate) as u64);
        metrics.bytes_states_half.add(half as u64);
        metrics.bytes_states_quarter.add(quarter as u64);

        let mut bytes = ordered.finish(frame.number, frame.tick, frame.time, world);
        if bytes > 0 {
            self.beat_us = frame.time.0;
        } else if !datagrams.is_empty() && frame.time.0.saturating_sub(self.beat_us) >= BEAT_US {
            self.beat_us = frame.time.0;
            world.push(FramePacker::beat(frame.number, frame.tick, frame.time));
            bytes = world.iter().map(Bytes::len).sum();
        }
        let in_order =
            if room.datagrams.is_some() { bytes } else { bytes.saturating_sub(state_bytes.iter().sum()) };
        metrics.bytes_ordered.add(in_order.saturating_sub(shared) as u64);
        bytes += datagrams.iter().map(Bytes::len).sum::<usize>();
        if let Some(bucket) = &mut self.bytes {
            bucket.spend(bytes);
        }
        bytes
    }

    /// Adds results and answers, those that were not sent yet and those of this frame.
    fn pack_results(&mut self, own: Option<&SessionFrame>, packer: &mut FramePacker, now: Instant) {
        if let Some(own) = own {
            own.results.iter().for_each(|reply| self.results.push(reply.clone()));
            own.queries.iter().for_each(|reply| self.answers.remember(reply));
        }
        match self.awaiting {
            None => own.iter().flat_map(|own| &own.queries).for_each(|reply| packer.query(reply)),
            Some(since) => {
                let there = own.is_some_and(|own| !own.entered.is_empty());
                let long = now.saturating_duration_since(since) >= SNAPSHOTS_TIME_MAX;
                if !there && !long && !self.results.is_too_much() {
                    return;
                }
                self.awaiting = None;
                self.answers.send(packer);
            }
        }
        self.results.send(packer);
        self.results.trim();
    }

    /// Adds all but states, results and answers, and returns the bytes of snapshots and events.
    fn pack_ordered(
        &mut self,
        frame: &Frame,
        own: Option<&SessionFrame>,
        packer: &mut FramePacker,
        (budget, pace): (usize, Pace),
        metrics: &Metrics,
    ) -> usize {
        let entered = own.map_or(&[][..], |own| &own.entered);
        let (mut snapshots, mut events) = (0, 0);
        let mut admitted = Vec::new();
        if let Some(own) = own {
            if let Some(viewpoint) = own.viewpoint {
                self.view.look_from(viewpoint);
            }
            for topic in &own.left {
                self.view.leave(*topic);
                self.departed.add(*topic, frame.time.0);
                packer.left(*topic);
            }
            admitted = self.view.admit(entered, budget, pace == Pace::TooSlow);
            for (entered, admitted) in entered.iter().zip(&admitted) {
                if *admitted {
                    snapshots += cost(entered);
                    packer.entered(entered);
                }
                // `followed` has this frame's changes already.
                self.view.leave(entered.topic);
            }
        }
        for said in self.view.said(frame) {
            said.ordered.iter().for_each(|block| packer.changed(block));
        }
        let behind = admitted.iter().filter(|admitted| !**admitted).count();
        entered.iter().zip(admitted).for_each(|(entered, admitted)| self.view.enter(entered, admitted));
        for said in self.view.said(frame) {
            if let Some(block) = &said.events {
                events += block.len();
                packer.changed(block);
            }
        }
        metrics.topics_behind.add(behind as u64);
        metrics.bytes_snapshots.add(snapshots as u64);
        metrics.bytes_events.add(events as u64);
        snapshots + events
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use evertick_protocol::{
        Entered, ServerMessage, Snapshot, Square, StatePart, States, TopicFrame, TopicId, Viewpoint,
    };
    use evertick_schema::Timestamp;

    use super::*;

    const SESSION: SessionId = SessionId(1);
    const CELLS: u32 = 20;
    /// Its length, then as many bytes.
    const STATE: [u8; 100] = [99; 100];
    const TICK: Duration = Duration::from_millis(50);

    /// Frame 1 lets the session see the cells; each has a state in each frame.
    fn frame(number: u64) -> Frame {
        let part = StatePart { part: 0, rows: 5, bytes: Bytes::from_static(&STATE) };
        let states = States { parts_per_side: 1, parts: vec![part] };
        let said = TopicFrame { states, ..TopicFrame::default() };
        let topics = (0..CELLS).map(|cell| (TopicId(cell), said.clone())).collect();
        let time = Timestamp(number as i64 * TICK.as_micros() as i64);
        let mut frame = Frame { number, tick: number, time, topics, ..Frame::default() };
        if number == 1 {
            let entered = (0..CELLS).map(|cell| Entered {
                topic: TopicId(cell),
                square: Some(Square { space: 0, min: [0.0, cell as f32], size: 1.0 }),
                snapshot: Arc::new(Snapshot::new(Bytes::from_static(&[9; 10]))),
                followed: Vec::new(),
            });
            let viewpoint = Some(Viewpoint { space: 0, at: [0.5, 0.5], radius: 100.0 });
            let own = SessionFrame { entered: entered.collect(), viewpoint, ..SessionFrame::default() };
            frame.sessions.insert(SESSION, own);
        }
        frame
    }

    /// Packs frames 1 and up, a tick apart, and returns how many bytes each frame's messages on the ordered lane, and
    /// those on the latest lane, have.
    fn run(bytes_per_second: u32, room: Room, frames: u64, metrics: &Metrics) -> Vec<(usize, Vec<usize>)> {
        let limits = SessionLimits { bytes_per_second, bytes_burst: 2000, ..SessionLimits::default() };
        let start = Instant::now();
        let mut stream = Stream::new(SESSION, &limits, start);
        let mut sent = Vec::new();
        for number in 1..=frames {
            let frame = frame(number);
            let mut packer = Packer::default();
            let now = start + TICK * number as u32;
            let own = frame.sessions.get(&SESSION);
            let bytes = stream.pack(&frame, own, room, now, &mut packer, metrics);
            let world = packer.world.concat();
            assert!(world.is_empty() || matches!(ServerMessage::decode(&world), Ok(ServerMessage::Frame(_))));
            for datagram in &packer.datagrams {
                assert!(matches!(ServerMessage::decode(datagram), Ok(ServerMessage::State(_))));
            }
            let lens: Vec<_> = packer.datagrams.iter().map(Bytes::len).collect();
            assert_eq!(bytes, world.len() + lens.iter().sum::<usize>());
            sent.push((world.len(), lens));
        }
        sent
    }

    #[test]
    fn a_session_stays_within_its_budget_over_time() {
        let metrics = Metrics::default();
        let room = Room { datagrams: None, pace: Pace::Good };
        // All would be 40,000 bytes a second.
        let sent = run(10_000, room, 200, &metrics);
        let bytes: usize = sent.iter().map(|sent| sent.0).sum();
        // What a message has beside states was not counted before it was sent.
        assert!((80_000..=102_000 + 64 + STATE.len()).contains(&bytes), "{bytes}");
        let metrics = metrics.snapshot();
        let states = metrics.bytes_states_full + metrics.bytes_states_half + metrics.bytes_states_quarter;
        assert_eq!(metrics.bytes_snapshots, 10 * u64::from(CELLS));
        assert_eq!(states + metrics.bytes_ordered + metrics.bytes_snapshots, bytes as u64);
        assert!(metrics.states_over_budget > 0);
    }

    #[test]
    fn without_a_limit_everything_is_sent() {
        let metrics = Metrics::default();
        let sent = run(0, Room { datagrams: None, pace: Pace::Good }, 100, &metrics);
        assert!(sent.iter().all(|sent| sent.0 >= 2000), "{sent:?}");
        assert_eq!(metrics.snapshot().states_over_budget, 0);
    }

    #[test]
    fn states_go_as_datagrams_that_fit_and_a_beat_keeps_them_valid() {
        let metrics = Metrics::default();
        let datagrams = Some(Datagrams { bytes_max: 1200, room: 1500 });
        let sent = run(0, Room { datagrams, pace: Pace::Good }, 100, &metrics);
        assert!(sent[0].0 > 200);
        let beats: Vec<_> = (1..100).filter(|frame| sent[*frame].0 > 0).collect();
        assert_eq!(beats, [18, 36, 54, 72, 90]);
        for (_, lens) in &sent {
            assert_eq!(lens.len(), 2, "{lens:?}");
            assert!(lens.iter().all(|len| *len <= 1200) && lens.iter().sum::<usize>() <= 1500 + 2 * 8);
        }
        let metrics = metrics.snapshot();
        assert_eq!((metrics.datagrams_out, metrics.states_without_room), (200, 500));
    }

    #[test]
    fn who_reads_too_slowly_gets_no_states_but_what_is_ordered() {
        let metrics = Metrics::default();
        let sent = run(0, Room { datagrams: None, pace: Pace::Slow }, 3, &metrics);
        assert!(sent[0].0 > 200);
        assert_eq!(sent[1..], [(0, vec![]), (0, vec![])]);
        assert_eq!(metrics.snapshot().states_over_budget, 60);
    }

    /// What a shard spends on 1,000 sessions without their sockets; prints it.
    #[test]
    #[ignore = "a measurement: run it alone, with --no-capture"]
    fn cost_of_packing() {
        for (name, cells, per_side, rows, len) in [("normal", 25, 1, 4, 30), ("hotspot", 9, 8, 2, 20)] {
            let part = |part| StatePart { part, rows, bytes: vec![7; len].into() };
            let states =
                States { parts_per_side: per_side, parts: (0..per_side * per_side).map(part).collect() };
            let said = TopicFrame { states, ..TopicFrame::default() };
            let topics: hashbrown::HashMap<_, _> =
                (0..cells).map(|cell| (TopicId(cell), said.clone())).collect();
            let side = f64::from(cells).sqrt() as u32;
            let entered: Vec<_> = (0..cells)
                .map(|cell| Entered {
                    topic: TopicId(cell),
                    square: Some(Square {
                        space: 0,
                        min: [(cell % side) as f32 * 64.0, (cell / side) as f32 * 64.0],
                        size: 64.0,
                    }),
                    snapshot: Arc::new(Snapshot::new(Bytes::from_static(&[9; 10]))),
                    followed: Vec::new(),
                })
                .collect();
            let at = [side as f32 * 32.0; 2];
            let own = SessionFrame {
                entered,
                viewpoint: Some(Viewpoint { space: 0, at, radius: 128.0 }),
                ..SessionFrame::default()
            };
            let start = Instant::now();
            let mut streams: Vec<_> =
                (0..1000).map(|id| Stream::new(SessionId(id), &SessionLimits::default(), start)).collect();
            let (metrics, frames) = (Metrics::default(), 100);
            let mut spent = Duration::ZERO;
            for number in 1..=frames {
                let time = Timestamp(i64::from(number) * 50_000);
                let frame = Frame {
                    number: number.into(),
                    tick: number.into(),
                    time,
                    topics: topics.clone(),
                    ..Frame::default()
                };
                let room = Room { datagrams: None, pace: Pace::Good };
                let mut packer = Packer::default();
                let began = Instant::now();
                for stream in &mut streams {
                    let own = (number == 1).then_some(&own);
                    stream.pack(&frame, own, room, start + TICK * number, &mut packer, &metrics);
                }
                spent += began.elapsed();
            }
            let each = spent.as_nanos() / u128::from(frames) / 1000;
            println!("{name}: {each} ns per session and frame");
        }
    }
}
