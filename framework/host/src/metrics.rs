//! What the loop counts.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use evertick_metrics::{Counter, Recent, Spread};
use hdrhistogram::Histogram;

/// The longest tick that the histogram tells apart, in microseconds: a minute.
const TICK_US_MAX: u64 = 60_000_000;

macro_rules! metrics {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Counters of one host, shared with whoever shows them.
        #[derive(Debug)]
        pub struct HostMetrics {
            $(pub(crate) $name: Counter,)+
            pub(crate) phases: Phases,
            tick_us: Mutex<Histogram<u64>>,
            storage: Mutex<StorageSnapshot>,
        }

        /// The counters at one moment.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct HostSnapshot {
            $($(#[doc = $doc])+ pub $name: u64,)+
            /// What took how long of late.
            pub phases: PhasesSnapshot,
            /// Median tick in milliseconds since the start: inputs, timers, schedule, commit and interest.
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
                    $($name: Counter::default(),)+
                    phases: Phases::default(),
                    tick_us: Mutex::new(tick_us),
                    storage: Mutex::default(),
                }
            }
        }

        impl HostMetrics {
            /// The counters now. Each is exact; together they are not of one instant.
            pub fn snapshot(&self) -> HostSnapshot {
                let tick_us = self.tick_us.lock().unwrap_or_else(PoisonError::into_inner);
                let ms = |us: u64| us as f64 / 1e3;
                HostSnapshot {
                    $($name: self.$name.get(),)+
                    phases: self.phases.snapshot(),
                    tick_ms_p50: ms(tick_us.value_at_quantile(0.5)),
                    tick_ms_p99: ms(tick_us.value_at_quantile(0.99)),
                    tick_ms_max: ms(tick_us.max()),
                    storage: self.storage.lock().unwrap_or_else(PoisonError::into_inner).clone(),
                }
            }
        }

        impl HostSnapshot {
            fn counters(&self) -> impl IntoIterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)+]
            }
        }
    };
}

metrics! {
    /// Ticks run.
    ticks,
    /// Ticks that started later than [`HostConfig::late_after`](crate::HostConfig::late_after) allows.
    ticks_late,
    /// Ticks that never ran because too many were due at once.
    ticks_dropped,
    /// Calls that succeeded.
    calls_ok,
    /// Calls that the module refused.
    calls_refused,
    /// Calls that failed: unknown, forbidden, bad arguments, over the rate, or an internal fault.
    calls_failed,
    /// Inputs that ran.
    inputs_run,
    /// Inputs that were due at an earlier tick than the one that they ran at, or were refused at.
    inputs_late,
    /// Inputs that the module refused, or that failed.
    inputs_refused,
    /// Inputs that were there already, or came after a newer one.
    inputs_old,
    /// Inputs for a tick that is too far ahead.
    inputs_early,
    /// Inputs that are none: not an input reducer, bad or not finite arguments.
    inputs_bad,
    /// Inputs that came while the disk failed.
    inputs_turned_away,
    /// Timers that fired.
    timers,
    /// System runs.
    systems,
    /// Traps, overruns and other faults of a guest, in calls and systems.
    faults,
    /// Commands of systems that could not be applied.
    commands_skipped,
    /// Commits.
    commits,
    /// Frames published.
    frames,
    /// Sessions open now.
    sessions,
    /// Sessions that the module or the bound turned away.
    sessions_refused,
}

/// What takes the world's thread its time, of late.
#[derive(Debug, Default)]
pub(crate) struct Phases {
    pub(crate) calls: Recent,
    pub(crate) inputs: Recent,
    pub(crate) step: Recent,
    pub(crate) commit: Recent,
    pub(crate) tick: Recent,
    pub(crate) frame: Recent,
    pub(crate) published: Recent,
}

/// What took the world's thread its time in the last ten seconds, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PhasesSnapshot {
    /// Messages from clients that were taken at once, calls above all, and their commit.
    pub calls: Spread,
    /// Inputs of a tick.
    pub inputs: Spread,
    /// Timers and systems of a tick.
    pub step: Spread,
    /// The commit of a tick: what changed, for the log and for who sees it.
    pub commit: Spread,
    /// A tick: inputs, step, commit, and a slice of a snapshot.
    pub tick: Spread,
    /// Making a frame: what is encoded for clients.
    pub frame: Spread,
    /// From the moment that a tick was due until its frame went to the gateway; for confirmed sessions, so with the wait for the disk. It is
    /// what players feel of the server, without the network.
    pub published: Spread,
}

impl Phases {
    fn snapshot(&self) -> PhasesSnapshot {
        PhasesSnapshot {
            calls: self.calls.spread(),
            inputs: self.inputs.spread(),
            step: self.step.spread(),
            commit: self.commit.spread(),
            tick: self.tick.spread(),
            frame: self.frame.spread(),
            published: self.published.spread(),
        }
    }
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

impl HostMetrics {
    pub(crate) fn record_tick(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.tick_us.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(us);
        self.phases.tick.record(us);
    }

    pub(crate) fn record_storage(&self, storage: StorageSnapshot) {
        *self.storage.lock().unwrap_or_else(PoisonError::into_inner) = storage;
    }
}

impl HostSnapshot {
    /// Every number with its name: those of phases as `phases.tick_us.p99` and so on, those of the disk as `storage.syncs`.
    pub fn values(&self) -> impl Iterator<Item = (String, f64)> {
        let Self { tick_ms_p50, tick_ms_p99, tick_ms_max, phases, storage, .. } = self;
        let times =
            [("tick_ms_p50", *tick_ms_p50), ("tick_ms_p99", *tick_ms_p99), ("tick_ms_max", *tick_ms_max)];
        let times = times.into_iter().map(|(name, value)| (name.to_owned(), value));
        let counters = self.counters().into_iter().map(|(name, value)| (name.to_owned(), value as f64));
        let storage = storage.values().into_iter().map(|(name, value)| (format!("storage.{name}"), value));
        counters.chain(times).chain(phases.values()).chain(storage)
    }
}

impl PhasesSnapshot {
    fn values(self) -> impl Iterator<Item = (String, f64)> {
        let Self { calls, inputs, step, commit, tick, frame, published } = self;
        let phases = [
            ("calls", calls),
            ("inputs", inputs),
            ("step", step),
            ("commit", commit),
            ("tick", tick),
            ("frame", frame),
            ("published", published),
        ];
        let values =
            phases.into_iter().flat_map(|(name, spread)| spread.values(&format!("phases.{name}_us")));
        values.map(|(name, value)| (name, value as f64))
    }
}

impl StorageSnapshot {
    fn values(&self) -> [(&'static str, f64); 11] {
        let Self { failing, synced, log_records, log_bytes, syncs, .. } = *self;
        let Self { sync_ms_p50, sync_ms_p99, frames_held, snapshots, snapshot_slices, disk_bytes, .. } =
            *self;
        [
            ("failing", f64::from(u8::from(failing))),
            ("synced", synced as f64),
            ("log_records", log_records as f64),
            ("log_bytes", log_bytes as f64),
            ("syncs", syncs as f64),
            ("sync_ms_p50", sync_ms_p50),
            ("sync_ms_p99", sync_ms_p99),
            ("frames_held", frames_held as f64),
            ("snapshots", snapshots as f64),
            ("snapshot_slices", snapshot_slices as f64),
            ("disk_bytes", disk_bytes as f64),
        ]
    }
}
