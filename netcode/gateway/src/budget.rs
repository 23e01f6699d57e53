//! How much a session may ask for, and how much it is sent: token buckets.

use std::time::Instant;

/// A token bucket: so many per second, bursts up to a capacity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    tokens: f64,
    capacity: f64,
    per_second: f64,
    filled: Instant,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn new(per_second: u32, capacity: u32, now: Instant) -> Self {
        let capacity = f64::from(capacity.max(1));
        Self { tokens: capacity, capacity, per_second: f64::from(per_second), filled: now }
    }

    fn fill(&mut self, now: Instant, elapsed: &mut Elapsed) {
        let seconds = elapsed.seconds(self.filled, now);
        self.tokens = (self.tokens + seconds * self.per_second).min(self.capacity);
        self.filled = now;
    }

    /// How many tokens there are, in whole ones.
    pub(crate) fn left(&mut self, now: Instant, elapsed: &mut Elapsed) -> usize {
        self.fill(now, elapsed);
        self.tokens.max(0.0) as usize
    }

    /// Takes so many tokens, there or not: what is missing is a debt of at most one second's filling or the capacity, whatever is more.
    pub(crate) fn spend(&mut self, count: usize) {
        self.tokens = (self.tokens - count as f64).max(-self.per_second.max(self.capacity));
    }

    /// Takes one token, if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        self.fill(now, &mut Elapsed::default());
        let there = self.tokens >= 1.0;
        if there {
            self.tokens -= 1.0;
        }
        there
    }
}

/// The seconds between two instants, for many buckets, of which most were filled at the same one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Elapsed {
    between: Option<(Instant, Instant)>,
    seconds: f64,
}

impl Elapsed {
    fn seconds(&mut self, from: Instant, to: Instant) -> f64 {
        if self.between != Some((from, to)) {
            self.between = Some((from, to));
            self.seconds = to.saturating_duration_since(from).as_secs_f64();
        }
        self.seconds
    }
}

/// What is done with something a client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is within the budget.
    Granted,
    /// It is beyond the budget: refused.
    Limited,
    /// So much was refused that the client is not worth keeping.
    Flooding,
}

/// A session's budget for one kind of message: a rate, and how far beyond it a client may go before it is closed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    rate: Bucket,
    /// Refusals in excess of which a client counts as flooding; forgiven at the same rate as the budget fills.
    patience: Bucket,
}

impl Budget {
    pub(crate) fn new(per_second: u32, burst: u32, refused_max: u32, now: Instant) -> Self {
        Self {
            rate: Bucket::new(per_second, burst, now),
            patience: Bucket::new(per_second, refused_max, now),
        }
    }

    pub(crate) fn ask(&mut self, now: Instant) -> Verdict {
        if self.rate.take(now) {
            Verdict::Granted
        } else if self.patience.take(now) {
            Verdict::Limited
        } else {
            Verdict::Flooding
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_then_the_rate_then_refusals_then_the_end() {
        let start = Instant::now();
        let mut budget = Budget::new(10, 5, 3, start);
        let verdicts: Vec<_> = (0..9).map(|_| budget.ask(start)).collect();
        assert_eq!(verdicts[..5], [Verdict::Granted; 5]);
        assert_eq!(verdicts[5..8], [Verdict::Limited; 3]);
        assert_eq!(verdicts[8], Verdict::Flooding);

        let later = start + Duration::from_millis(250); // two and a half tokens
        assert_eq!([0; 2].map(|_| budget.ask(later)), [Verdict::Granted; 2]);
        assert_eq!(budget.ask(later), Verdict::Limited);
    }

    #[test]
    fn a_steady_client_at_the_rate_is_never_refused() {
        let start = Instant::now();
        let mut budget = Budget::new(60, 10, 10, start);
        for call in 0..10_000_u32 {
            let now = start + Duration::from_micros(16_700) * call;
            assert_eq!(budget.ask(now), Verdict::Granted, "call {call}");
        }
    }

    #[test]
    fn a_debt_is_paid_before_anything_else_and_has_an_end() {
        let start = Instant::now();
        let mut bytes = Bucket::new(1000, 500, start);
        let elapsed = &mut Elapsed::default();
        assert_eq!(bytes.left(start, elapsed), 500);
        bytes.spend(900);
        assert_eq!(bytes.left(start, elapsed), 0);
        assert_eq!(bytes.left(start + Duration::from_millis(300), elapsed), 0);
        assert_eq!(bytes.left(start + Duration::from_millis(500), elapsed), 100);
        bytes.spend(1_000_000);
        assert_eq!(bytes.left(start + Duration::from_millis(1600), elapsed), 100);
    }

    #[test]
    fn time_that_stands_still_or_goes_back_gives_nothing() {
        let start = Instant::now() + Duration::from_secs(10);
        let mut bucket = Bucket::new(1000, 1, start);
        assert!(bucket.take(start));
        assert!(!bucket.take(start.checked_sub(Duration::from_secs(5)).unwrap_or(start)));
    }
}
