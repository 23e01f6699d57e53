//! The host's side of the journal: what waits for the disk, and what happens while the disk fails.

use std::time::{Duration, Instant};

use evertick_durability::{CauseRef, Journal, LogStatus};
use evertick_schema::{SessionId, Timestamp};
use evertick_world::{Caller, Delta, Simulation};

use crate::metrics::StorageSnapshot;
use crate::release::Release;

/// How old the counters that are shown may be.
const COUNT_INTERVAL: Duration = Duration::from_secs(1);

/// A host's journal, if it has one, and whether the world may change.
#[derive(Default)]
pub(crate) struct Disk {
    pub(crate) journal: Option<Journal>,
    /// The last commit that the next frame has to wait for.
    awaited: Option<u64>,
    /// Why nothing may change at present.
    trouble: Option<String>,
    /// Sessions that closed when nothing could change. No more than were open then.
    departed: Vec<Caller>,
    /// When the counters were shown last.
    counted: Option<Instant>,
}

/// What became of the disk since it was last looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// The world may change.
    Works,
    /// The world may change again.
    Recovered,
    /// Nothing may change.
    Fails,
}

impl Disk {
    pub(crate) fn new(journal: Journal, open_at_crash: Vec<Caller>) -> Self {
        Self { journal: Some(journal), departed: open_at_crash, ..Self::default() }
    }

    /// Notes why the coming commit changes what it changes. To be called before each transaction and tick.
    pub(crate) fn cause(&mut self, time: Timestamp, cause: CauseRef<'_>) {
        if let Some(journal) = &mut self.journal {
            journal.cause(time, cause);
        }
    }

    /// Notes a session that is open from now on.
    pub(crate) fn opened(&mut self, caller: &Caller) {
        if let Some(journal) = &mut self.journal {
            journal.opened(caller);
        }
    }

    /// Notes that a session is over.
    pub(crate) fn closed(&mut self, session: SessionId) {
        if let Some(journal) = &mut self.journal {
            journal.closed(session);
        }
    }

    /// What is due once a tick, also while the disk fails: rows with checkpoints, a slice of a snapshot, what the log did not take.
    pub(crate) fn slice(&mut self, simulation: &Simulation) {
        if let Some(journal) = &mut self.journal {
            journal.slice(simulation);
        }
    }

    /// Logs a commit.
    pub(crate) fn commit(&mut self, simulation: &mut Simulation, delta: &Delta) {
        if let Some(journal) = &mut self.journal {
            self.awaited = self.awaited.max(journal.commit(simulation, delta).synced_at);
        }
    }

    /// The commit that a frame made now has to wait for.
    pub(crate) fn take_awaited(&mut self) -> Option<u64> {
        self.awaited.take()
    }

    /// A session is gone, but its disconnect reducers can't run now.
    pub(crate) fn departed(&mut self, caller: Option<Caller>) {
        self.departed.extend(caller);
    }

    /// Sessions whose disconnect reducers are still to run.
    pub(crate) fn take_departed(&mut self) -> Vec<Caller> {
        std::mem::take(&mut self.departed)
    }

    /// Why nothing may change at present.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Looks at the disk: it fails when the log says so, or when a frame has waited for it for longer than `wait_max`.
    pub(crate) fn look(&mut self, release: &Release, wait_max: Duration) -> Health {
        let Some(journal) = &self.journal else { return Health::Works };
        let status = if journal.is_failing() { journal.status() } else { LogStatus::Running };
        let trouble = match status {
            LogStatus::Failing { error } => Some(error),
            LogStatus::Running if release.waiting() > wait_max => {
                Some(format!("a write has not been finished for {wait_max:?}"))
            }
            LogStatus::Running => None,
        };
        match (&self.trouble, &trouble) {
            (None, Some(why)) => tracing::error!(
                "the disk fails: {why}. The world stands still, and goes on by itself when the disk takes writes"
            ),
            (Some(_), None) => tracing::warn!("the disk works again; the world goes on"),
            _ => {}
        }
        let failed_before = self.trouble.is_some();
        if failed_before != trouble.is_some() {
            self.counted = None;
        }
        self.trouble = trouble;
        match (failed_before, &self.trouble) {
            (_, Some(_)) => Health::Fails,
            (true, None) => Health::Recovered,
            (false, None) => Health::Works,
        }
    }

    /// The counters, when it is time to show them again.
    pub(crate) fn count(&mut self, release: &Release) -> Option<StorageSnapshot> {
        let due = self.counted.is_none_or(|counted| counted.elapsed() >= COUNT_INTERVAL);
        let snapshot = due.then(|| self.snapshot(release))?;
        self.counted = Some(Instant::now());
        Some(snapshot)
    }

    /// The counters now; all zeros without a journal.
    pub(crate) fn snapshot(&self, release: &Release) -> StorageSnapshot {
        let Some(journal) = &self.journal else { return StorageSnapshot::default() };
        let stats = journal.stats();
        let ms = |part: f64| stats.log.sync_times.quantile_us(part) as f64 / 1e3;
        StorageSnapshot {
            failing: self.trouble.is_some(),
            synced: journal.synced(),
            log_records: stats.log.records,
            log_bytes: stats.log.bytes,
            syncs: stats.log.groups,
            sync_ms_p50: ms(0.5),
            sync_ms_p99: ms(0.99),
            frames_held: release.held() as u64,
            snapshots: stats.snapshots.finished,
            snapshot_slices: stats.snapshots.slices,
            disk_bytes: stats.log.disk_bytes + stats.snapshots.disk_bytes,
        }
    }
}
