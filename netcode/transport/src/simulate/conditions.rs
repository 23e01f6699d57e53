//! What a simulated network does, and the chance behind it.

use std::time::Duration;

/// A network between two ends; the same both ways. The default is a perfect one.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Conditions {
    /// From one end to the other, at least; a round trip takes twice as long.
    pub latency: Duration,
    /// What a message takes longer at most; each has its own part of it, all parts are as likely.
    pub jitter: Duration,
    /// The share of messages that get lost, 0 to 1.
    pub loss: f64,
    /// How many are lost in a row, on average; up to 1 every loss is for itself (the model of Gilbert and Elliott, with all lost in
    /// its bad state).
    pub burst: f64,
    /// The share of messages of the latest lane that arrive twice, 0 to 1.
    pub duplicate: f64,
    /// The share of messages of the latest lane that are held up for another `latency` and `jitter`, so that later ones overtake, 0 to 1.
    pub reorder: f64,
    /// The same seed does the same to the same messages at the same times.
    pub seed: u64,
}

impl Conditions {
    /// What a lost message of an ordered lane takes longer: it is missed and sent again.
    pub(super) fn repetition(&self) -> Duration {
        2 * (self.latency + self.jitter) + REPETITION_MIN
    }
}

/// What finding out takes beyond the round trip.
const REPETITION_MIN: Duration = Duration::from_millis(10);

/// Random numbers (SplitMix64, by Guy Steele and others) and the network's state.
#[derive(Debug)]
pub(super) struct Chance {
    state: u64,
    losing: bool,
}

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed, losing: false }
    }

    /// From 0 up to, not including, 1.
    fn fraction(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True in this share of the cases.
    pub(super) fn happens(&mut self, share: f64) -> bool {
        self.fraction() < share
    }

    /// Up to `all`.
    pub(super) fn part_of(&mut self, all: Duration) -> Duration {
        all.mul_f64(self.fraction())
    }

    /// Whether the next message gets lost.
    pub(super) fn loses(&mut self, conditions: &Conditions) -> bool {
        let (loss, burst) = (conditions.loss.clamp(0.0, 1.0), conditions.burst.max(1.0));
        let share = if burst <= 1.0 {
            loss
        } else if self.losing {
            // A burst ends after `burst` messages on average, and those between bursts are as many as `loss` wants.
            1.0 - 1.0 / burst
        } else {
            loss / (burst * (1.0 - loss)).max(f64::MIN_POSITIVE)
        };
        self.losing = self.happens(share);
        self.losing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_lost_as_wanted_and_in_bursts() {
        for (loss, burst) in [(0.0, 0.0), (0.05, 0.0), (0.05, 1.0), (0.05, 4.0), (0.3, 10.0), (1.0, 1.0)] {
            let conditions = Conditions { loss, burst, ..Conditions::default() };
            let mut chance = Chance::new(1);
            let lost: Vec<bool> = (0..200_000).map(|_| chance.loses(&conditions)).collect();
            let count = lost.iter().filter(|lost| **lost).count();
            let share = count as f64 / lost.len() as f64;
            assert!((share - loss).abs() < 0.01, "{share} for {loss}");
            let bursts = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count();
            let length = count as f64 / bursts.max(1) as f64;
            let want = if burst > 1.0 { burst } else { 1.0 / (1.0 - loss) };
            if loss > 0.0 && loss < 1.0 {
                assert!((length / want - 1.0).abs() < 0.1, "{length} in a row for {want}");
            }
        }
    }
}
