//! What the log has done, in numbers.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// What a log has done since it was started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogStats {
    /// Bytes written to segments: headers, records, and padding to whole blocks.
    pub bytes: u64,
    /// Bytes of the records themselves.
    pub record_bytes: u64,
    /// Records that were synced.
    pub records: u64,
    /// Groups that were synced.
    pub groups: u64,
    /// How often a group, mark or file could not be written or synced.
    pub failures: u64,
    /// How long a group's write and sync took.
    pub sync_times: SyncTimes,
    /// Bytes of all the log's files, now. Without snapshots.
    pub disk_bytes: u64,
    /// Bytes of records that wait to be synced, now.
    pub waiting_bytes: usize,
}

/// Each power of two of microseconds is cut into so many parts.
const PARTS: u64 = 8;
/// Beyond 2^24 µs (17 s) all fall into one.
const BUCKETS: usize = (25 * PARTS) as usize;

/// Times in buckets, each at most an eighth wider than its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncTimes([u64; BUCKETS]);

impl Default for SyncTimes {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl SyncTimes {
    /// How many.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The time in µs that this part of all (0.5: the median) did not exceed, within an eighth; 0 without any.
    pub fn quantile_us(&self, part: f64) -> u64 {
        let count = self.count();
        let rank = ((count as f64 * part).ceil() as u64).clamp(1, count.max(1));
        let mut seen = 0;
        for (bucket, number) in self.0.iter().enumerate() {
            seen += number;
            if seen >= rank {
                return upper_us(bucket);
            }
        }
        0
    }

    /// Times that came since `earlier`, of the same log.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = self.clone();
        for (now, then) in since.0.iter_mut().zip(earlier.0) {
            *now = now.saturating_sub(then);
        }
        since
    }
}

fn bucket_of(us: u64) -> usize {
    if us < PARTS {
        return us as usize;
    }
    let power = u64::from(us.ilog2());
    let part = (us >> (power - 3)) - PARTS;
    ((power - 2) * PARTS + part).min(BUCKETS as u64 - 1) as usize
}

fn upper_us(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < PARTS { bucket } else { ((bucket % PARTS + PARTS + 1) << (bucket / PARTS - 1)) - 1 }
}

/// The counters behind [`LogStats`], written by the log's thread only.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) bytes: AtomicU64,
    record_bytes: AtomicU64,
    records: AtomicU64,
    groups: AtomicU64,
    pub(crate) failures: AtomicU64,
    sync_times: [AtomicU64; BUCKETS],
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            bytes: AtomicU64::new(0),
            record_bytes: AtomicU64::new(0),
            records: AtomicU64::new(0),
            groups: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            sync_times: [const { AtomicU64::new(0) }; BUCKETS],
        }
    }
}

impl Counters {
    pub(crate) fn synced(&self, records: u64, record_bytes: u64, took: Duration) {
        self.records.fetch_add(records, Relaxed);
        self.record_bytes.fetch_add(record_bytes, Relaxed);
        self.groups.fetch_add(1, Relaxed);
        self.sync_times[bucket_of(took.as_micros() as u64)].fetch_add(1, Relaxed);
    }

    pub(crate) fn read(&self, disk_bytes: u64, waiting_bytes: usize) -> LogStats {
        let mut sync_times = SyncTimes::default();
        for (to, from) in sync_times.0.iter_mut().zip(&self.sync_times) {
            *to = from.load(Relaxed);
        }
        LogStats {
            bytes: self.bytes.load(Relaxed),
            record_bytes: self.record_bytes.load(Relaxed),
            records: self.records.load(Relaxed),
            groups: self.groups.load(Relaxed),
            failures: self.failures.load(Relaxed),
            sync_times,
            disk_bytes,
            waiting_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_falls_into_a_bucket_that_is_an_eighth_wide() {
        let mut last = 0;
        for us in 0..100_000 {
            let bucket = bucket_of(us);
            assert!(bucket == last || bucket == last + 1, "{us} µs");
            last = bucket;
            let upper = upper_us(bucket);
            assert!(us <= upper && upper - us <= us / 8, "{us} µs are in the bucket up to {upper}");
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_those_of_the_times() {
        let counters = Counters::default();
        for us in 1..=1000 {
            counters.synced(1, 10, Duration::from_micros(us));
        }
        let times = counters.read(0, 0).sync_times;
        assert_eq!(times.count(), 1000);
        assert!((500..=563).contains(&times.quantile_us(0.5)));
        assert!((990..=1114).contains(&times.quantile_us(0.99)));
        assert_eq!(times.since(&times).count(), 0);
        assert_eq!(SyncTimes::default().quantile_us(0.5), 0);
    }
}
