//! Rate limits that a reducer declares for each session.

use evertick_schema::{RateDef, SessionId, Timestamp};
use hashbrown::HashMap;

/// Token buckets of (session, reducer) pairs that have a rate. A session's buckets go with the session, so
/// there are at most sessions × limited reducers of them.
#[derive(Debug, Default)]
pub(crate) struct RateLimits {
    buckets: HashMap<(SessionId, u32), Bucket>,
}

#[derive(Debug)]
struct Bucket {
    /// In calls × `per_us`, so that the arithmetic is exact.
    tokens: i128,
    filled: Timestamp,
}

impl RateLimits {
    /// Takes one call of `reducer` out of the session's bucket. False when there is none left.
    pub(crate) fn take(&mut self, session: SessionId, reducer: u32, rate: RateDef, now: Timestamp) -> bool {
        let one = i128::from(rate.per_us);
        let full = one * i128::from(rate.calls);
        let bucket = self.buckets.entry((session, reducer)).or_insert(Bucket { tokens: full, filled: now });
        let passed = i128::from(now.since(bucket.filled).as_micros().max(0));
        bucket.tokens = (bucket.tokens + passed * i128::from(rate.calls)).min(full);
        bucket.filled = bucket.filled.max(now);
        let allowed = bucket.tokens >= one;
        if allowed {
            bucket.tokens -= one;
        }
        allowed
    }

    /// Forgets the session, which has one bucket at most for each of `reducers`.
    pub(crate) fn forget(&mut self, session: SessionId, reducers: impl Iterator<Item = u32>) {
        for reducer in reducers {
            self.buckets.remove(&(session, reducer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let mut limits = RateLimits::default();
        let rate = RateDef { calls: 5, per_us: 1_000_000 };
        let mut take = |at: i64| limits.take(SessionId(1), 0, rate, Timestamp(at));
        assert!((0..5).all(|_| take(0)));
        assert!(!take(199_999));
        assert!(take(200_000));
        assert!(!take(200_000));
        assert!((0..5).all(|_| take(60_000_000)));
        assert!(!take(60_000_000), "the bucket holds no more than one burst");
        assert!(!take(0), "time that goes back fills nothing");
    }
}
