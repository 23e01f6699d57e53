//! What a client counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use evertick_protocol::Pong;
use evertick_schema::Timestamp;

/// Numbers of one session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Bytes received, without the transport's framing.
    pub bytes_in: u64,
    /// Messages received.
    pub messages_in: u64,
    /// Frames applied to the replica.
    pub frames: u64,
    /// Rows inserted, updated and removed by them.
    pub changes: u64,
    /// The last tick heard of, by frame or pong.
    pub tick: u64,
    /// The world's time then.
    pub time: Timestamp,
    /// What the server's last tick took, as of the last pong.
    pub tick_cost: Duration,
    /// The last round trip; zero before the first.
    pub round_trip: Duration,
}

/// [`Statistics`] as they grow; written by the session's task only.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    bytes_in: AtomicU64,
    messages_in: AtomicU64,
    frames: AtomicU64,
    changes: AtomicU64,
    tick: AtomicU64,
    time_us: AtomicU64,
    tick_cost_us: AtomicU64,
    round_trip_us: AtomicU64,
}

impl Tally {
    pub(crate) fn message(&self, bytes: usize) {
        self.messages_in.fetch_add(1, Ordering::Relaxed);
        self.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn frame(&self, changes: usize) {
        self.frames.fetch_add(1, Ordering::Relaxed);
        self.changes.fetch_add(changes as u64, Ordering::Relaxed);
    }

    pub(crate) fn clock(&self, tick: u64, time: Timestamp) {
        self.tick.store(tick, Ordering::Relaxed);
        self.time_us.store(time.0.cast_unsigned(), Ordering::Relaxed);
    }

    pub(crate) fn pong(&self, pong: &Pong, round_trip: Duration) {
        self.clock(pong.tick, pong.time);
        self.tick_cost_us.store(pong.tick_cost_us.into(), Ordering::Relaxed);
        self.round_trip_us
            .store(u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Statistics {
        let get = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Statistics {
            bytes_in: get(&self.bytes_in),
            messages_in: get(&self.messages_in),
            frames: get(&self.frames),
            changes: get(&self.changes),
            tick: get(&self.tick),
            time: Timestamp(get(&self.time_us).cast_signed()),
            tick_cost: Duration::from_micros(get(&self.tick_cost_us)),
            round_trip: Duration::from_micros(get(&self.round_trip_us)),
        }
    }
}
