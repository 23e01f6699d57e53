//! When ticks are due. Pure arithmetic on time that is passed in.

use std::time::{Duration, Instant};

/// Absolute tick deadlines: the `n`th is `start + n × period`, however late earlier ones ran.
#[derive(Debug)]
pub(crate) struct Pace {
    period: Duration,
    catch_up_max: u32,
    next: Instant,
}

/// What to do at some moment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// Ticks to run now.
    pub(crate) ticks: u32,
    /// Ticks that will never run.
    pub(crate) dropped: u64,
    /// How late the first of them is.
    pub(crate) lateness: Duration,
}

impl Pace {
    /// The first tick is one period after `start`.
    pub(crate) fn new(start: Instant, period: Duration, catch_up_max: u32) -> Self {
        Self { period, catch_up_max: catch_up_max.max(1), next: start + period }
    }

    /// The next deadline.
    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// The ticks due at `now`, with the deadlines moved on past them.
    pub(crate) fn due(&mut self, now: Instant) -> Due {
        let Some(lateness) = now.checked_duration_since(self.next) else {
            return Due { ticks: 0, dropped: 0, lateness: Duration::ZERO };
        };
        let periods = lateness.as_nanos() / self.period.as_nanos().max(1);
        let behind = u64::try_from(periods).unwrap_or(u64::MAX).saturating_add(1);
        let ticks = behind.min(u64::from(self.catch_up_max)) as u32;
        let passed = self.period.as_nanos().saturating_mul(u128::from(behind));
        self.next += Duration::from_nanos(u64::try_from(passed).unwrap_or(u64::MAX));
        Due { ticks, dropped: behind - u64::from(ticks), lateness }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_millis(50);

    fn pace() -> (Pace, Instant) {
        let start = Instant::now();
        (Pace::new(start, PERIOD, 3), start)
    }

    #[test]
    fn deadlines_are_absolute() {
        let (mut pace, start) = pace();
        assert_eq!(pace.due(start + Duration::from_millis(49)).ticks, 0);
        let due = pace.due(start + Duration::from_millis(57));
        assert_eq!((due.ticks, due.dropped, due.lateness), (1, 0, Duration::from_millis(7)));
        assert_eq!(pace.next(), start + 2 * PERIOD, "the late tick does not move the next one");
    }

    #[test]
    fn what_is_beyond_the_bound_is_dropped_and_counted() {
        let (mut pace, start) = pace();
        let due = pace.due(start + 10 * PERIOD);
        assert_eq!((due.ticks, due.dropped), (3, 7));
        assert_eq!(pace.next(), start + 11 * PERIOD);
        assert_eq!(pace.due(start + 10 * PERIOD).ticks, 0);
    }
}
