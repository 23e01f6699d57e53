//! What a session is sent of a frame: first what is ordered, all of it; then states, as far as its byte budget goes.

mod resuming;

use std::mem::offset_of;
use std::time::Instant;

use bytes::Bytes;
use evertick_protocol::{Frame, FramePacker, SessionFrame, State, StatePacker, TopicId, prefetch};
use evertick_schema::SessionId;
use evertick_transport::Datagrams;

use crate::answers::Answers;
use crate::budget::{Bucket, Elapsed};
use crate::config::SessionLimits;
use crate::metrics::Tally;
use crate::results::{Departed, Results};
use crate::view::{Due, DueBytes, Scratch, View, cost};

/// A session whose states go by datagram is sent a frame on the ordered lane at least so often, in microseconds of the world's time: its
/// client takes states only near the newest one.
const BEAT_US: i64 = 900_000;
/// While topics are behind, they are asked for in ticks that find so much of a second's bytes.
const ASK_SHARE: usize = 20;

/// What is kept from one session to the next while a frame is handed out.
pub(crate) struct Packer<'f> {
    ordered: FramePacker,
    states: StatePacker,
    view: Scratch,
    /// What the frame says that the session is told in order: what changed, and what happened.
    said: [Vec<&'f Bytes>; 2],
    elapsed: Elapsed,
    /// The message on the ordered lane; none when there is nothing to say.
    pub(crate) world: Vec<Bytes>,
    /// Messages on the latest lane.
    pub(crate) datagrams: Vec<Bytes>,
    /// Topics that the host is to be asked for.
    pub(crate) wanted: Vec<TopicId>,
    /// What is counted of all sessions that were packed.
    pub(crate) tally: Tally,
}

impl Packer<'_> {
    /// A packer for the sessions that `frame` is handed to.
    pub(crate) fn new(frame: &Frame) -> Self {
        Self {
            ordered: FramePacker::new(frame.number, frame.tick, frame.time),
            states: StatePacker::new(),
            view: Scratch::default(),
            said: Default::default(),
            elapsed: Elapsed::default(),
            world: Vec::new(),
            datagrams: Vec::new(),
            wanted: Vec::new(),
            tally: Tally::default(),
        }
    }
}

/// What a session sees, and may be sent.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Stream {
    /// `None` when there is no limit.
    bytes: Option<Bucket>,
    bytes_per_second: usize,
    /// The world's time of the last message on the ordered lane.
    beat_us: i64,
    /// Since when a client that has come back waits for snapshots; results and answers wait with it.
    awaiting: Option<Instant>,
    view: View,
    results: Results,
    answers: Answers,
    departed: Departed,
}

