//! How old what a client shows is, over time.

/// The width of a bucket, in seconds.
const BUCKET: f64 = 0.001;
/// Buckets; older counts as this old: ten seconds.
const BUCKETS: usize = 10_000;

/// For how long data of which age was shown. Between two arrivals what is shown grows older with every moment, so each
/// stretch is spread evenly over the ages that it went through.
#[derive(Clone)]
pub(crate) struct Ages {
    seconds: Vec<f64>,
}

impl Ages {
    pub(crate) fn new() -> Self {
        Self { seconds: vec![0.0; BUCKETS] }
    }

    /// Data that was `age` seconds old when it was first shown was shown for so many `seconds`.
    pub(crate) fn add(&mut self, age: f64, seconds: f64) {
        let (from, to) = (age.max(0.0) / BUCKET, (age + seconds).max(0.0) / BUCKET);
        let last = (BUCKETS - 1) as f64;
        let mut at = from.min(last);
        while at < to.min(last) {
            let next = (at.floor() + 1.0).min(to);
            self.seconds[at as usize] += (next - at) * BUCKET;
            at = next;
        }
        self.seconds[BUCKETS - 1] += (to - from.max(last)).max(0.0) * BUCKET;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.seconds.iter_mut().zip(&other.seconds) {
            *mine += theirs;
        }
    }

    /// The age in seconds that is exceeded only for so small a share of the time as lies above `quantile`.
    pub(crate) fn quantile(&self, quantile: f64) -> f64 {
        let all: f64 = self.seconds.iter().sum();
        let mut below = 0.0;
        let bucket = self.seconds.iter().position(|seconds| {
            below += seconds;
            below >= all * quantile
        });
        (bucket.unwrap_or(BUCKETS - 1) + 1) as f64 * BUCKET
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saw_tooth_has_evenly_spread_ages() {
        let mut ages = Ages::new();
        for _ in 0..100 {
            ages.add(0.010, 0.050);
        }
        assert!((ages.quantile(0.5) - 0.035).abs() < 0.002, "{}", ages.quantile(0.5));
        assert!((ages.quantile(0.99) - 0.060).abs() < 0.002, "{}", ages.quantile(0.99));
        ages.add(0.0, 100.0);
        assert_eq!(ages.quantile(0.99), 10.0);
    }
}
