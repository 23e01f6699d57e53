//! The world's time.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use evertick_schema::Timestamp;

/// The wall clock, made monotonic: it never goes back, not even over a restart.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    start_us: i64,
}

impl Clock {
    /// Starts at the wall clock's time, or at `last`, the world's time so far, where that is later.
    pub(crate) fn start(last: Timestamp) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall_us = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        Self { start: Instant::now(), start_us: wall_us.max(last.0) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.start.elapsed().as_micros()).unwrap_or(i64::MAX);
        Timestamp(self.start_us.saturating_add(passed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_from_where_the_world_was() {
        let wall = Clock::start(Timestamp(0)).now();
        let ahead = Timestamp(wall.0 + 3_600_000_000);
        assert!(Clock::start(ahead).now() >= ahead);
        assert!(Clock::start(ahead).now().0 < ahead.0 + 60_000_000);
        assert!(Clock::start(Timestamp(1)).now() >= wall);
    }
}
