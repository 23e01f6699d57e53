//! What time it is in the world, as far as a shard knows.

use std::time::{Duration, Instant};

use evertick_protocol::Frame;
use evertick_schema::Timestamp;

/// What of the last frame is asked for between frames.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    pub(crate) number: u64,
    pub(crate) tick: u64,
    pub(crate) time: Timestamp,
    pub(crate) tick_cost_us: u32,
    /// When the tick started, as far as this shard can tell.
    pub(crate) started: Option<Instant>,
}

impl Clock {
    /// The clock once `frame` is there.
    pub(crate) fn after(self, frame: &Frame, now: Instant) -> Self {
        let Frame { number, tick, time, tick_cost_us, .. } = *frame;
        // A tick's later frames say nothing of its start.
        let started = if tick == self.tick {
            self.started
        } else {
            now.checked_sub(Duration::from_micros(tick_cost_us.into()))
        };
        Self { number, tick, time, tick_cost_us, started }
    }

    /// The time from `now` until `tick` starts, in microseconds, when ticks are `tick_us` long.
    pub(crate) fn slack_us(self, tick: u64, tick_us: u32, now: Instant) -> Option<i64> {
        let passed = now.saturating_duration_since(self.started?).as_micros() as i64;
        let ahead = i64::try_from(i128::from(tick) - i128::from(self.tick)).ok()?;
        Some(ahead.saturating_mul(tick_us.into()).saturating_sub(passed))
    }
}
