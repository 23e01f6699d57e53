//! Snapshots: when one begins, a slice a tick, and what becomes of the old ones.
//!
//! The order is what makes it safe:
//!
//! 1. The content is handed to a thread that writes it under another name.
//! 2. When the log is synced up to the last record of which something may be in it, the snapshot is finished: synced,
//!    renamed, the directory synced. From now on it counts.
//! 3. Snapshots before the last two are removed, and only then
//! 4. segments that lie wholly before the older of the two.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::port::{Ports, Removal, SnapshotPort};
use super::sections::{Contents, Sections};
use super::{DurabilityConfig, entries::Entries};
use crate::log::{LogError, SnapshotState};
use crate::record::SnapshotHead;
use crate::storage::Storage;

/// How many finished snapshots are kept.
const KEPT: usize = 2;

/// After a failure a snapshot is tried again when so much of the usual distance was written.
const RETRY_PART: u64 = 8;

/// What snapshots have come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotStats {
    /// Snapshots that were finished.
    pub finished: u64,
    /// Ticks that put rows into one.
    pub slices: u64,
    /// The longest such tick's part, in microseconds.
    pub slice_us_max: u64,
    /// Snapshots that came to nothing, and attempts to remove old ones.
    pub failed: u64,
    /// What the last failure was; `None` once one has succeeded again.
    pub error: Option<String>,
    /// Bytes of those that are kept, as far as they were finished by this process.
    pub disk_bytes: u64,
    /// Rows in the one that is being written; `None` when none is.
    pub rows: Option<u64>,
}

/// The snapshots of a journal.
pub(super) struct Snapshots {
    storage: Arc<dyn Storage>,
    ports: Box<dyn Ports>,
    preamble: Vec<u8>,
    state: State,
    /// The `seq` of those that are kept, oldest first.
    kept: VecDeque<u64>,
    /// How large the last one is.
    last_bytes: u64,
    /// When so many bytes were written to the log, the next one begins.
    next_at: u64,
    wanted: bool,
    pub(super) stats: SnapshotStats,
}

enum State {
    Idle,
    Writing(Box<Work>),
    Removing(Box<dyn Removal>),
}

struct Work {
    port: Box<dyn SnapshotPort>,
    sections: Sections,
    /// A chunk that the port had no room for.
    waiting: Option<Vec<u8>>,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// There is content to come.
    Filling,
    /// All content was handed over; the log is not synced up to its end yet.
    Filled,
    /// It is being finished.
    Finishing,
}

impl std::fmt::Debug for Snapshots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshots")
            .field("kept", &self.kept)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

impl Snapshots {
    /// `kept` are those that are there; the last one has `last_bytes`. `log_bytes` count the log since it, as far
    /// as they were read by the recovery.
    pub(super) fn new(
        storage: Arc<dyn Storage>,
        ports: Box<dyn Ports>,
        preamble: Vec<u8>,
        kept: Vec<u64>,
        last_bytes: u64,
    ) -> Self {
        Self {
            storage,
            ports,
            preamble,
            state: State::Idle,
            kept: kept.into(),
            last_bytes,
            next_at: 0,
            wanted: false,
            stats: SnapshotStats::default(),
        }
    }

    /// What writes.
    pub(super) fn ports(&self) -> &dyn Ports {
        &*self.ports
    }

    /// The next one begins when so much more than `log_bytes` was written; `before` was written since the last one
    /// already.
    pub(super) fn schedule(&mut self, config: &DurabilityConfig, log_bytes: u64, before: u64) {
        self.next_at = log_bytes + self.distance(config).saturating_sub(before);
    }

    fn distance(&self, config: &DurabilityConfig) -> u64 {
        config.snapshot_log_bytes.max(self.last_bytes).max(1)
    }

    /// Begins one at the next tick, unless one is being written.
    pub(super) fn want(&mut self) {
        self.wanted = true;
    }

