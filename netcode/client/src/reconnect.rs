//! Coming back after a connection was lost: when to try, and for how long.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// What a client does when its connection is lost. The server keeps the session for a while, so the client connects again and
/// goes on with it: calls without an answer are run exactly once, and the replica is brought up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reconnect {
    /// How long it is tried to resume the session. A server keeps it 60 s by default.
    pub resume_time: Duration,
    /// The time before the first attempt, about. Each further one waits twice as long.
    pub backoff_min: Duration,
    /// The longest time between two attempts.
    pub backoff_max: Duration,
    /// Whether to go on with a new session where the old one can't be resumed, for as long as the client wants. Calls without an
    /// answer then fail as [`CallError::Disconnected`](crate::CallError::Disconnected), and the replica starts anew: rows
    /// go and come, and are told of. Otherwise the client ends.
    pub new_session: bool,
}

impl Default for Reconnect {
    fn default() -> Self {
        Self {
            resume_time: Duration::from_secs(60),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(3),
            new_session: false,
        }
    }
}

/// The attempts to come back from one loss. It reads no clock.
#[derive(Debug)]
pub(crate) struct Retries {
    options: Reconnect,
    chance: RandomState,
    attempts: u32,
}

impl Retries {
    pub(crate) fn new(options: Reconnect) -> Self {
        Self { options, chance: RandomState::new(), attempts: 0 }
    }

    /// Whether the session may still be resumed, so long after the loss.
    pub(crate) fn resumable(&self, since_loss: Duration) -> bool {
        since_loss < self.options.resume_time
    }

    /// How long to wait before the next attempt: each time twice as long, a half more or less by chance, so that the clients of
    /// a server that was away do not come back all at once.
    pub(crate) fn delay(&mut self) -> Duration {
        let doubled = self.options.backoff_min.saturating_mul(1 << self.attempts.min(16));
        let part = self.chance.hash_one(self.attempts) % 1000;
        self.attempts += 1;
        let even = doubled.min(self.options.backoff_max);
        even.mul_f64(0.5 + part as f64 / 1000.0).min(self.options.backoff_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_grow_rarer_up_to_a_bound() {
        let options = Reconnect::default();
        let mut retries = Retries::new(options);
        for attempt in 0..100_u32 {
            let even = options.backoff_min.saturating_mul(1 << attempt.min(10)).min(options.backoff_max);
            let delay = retries.delay();
            assert!(delay >= even / 2 && delay <= (even * 3 / 2).min(options.backoff_max), "{delay:?}");
        }
        assert!(retries.resumable(Duration::from_millis(59_999)));
        assert!(!retries.resumable(Duration::from_secs(60)));
    }
}
