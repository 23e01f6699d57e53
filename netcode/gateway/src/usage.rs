//! How much of its byte budget a session uses.

use std::time::{Duration, Instant};

use crate::metrics::Metrics;

/// Over a shorter time, use says little.
const TIME_MIN: Duration = Duration::from_millis(500);

/// What a session was sent over its connection since its client's last report.
#[derive(Debug)]
pub(crate) struct Usage {
    since: Instant,
    bytes: u64,
    /// Messages that the connection had dropped then.
    dropped: u64,
}

impl Usage {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { since: now, bytes: 0, dropped: 0 }
    }

    pub(crate) const fn sent(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// Counts it, and begins anew. `dropped`: by the connection, since its start.
    pub(crate) fn report(&mut self, bytes_per_second: u32, dropped: u64, now: Instant, metrics: &Metrics) {
        metrics.datagrams_dropped.add(dropped.saturating_sub(self.dropped));
        self.dropped = dropped;
        let time = now.saturating_duration_since(self.since);
        if bytes_per_second == 0 || time < TIME_MIN {
            return;
        }
        let budget = f64::from(bytes_per_second) * time.as_secs_f64();
        metrics.budget_use_permille.record((self.bytes as f64 * 1000.0 / budget) as u64);
        (self.since, self.bytes) = (now, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn use_is_a_part_of_the_budget_and_drops_count_once() {
        let (start, metrics) = (Instant::now(), Metrics::default());
        let mut usage = Usage::new(start);
        usage.sent(1500);
        usage.report(1000, 3, start + TIME_MIN / 2, &metrics);
        assert_eq!(metrics.snapshot().budget_use_permille.count, 0, "too early to tell");
        usage.report(1000, 5, start + Duration::from_secs(2), &metrics);
        usage.report(0, 5, start + Duration::from_secs(4), &metrics);
        let counted = metrics.snapshot();
        assert_eq!((counted.budget_use_permille.count, counted.datagrams_dropped), (1, 5));
        assert!(counted.budget_use_permille.p50.abs_diff(750) < 10);
        usage.report(1000, 5, start + Duration::from_secs(4), &metrics);
        assert_eq!(metrics.snapshot().budget_use_permille.p50, 0);
    }
}