    /// Does what is due, within a tick's budget.
    pub(super) fn step(
        &mut self,
        config: &DurabilityConfig,
        entries: &mut Entries,
        contents: &Contents<'_>,
        head: SnapshotHead,
    ) {
        let log_bytes = entries.log().stats().bytes;
        match &mut self.state {
            State::Idle if self.wanted || log_bytes >= self.next_at => {
                if entries.is_failing() {
                    return;
                }
                self.wanted = false;
                self.schedule(config, log_bytes, 0);
                match self.ports.snapshot(Arc::clone(&self.storage), contents.last_seq, self.preamble.clone())
                {
                    Ok(port) => {
                        let sections = Sections::new(head, contents.world);
                        let work = Work { port, sections, waiting: None, stage: Stage::Filling };
                        self.state = State::Writing(Box::new(work));
                    }
                    Err(error) => self.failed(config, log_bytes, &error),
                }
            }
            State::Idle => {}
            State::Writing(work) => {
                self.stats.rows = Some(work.sections.rows());
                if work.stage == Stage::Filling {
                    let took = work.fill(config, contents);
                    self.stats.slices += 1;
                    self.stats.slice_us_max = self.stats.slice_us_max.max(took.as_micros() as u64);
                }
                if work.stage == Stage::Filled && entries.log().synced() >= work.sections.needs_seq() {
                    work.finish();
                }
                match work.port.state() {
                    SnapshotState::Writing => {}
                    SnapshotState::Finished(info) => {
                        self.stats.finished += 1;
                        self.stats.disk_bytes = self.last_bytes + info.file_bytes;
                        (self.stats.error, self.stats.rows) = (None, None);
                        self.last_bytes = info.file_bytes;
                        self.next_at = self.next_at.max(log_bytes.saturating_add(1));
                        self.kept.retain(|seq| *seq != info.seq);
                        self.kept.push_back(info.seq);
                        self.remove_old();
                    }
                    SnapshotState::Failed(error) => self.failed(config, log_bytes, &error),
                }
            }
            State::Removing(removal) => match removal.done() {
                None => {}
                Some(Ok(())) => {
                    while self.kept.len() > KEPT {
                        self.kept.pop_front();
                    }
                    self.state = State::Idle;
                    if let Some(oldest) = self.kept.front() {
                        entries.remove_before(*oldest + 1);
                    }
                }
                Some(Err(error)) => self.failed(config, log_bytes, &error),
            },
        }
    }

    fn remove_old(&mut self) {
        let old = self.kept.len().saturating_sub(KEPT);
        let seqs = self.kept.iter().take(old).copied().collect();
        self.state = State::Removing(self.ports.remove(Arc::clone(&self.storage), seqs));
    }

    #[cold]
    fn failed(&mut self, config: &DurabilityConfig, log_bytes: u64, error: &LogError) {
        tracing::warn!("a snapshot came to nothing; another is begun later: {error}");
        self.state = State::Idle;
        self.stats.failed += 1;
        self.stats.rows = None;
        self.stats.error = Some(error.to_string());
        self.next_at = log_bytes + (self.distance(config) / RETRY_PART).max(1);
    }
}

impl Work {
    /// Hands over content until a tick's share is done or the disk is behind.
    fn fill(&mut self, config: &DurabilityConfig, contents: &Contents<'_>) -> Duration {
        let begun = Instant::now();
        let rows_max = self.sections.rows() + config.snapshot_rows_per_slice.max(1) as u64;
        loop {
            if let Some(chunk) = self.waiting.take()
                && let Err(chunk) = self.port.try_chunk(chunk)
            {
                self.waiting = Some(chunk);
                break;
            }
            let took = begun.elapsed();
            if self.sections.rows() >= rows_max || took >= config.snapshot_slice_time {
                break;
            }
            let buffer = self.port.buffer();
            self.waiting = self.sections.next(contents, buffer);
            if self.waiting.is_none() {
                self.stage = Stage::Filled;
                break;
            }
        }
        begun.elapsed()
    }

    fn finish(&mut self) {
        if self.port.try_finish(self.sections.needs_seq()) {
            self.stage = Stage::Finishing;
        }
    }
}
