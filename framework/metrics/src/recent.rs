use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// How far back a [`Recent`] reaches: what is older by a fifth more is forgotten for sure.
pub const RECENT_TIME: Duration = Duration::from_secs(10);

/// Values are forgotten in steps of this.
const STEP: Duration = Duration::from_secs(2);

/// Steps that are kept: the present one, which is not over, and [`RECENT_TIME`].
const STEPS: usize = (RECENT_TIME.as_secs() / STEP.as_secs()) as usize + 1;

/// Larger values count as this one. In microseconds it is a minute.
const VALUE_MAX: u64 = 60_000_000;

/// How the values of the last ten seconds are spread. Told to about one part in a hundred; takes 60 KiB, whatever their number.
#[derive(Debug)]
pub struct Recent {
    start: Instant,
    steps: Mutex<[Step; STEPS]>,
}

#[derive(Debug)]
struct Step {
    /// Steps since the start.
    number: u64,
    values: Histogram<u32>,
}

/// How some values are spread; all zeros when there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// How many values.
    pub count: u64,
    /// Their median.
    pub p50: u64,
    /// Their 99th percentile.
    pub p99: u64,
    /// The largest.
    pub max: u64,
}

impl Spread {
    /// Each number under a name of its own: `name.count`, `name.p50`, `name.p99`, `name.max`.
    pub fn values(self, name: &str) -> [(String, u64); 4] {
        let Self { count, p50, p99, max } = self;
        [("count", count), ("p50", p50), ("p99", p99), ("max", max)]
            .map(|(part, value)| (format!("{name}.{part}"), value))
    }
}

impl Default for Recent {
    fn default() -> Self {
        let steps = std::array::from_fn(|_| Step { number: 0, values: empty() });
        Self { start: Instant::now(), steps: Mutex::new(steps) }
    }
}

impl Recent {
    /// Notes a value.
    pub fn record(&self, value: u64) {
        self.record_at(value, Instant::now());
    }

    /// Notes a time, in microseconds.
    pub fn record_time(&self, time: Duration) {
        self.record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// How the values are spread that were noted in the last ten seconds.
    pub fn spread(&self) -> Spread {
        self.spread_at(Instant::now())
    }

    fn record_at(&self, value: u64, now: Instant) {
        let number = self.number(now);
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let step = &mut steps[number as usize % STEPS];
        if step.number != number {
            step.number = number;
            step.values.reset();
        }
        step.values.saturating_record(value);
    }

    fn spread_at(&self, now: Instant) -> Spread {
        let number = self.number(now);
        let mut all = empty();
        {
            let steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
            for step in steps.iter().filter(|step| step.number + STEPS as u64 > number) {
                // All have the same bounds, so they fit.
                let _fits = all.add(&step.values);
            }
        }
        let at = |quantile| all.value_at_quantile(quantile).min(all.max());
        Spread { count: all.len(), p50: at(0.5), p99: at(0.99), max: all.max() }
    }

    fn number(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.start).as_secs() / STEP.as_secs()
    }
}

fn empty() -> Histogram<u32> {
    Histogram::new_with_max(VALUE_MAX, 2).expect("the bounds are constants that fit")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_spread_and_forgotten() {
        let recent = Recent::default();
        assert_eq!(recent.spread(), Spread::default());
        let at = |seconds| recent.start + Duration::from_secs(seconds);
        (1..=100).for_each(|value| recent.record_at(value, at(1)));
        assert_eq!(recent.spread_at(at(1)), Spread { count: 100, p50: 50, p99: 99, max: 100 });
        recent.record_at(u64::MAX, at(9));
        let spread = recent.spread_at(at(10));
        assert_eq!((spread.count, spread.p50), (101, 51));
        assert!(spread.max.abs_diff(VALUE_MAX) < VALUE_MAX / 50, "{spread:?}");
        let later = recent.spread_at(at(12));
        assert_eq!((later.count, later.p50), (1, later.max));
        assert_eq!(recent.spread_at(at(22)), Spread::default());
        // The step's place is taken again.
        recent.record_at(7, at(25));
        assert_eq!(recent.spread_at(at(25)), Spread { count: 1, p50: 7, p99: 7, max: 7 });
    }
}
