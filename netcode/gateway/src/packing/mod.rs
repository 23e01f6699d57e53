//! What a session is sent of a frame: first what is ordered, all of it; then states, as far as its byte budget goes.

mod resuming;

use std::time::Instant;

use bytes::Bytes;
use evertick_protocol::{Frame, FramePacker, SessionFrame, StatePacker, TopicId};
use evertick_schema::SessionId;
use evertick_transport::Datagrams;

use crate::answers::Answers;
use crate::budget::Bucket;
use crate::config::SessionLimits;
use crate::metrics::Metrics;
use crate::results::{Departed, Results};
use crate::view::{Due, View, cost, most_urgent_first};

/// A session whose states go by datagram is sent a frame on the ordered lane at least so often, in microseconds of the world's time: its
/// client takes states only near the newest one.
const BEAT_US: i64 = 900_000;
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
            departed: Departed::new(limits.resume_time),
            awaiting: None,
        }
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

    /// Whether there are topics that are not sent for now.
    pub(crate) fn is_behind(&self) -> bool {
        self.view.seems_behind()
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
mod model;
#[cfg(test)]
mod tests;
