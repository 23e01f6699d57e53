//! How many states were lost. They carry no numbers of their own, so it is told from the beat in which they come: where mostly every
//! second tick brings one, two ticks without are one that is lost.

/// Ticks of which it is remembered whether a state came.
const TICKS_KEPT: usize = 256;

/// A state may come so many ticks late before it counts as lost.
const LATE_TICKS: u64 = 4;

/// After so many beats without a state nothing was lost: nothing moved.
const BEATS_MAX: u64 = 8;

#[derive(Debug)]
pub(crate) struct Losses {
    ticks: [Option<u64>; TICKS_KEPT],
    newest: u64,
    reported: Option<u64>,
}

impl Default for Losses {
    fn default() -> Self {
        Self { ticks: [None; TICKS_KEPT], newest: 0, reported: None }
    }
}

impl Losses {
    /// A state of `tick` came.
    pub(crate) fn seen(&mut self, tick: u64) {
        self.ticks[tick as usize % TICKS_KEPT] = Some(tick);
        self.reported.get_or_insert(tick);
        self.newest = self.newest.max(tick);
    }

    /// How many were lost since the last time.
    pub(crate) fn lost_since(&mut self) -> u64 {
        let until = self.newest.saturating_sub(LATE_TICKS);
        match self.reported {
            Some(from) if from < until => {
                self.reported = Some(until);
                self.between(from, until).1
            }
            _ => 0,
        }
    }

    /// The share that was lost of late, 0 to 1.
    pub(crate) fn share(&self) -> f32 {
        let until = self.newest.saturating_sub(LATE_TICKS);
        let (came, lost) = self.between(until.saturating_sub(TICKS_KEPT as u64 / 2), until);
        if lost == 0 { 0.0 } else { lost as f32 / (came + lost) as f32 }
    }

    fn between(&self, from: u64, until: u64) -> (u64, u64) {
        let from = from.max((self.newest + 1).saturating_sub(TICKS_KEPT as u64));
        let came: Vec<u64> =
            (from..=until).filter(|tick| self.ticks[*tick as usize % TICKS_KEPT] == Some(*tick)).collect();
        let mut gaps: Vec<u64> = came.windows(2).map(|pair| pair[1] - pair[0]).collect();
        gaps.sort_unstable();
        let beat = gaps.get(gaps.len() / 4).copied().unwrap_or(1).max(1);
        let missing = |gap: u64| ((gap + beat / 2) / beat).saturating_sub(1);
        let lost = gaps.iter().filter(|gap| **gap <= beat * BEATS_MAX).map(|gap| missing(*gap)).sum();
        (gaps.len() as u64, lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_misses_a_beat_is_lost() {
        for beat in [1, 2, 4] {
            let mut losses = Losses::default();
            assert_eq!((losses.lost_since(), losses.share()), (0, 0.0));
            let seen = (0..60).filter(|number| number % 10 != 3 && *number != 47);
            seen.for_each(|number| losses.seen(1000 + number * beat));
            assert_eq!(losses.lost_since(), 7);
            assert_eq!(losses.lost_since(), 0);
            let share = losses.share();
            assert!((0.05..0.2).contains(&share), "{share}");
            // A long rest is none.
            losses.seen(1000 + 300 * beat);
            losses.seen(1000 + 300 * beat + LATE_TICKS);
            assert_eq!(losses.lost_since(), 0);
        }
    }
}