/// What the session's connection can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// So much of it is what most frames need.
    pub(crate) const HOT_BYTES: usize = offset_of!(Self, view) + View::HOT_BYTES;

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

    /// Has the processor fetch what packing needs beside this itself.
    pub(crate) fn prefetch(&self) {
        self.view.prefetch();
    }

    /// Puts what the session is sent of `frame` into the packer's messages. Returns their bytes.
    pub(crate) fn pack<'f>(
        &mut self,
        frame: &'f Frame,
        own: Option<&SessionFrame>,
        room: Room,
        now: Instant,
        packer: &mut Packer<'f>,
    ) -> usize {
        packer.world.clear();
        packer.datagrams.clear();
        packer.wanted.clear();
        let left = self.bytes.as_mut().map_or(usize::MAX, |bytes| bytes.left(now, &mut packer.elapsed));
        if room.pace == Pace::TooSlow {
            packer.tally.topics_behind += self.view.fall_behind(true) as u64;
        }
        let (shared, due) = self.pack_ordered(frame, own, (left, room.pace), packer);
        // Those of earlier frames were sent, or wait for snapshots.
        if own.is_some() || self.awaiting.is_some() {
            self.pack_results(own, &mut packer.ordered, now);
        }
        let mut budget = if left == usize::MAX { left } else { left.saturating_sub(packer.ordered.bytes()) };
        if self.view.is_behind() && room.pace == Pace::Good {
            if left >= self.bytes_per_second / ASK_SHARE {
                self.view.wanted(frame.tick, budget, &mut packer.wanted);
                packer.tally.resyncs += packer.wanted.len() as u64;
            }
            // Tokens gather for what is behind.
            budget /= 2;
        }
        let (in_order, state_bytes) = self.pack_states(frame, room, (due, budget), packer);

        let Packer { ordered, view, world, datagrams, tally, .. } = packer;
        let states = view.due[..in_order].iter().map(|due| due.state);
        let mut bytes = ordered.finish_with_states(&frame.topics, states, world);
        if bytes > 0 {
            self.beat_us = frame.time.0;
        } else if !datagrams.is_empty() && frame.time.0.saturating_sub(self.beat_us) >= BEAT_US {
            self.beat_us = frame.time.0;
            world.push(ordered.beat());
            bytes = world.iter().map(Bytes::len).sum();
        }
        let ordered_bytes = if room.datagrams.is_some() { bytes } else { bytes.saturating_sub(state_bytes) };
        tally.bytes_ordered += ordered_bytes.saturating_sub(shared) as u64;
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

    /// Adds all but states, results and answers, and returns the bytes of snapshots and events, and of the states that are due.
    fn pack_ordered<'f>(
        &mut self,
        frame: &'f Frame,
        own: Option<&SessionFrame>,
        (budget, pace): (usize, Pace),
        packer: &mut Packer<'f>,
    ) -> (usize, DueBytes) {
        let Packer { ordered, view, said, tally, .. } = packer;
        let (mut snapshots, mut events) = (0, 0);
        if let Some(own) = own {
            if let Some(viewpoint) = own.viewpoint {
                self.view.look_from(viewpoint);
            }
            for topic in &own.left {
                self.view.leave(*topic);
                self.departed.add(*topic, frame.time.0);
                ordered.left(*topic);
            }
            let admitted = self.view.admit(&own.entered, budget, pace == Pace::TooSlow);
            for (entered, admitted) in own.entered.iter().zip(admitted) {
                if admitted {
                    snapshots += cost(entered);
                    ordered.entered(entered);
                } else {
                    tally.topics_behind += 1;
                }
                self.view.enter(entered, admitted, frame.tick);
            }
        }
        // Fetched while all is looked through, and then read.
        let [changed, happened] = said;
        let due = self.view.look(frame, view, |block, blocks| {
            block
                .iter()
                .chain(&blocks.events.as_ref())
                .for_each(|block| prefetch(block.as_ptr(), block.len()));
            changed.extend(block);
            happened.extend(&blocks.events);
        });
        changed.drain(..).for_each(|block| ordered.changed(block));
        for block in happened.drain(..) {
            events += block.len();
            ordered.changed(block);
        }
        tally.bytes_snapshots += snapshots as u64;
        tally.bytes_events += events as u64;
        (snapshots + events, due)
    }

    /// Sends the states that were found due, of so many bytes, as far as the budget and the connection's room go. Returns how many of them
    /// are to go in order with the rest, and the bytes of all.
    fn pack_states(
        &mut self,
        frame: &Frame,
        room: Room,
        (due_bytes, budget): (DueBytes, usize),
        packer: &mut Packer<'_>,
    ) -> (usize, usize) {
        let Packer { states, view: Scratch { due, .. }, datagrams, tally, .. } = packer;
        let DueBytes { by_grade, marked } = due_bytes;
        let due_bytes = due_bytes.sum();
        // As for most clients that are sent all in order.
        if room == (Room { datagrams: None, pace: Pace::Good }) && due_bytes <= budget {
            if marked {
                due.iter().for_each(|due| self.view.sent(due, frame.tick));
            }
            count_states(tally, by_grade);
            return (due.len(), due_bytes);
        }
        let room_bytes = room.datagrams.map_or(usize::MAX, |datagrams| datagrams.room);
        if budget.min(room_bytes) < due_bytes {
            self.view.most_urgent_first(due, frame.tick, due_bytes, budget.min(room_bytes));
        }
        let budget = if room.pace == Pace::Good { budget } else { 0 };
        let Some(Datagrams { bytes_max, mut room }) = room.datagrams else {
            return self.spend(frame, due, budget, tally, |_| true);
        };
        if due.is_empty() {
            return (0, 0);
        }
        states.begin(frame.number, frame.tick, bytes_max);
        let (_, bytes) = self.spend(frame, due, budget, tally, |state| {
            let state = frame.topics.state(state);
            // What is too long for a datagram goes by a stream of its own.
            if state.len() <= bytes_max && room < state.len() {
                return false;
            }
            room = room.saturating_sub(state.len());
            if !states.add(state) {
                datagrams.extend(states.finish());
                states.begin(frame.number, frame.tick, bytes_max);
                states.add(state);
            }
            true
        });
        datagrams.extend(states.finish());
        tally.datagrams_out += datagrams.len() as u64;
        (0, bytes)
    }

    /// Takes states in their order, until the budget is spent or `add` has no room. Returns how many were taken, and their bytes.
    #[inline]
    fn spend(
        &mut self,
        frame: &Frame,
        due: &[Due],
        mut budget: usize,
        tally: &mut Tally,
        mut add: impl FnMut(State) -> bool,
    ) -> (usize, usize) {
        let mut by_grade = [0; 4];
        let mut taken = due.len();
        for (done, due_now) in due.iter().enumerate() {
            // The last may be longer than what is left, which is a debt then: so a long one is not passed over for ever.
            if budget == 0 {
                tally.states_over_budget += (due.len() - done) as u64;
                taken = done;
                break;
            }
            if !add(due_now.state) {
                tally.states_without_room += (due.len() - done) as u64;
                taken = done;
                break;
            }
            let bytes = due_now.state.bytes();
            budget = budget.saturating_sub(bytes);
            by_grade[due_now.grade as usize] += bytes;
            self.view.sent(due_now, frame.tick);
        }
        self.view.not_sent(&due[taken..], frame.tick);
        count_states(tally, by_grade);
        (taken, by_grade.iter().sum())
    }
}

/// Counts the bytes of states that are sent.
fn count_states(tally: &mut Tally, [first, full, half, quarter]: [usize; 4]) {
    tally.bytes_states_full += (first + full) as u64;
    tally.bytes_states_half += half as u64;
    tally.bytes_states_quarter += quarter as u64;
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
