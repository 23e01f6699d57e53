//! Records on their way from the world's thread to the log's.
//!
//! [`Log::append`](super::Log::append) is on the hot path of every commit: one uncontended lock, one copy, and a
//! wake-up only if the log's thread sleeps and somebody waits for the record.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::log::config::LogConfig;
use crate::log::error::LogError;
use crate::log::format::Group;

/// How many emptied groups keep their memory.
const FREE_MAX: usize = 3;

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// The log's thread sleeps here.
    work: Condvar,
    /// [`Queue::append`] waits here for room.
    room: Condvar,
    synced: AtomicU64,
    /// The same as `state.failing.is_some() || state.ended`.
    stuck: AtomicBool,
    group_bytes_max: usize,
    bytes_max: usize,
    records_max: usize,
    append_wait_max: Duration,
}

#[derive(Debug)]
struct State {
    /// The last one takes further records; the others are full.
    groups: VecDeque<Group>,
    free: Vec<Group>,
    /// Bytes and records that are not synced, those being written included.
    bytes: usize,
    records: usize,
    last_seq: u64,
    /// Somebody waits for a record that is queued.
    awaited: bool,
    /// The log's thread sleeps, and nobody has woken it yet.
    asleep: bool,
    /// [`Queue::append`] waits for room.
    blocked: bool,
    closing: bool,
    failing: Option<String>,
    ended: bool,
}

/// What the log's thread is to do next.
pub(super) enum Next {
    Write(Group),
    /// Nothing came for a while.
    Quiet,
    Close,
}

impl Queue {
    pub(super) fn new(config: &LogConfig, last_seq: u64) -> Self {
        Self {
            state: Mutex::new(State {
                groups: VecDeque::new(),
                free: Vec::new(),
                bytes: 0,
                records: 0,
                last_seq,
                awaited: false,
                asleep: false,
                blocked: false,
                closing: false,
                failing: None,
                ended: false,
            }),
            work: Condvar::new(),
            room: Condvar::new(),
            synced: AtomicU64::new(last_seq),
            stuck: AtomicBool::new(false),
            group_bytes_max: config.group_bytes_max,
            bytes_max: config.queue_bytes_max,
            records_max: config.queue_records_max,
            append_wait_max: config.append_wait_max,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn append(&self, seq: u64, body: &[u8], awaited: bool) -> Result<(), LogError> {
        let mut state = self.state();
        if seq <= state.last_seq {
            return Err(LogError::Order { seq, last: state.last_seq });
        }
        if !self.has_room(&state, body.len()) {
            state = self.wait_for_room(state, body.len())?;
        }
        if state.ended {
            return Err(LogError::ThreadEnded);
        }
        match state.groups.back_mut() {
            Some(group) if group.len_with(body) <= self.group_bytes_max => group.push(seq, body),
            _ => {
                let mut group = state.free.pop().unwrap_or_default();
                group.push(seq, body);
                state.groups.push_back(group);
            }
        }
        state.bytes += body.len();
        state.records += 1;
        state.last_seq = seq;
        state.awaited |= awaited;
        let is_worth_it = state.awaited || state.bytes >= self.group_bytes_max;
        let wake = state.asleep && is_worth_it;
        state.asleep &= !wake;
        drop(state);
        if wake {
            self.work.notify_one();
        }
        Ok(())
    }

    fn has_room(&self, state: &State, bytes: usize) -> bool {
        state.records == 0 || (state.bytes + bytes <= self.bytes_max && state.records < self.records_max)
    }

    #[cold]
    fn wait_for_room<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        bytes: usize,
    ) -> Result<MutexGuard<'a, State>, LogError> {
        let until = Instant::now() + self.append_wait_max;
        loop {
            if state.ended || self.has_room(&state, bytes) {
                return Ok(state);
            }
            let left = until.saturating_duration_since(Instant::now());
            let reason = match &state.failing {
                Some(error) => error.clone(),
                None if left.is_zero() => {
                    format!("the disk has not written any in {:?}", self.append_wait_max)
                }
                None => {
                    state.blocked = true;
                    if std::mem::take(&mut state.asleep) {
                        self.work.notify_one();
                    }
                    state = self.room.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
                    continue;
                }
            };
            return Err(LogError::Full { waiting_bytes: state.bytes, reason });
        }
    }

    /// What to do next, which is waited for at most `interval`.
    pub(super) fn next(&self, interval: Duration) -> Next {
        let mut state = self.state();
        let mut slept = false;
        loop {
            let is_worth_it = state.awaited || state.bytes >= self.group_bytes_max || state.blocked;
            if (is_worth_it || slept || state.closing)
                && let Some(group) = state.groups.pop_front()
            {
                state.awaited &= !state.groups.is_empty();
                return Next::Write(group);
            }
            if state.closing {
                return Next::Close;
            }
            if slept {
                return Next::Quiet;
            }
            state.asleep = true;
            let (woken, timeout) =
                self.work.wait_timeout(state, interval).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.asleep = false;
            slept = timeout.timed_out();
        }
    }

    /// A group is on the disk.
    pub(super) fn synced_group(&self, mut group: Group) {
        self.synced.store(group.last_seq, Ordering::Release);
        let bytes = group.body_bytes;
        let records = group.records as usize;
        group.clear();
        let mut state = self.state();
        state.bytes -= bytes;
        state.records -= records;
        if state.free.len() < FREE_MAX && group.capacity() <= 2 * self.group_bytes_max {
            state.free.push(group);
        }
        if std::mem::take(&mut state.blocked) {
            self.room.notify_all();
        }
    }

    /// The disk fails, or works again.
    pub(super) fn set_failing(&self, error: Option<String>) {
        let mut state = self.state();
        self.stuck.store(error.is_some(), Ordering::Release);
        state.failing = error;
        if std::mem::take(&mut state.blocked) {
            self.room.notify_all();
        }
    }

    /// Sleeps for this long, or until the log is to be closed. True if it is.
    pub(super) fn rest(&self, interval: Duration) -> bool {
        let state = self.state();
        let rested = self.work.wait_timeout_while(state, interval, |state| !state.closing);
        rested.unwrap_or_else(PoisonError::into_inner).0.closing
    }

    pub(super) fn close(&self) {
        self.state().closing = true;
        self.work.notify_one();
    }

    /// The log's thread is gone.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        self.stuck.store(true, Ordering::Release);
        self.room.notify_all();
    }

    pub(super) fn synced(&self) -> u64 {
        self.synced.load(Ordering::Acquire)
    }

    pub(super) fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Acquire)
    }

    /// Why nothing is synced, if so.
    pub(super) fn failing(&self) -> Option<String> {
        let state = self.state();
        let ended = state.ended.then(|| LogError::ThreadEnded.to_string());
        state.failing.clone().or(ended)
    }

    /// Bytes and records that wait.
    pub(super) fn waiting(&self) -> (usize, usize) {
        let state = self.state();
        (state.bytes, state.records)
    }
}
