//! What the loop counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

/// The longest tick that the histogram tells apart, in microseconds: a minute.
const TICK_US_MAX: u64 = 60_000_000;

/// Counters of one host, shared with whoever shows them.
#[derive(Debug)]
pub struct HostMetrics {
    pub(crate) ticks: AtomicU64,
    pub(crate) ticks_late: AtomicU64,
    pub(crate) ticks_dropped: AtomicU64,
    pub(crate) calls_ok: AtomicU64,
    pub(crate) calls_refused: AtomicU64,
    pub(crate) calls_failed: AtomicU64,
    pub(crate) inputs_run: AtomicU64,
    pub(crate) inputs_late: AtomicU64,
    pub(crate) inputs_refused: AtomicU64,
    pub(crate) inputs_old: AtomicU64,
    pub(crate) inputs_bad: AtomicU64,
    pub(crate) timers: AtomicU64,
    pub(crate) systems: AtomicU64,
    pub(crate) faults: AtomicU64,
    pub(crate) commands_skipped: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) frames: AtomicU64,
    pub(crate) sessions: AtomicU64,
    pub(crate) sessions_refused: AtomicU64,
    tick_us: Mutex<Histogram<u64>>,
    storage: Mutex<StorageSnapshot>,
}

/// What is kept on disk, at one moment. All zeros for a world that is not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StorageSnapshot {
    /// Whether the disk fails at present, so that the world stands still.
    pub failing: bool,
    /// The last commit that the disk is known to have.
    pub synced: u64,
    /// Records written to the log.
    pub log_records: u64,
    /// Bytes written to the log.
    pub log_bytes: u64,
    /// Syncs of the log.
    pub syncs: u64,
    /// Median sync in milliseconds.
    pub sync_ms_p50: f64,
    /// 99th percentile of the same.
    pub sync_ms_p99: f64,
    /// Frames that wait for the disk now.
    pub frames_held: u64,
    /// Snapshots completed.
    pub snapshots: u64,
    /// Slices of snapshots handed out.
    pub snapshot_slices: u64,
    /// Bytes of all files.
    pub disk_bytes: u64,
}

/// The counters at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostSnapshot {
    /// Ticks run.
    pub ticks: u64,
    /// Ticks that started later than [`HostConfig::late_after`](crate::HostConfig::late_after) allows.
    pub ticks_late: u64,
    /// Ticks that never ran because too many were due at once.
    pub ticks_dropped: u64,
    /// Calls that succeeded.
    pub calls_ok: u64,
    /// Calls that the module refused.
    pub calls_refused: u64,
    /// Calls that failed: unknown, forbidden, bad arguments, over the rate, or an internal fault.
    pub calls_failed: u64,
    /// Inputs that ran.
    pub inputs_run: u64,
    /// Inputs that were due at an earlier tick than the one that they ran at, or were refused at.
    pub inputs_late: u64,
    /// Inputs that the module refused, or that failed.
    pub inputs_refused: u64,
    /// Inputs that were there already, or came after a newer one.
    pub inputs_old: u64,
    /// Inputs that are none: not an input reducer, too far ahead, bad or not finite arguments.
    pub inputs_bad: u64,
    /// Timers that fired.
    pub timers: u64,
    /// System runs.
    pub systems: u64,
    /// Traps, overruns and other faults of a guest, in calls and systems.
    pub faults: u64,
    /// Commands of systems that could not be applied.
    pub commands_skipped: u64,
    /// Commits.
    pub commits: u64,
    /// Frames published.
    pub frames: u64,
    /// Sessions open now.
    pub sessions: u64,
    /// Sessions that the module or the bound turned away.
    pub sessions_refused: u64,
    /// Median tick in milliseconds: timers, schedule, commit and interest.
    pub tick_ms_p50: f64,
    /// 99th percentile of the same.
    pub tick_ms_p99: f64,
    /// The longest tick.
    pub tick_ms_max: f64,
    /// What is kept on disk; up to a second old.
    pub storage: StorageSnapshot,
}

impl Default for HostMetrics {
    fn default() -> Self {
        let tick_us = Histogram::new_with_max(TICK_US_MAX, 3).expect("the bounds are constants that fit");
        Self {
            ticks: AtomicU64::new(0),
            ticks_late: AtomicU64::new(0),
            ticks_dropped: AtomicU64::new(0),
            calls_ok: AtomicU64::new(0),
            calls_refused: AtomicU64::new(0),
            calls_failed: AtomicU64::new(0),
            inputs_run: AtomicU64::new(0),
            inputs_late: AtomicU64::new(0),
            inputs_refused: AtomicU64::new(0),
            inputs_old: AtomicU64::new(0),
            inputs_bad: AtomicU64::new(0),
            timers: AtomicU64::new(0),
            systems: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            commands_skipped: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            frames: AtomicU64::new(0),
            sessions: AtomicU64::new(0),
            sessions_refused: AtomicU64::new(0),
            tick_us: Mutex::new(tick_us),
            storage: Mutex::default(),
        }
    }
}

impl HostMetrics {
    pub(crate) fn record_tick(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.tick_us.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(us);
    }

    pub(crate) fn record_storage(&self, storage: StorageSnapshot) {
        *self.storage.lock().unwrap_or_else(PoisonError::into_inner) = storage;
    }

    /// The counters now. Each is exact; together they are not of one instant.
    pub fn snapshot(&self) -> HostSnapshot {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let tick_us = self.tick_us.lock().unwrap_or_else(PoisonError::into_inner);
        let ms = |us: u64| us as f64 / 1e3;
        HostSnapshot {
            ticks: get(&self.ticks),
            ticks_late: get(&self.ticks_late),
            ticks_dropped: get(&self.ticks_dropped),
            calls_ok: get(&self.calls_ok),
            calls_refused: get(&self.calls_refused),
            calls_failed: get(&self.calls_failed),
            inputs_run: get(&self.inputs_run),
            inputs_late: get(&self.inputs_late),
            inputs_refused: get(&self.inputs_refused),
            inputs_old: get(&self.inputs_old),
            inputs_bad: get(&self.inputs_bad),
            timers: get(&self.timers),
            systems: get(&self.systems),
            faults: get(&self.faults),
            commands_skipped: get(&self.commands_skipped),
            commits: get(&self.commits),
            frames: get(&self.frames),
            sessions: get(&self.sessions),
            sessions_refused: get(&self.sessions_refused),
            tick_ms_p50: ms(tick_us.value_at_quantile(0.5)),
            tick_ms_p99: ms(tick_us.value_at_quantile(0.99)),
            tick_ms_max: ms(tick_us.max()),
            storage: self.storage.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

/// Adds to a counter.
pub(crate) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}
