//! [`Log`].

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::queue::Queue;
use super::run::{Bell, LogThread, OnSynced, keep_house};
use crate::log::config::LogConfig;
use crate::log::error::{Doing, LogError};
use crate::log::format::{BLOCK, PREAMBLE_BYTES_MAX, RECORD_BYTES_MAX};
use crate::log::read::LogEnd;
use crate::log::stats::{Counters, LogStats};
use crate::log::write::{Housekeeping, Shelf, Step, Writer};
use crate::storage::Storage;

/// Whether records reach the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogStatus {
    /// They do.
    Running,
    /// They don't. Those that were appended wait in memory; the disk is tried again every
    /// [`LogConfig::retry_interval`].
    Failing {
        /// What the disk said last.
        error: String,
    },
}

/// A log that is being written, by a thread of its own.
///
/// Dropping it closes it as [`Log::close`] does, but nobody hears of errors.
#[derive(Debug)]
pub struct Log {
    queue: Arc<Queue>,
    shelf: Arc<Shelf>,
    counters: Arc<Counters>,
    housekeeper: Arc<Bell>,
    segment_bytes: u64,
    thread: Option<JoinHandle<Result<(), LogError>>>,
    housekeeping: Option<JoinHandle<()>>,
}

impl Log {
    /// Continues a log at its end, in a new segment. Takes the directory for this process (take it before the scan,
    /// by [`Storage::lock`]), and removes what a crash left unfinished. `preamble` (64 MiB at most) will stand in
    /// each segment, in [`Scan::preamble`](crate::log::Scan::preamble) and
    /// [`Records::preamble`](crate::log::Records::preamble). `on_synced` is called on the log's thread with the
    /// number of the last synced record, after each group; it must not block.
    ///
    /// # Errors
    /// When the directory is another's or the disk fails.
    pub fn start(
        storage: Arc<dyn Storage>,
        config: &LogConfig,
        at: LogEnd,
        preamble: Vec<u8>,
        on_synced: OnSynced,
    ) -> Result<Self, LogError> {
        if preamble.len() > PREAMBLE_BYTES_MAX {
            let (seq, bytes) = (at.last_seq(), preamble.len());
            return Err(LogError::TooLarge { seq, bytes, max: PREAMBLE_BYTES_MAX });
        }
        let segment_bytes = config.segment_bytes.next_multiple_of(BLOCK);
        let shelf = Arc::new(Shelf::default());
        let queue = Arc::new(Queue::new(config, at.last_seq()));
        let counters = Arc::new(Counters::default());
        let housekeeper = Arc::new(Bell::default());
        let writer = Writer::start(Arc::clone(&storage), Arc::clone(&shelf), config, at, preamble)?;
        let mut housekeeping = Housekeeping::new(Arc::clone(&storage), Arc::clone(&shelf), segment_bytes);
        // The first segment's file too is to be full from the start.
        shelf.want_spare();
        loop {
            match housekeeping.step() {
                Ok(Step::Again) => {}
                Ok(Step::Idle) => break,
                Err(error) => {
                    tracing::warn!(
                        "no file could be prepared for the log, which may be slower for it: {error}"
                    );
                    break;
                }
            }
        }
        let run = LogThread {
            writer,
            queue: Arc::clone(&queue),
            counters: Arc::clone(&counters),
            housekeeper: Arc::clone(&housekeeper),
            sync_interval: config.sync_interval,
            retry_interval: config.retry_interval,
            on_synced,
        };
        let directory = storage.describe();
        let spawn = || {
            let thread = thread::Builder::new().name("evertick-log".to_owned()).spawn(move || run.run())?;
            Ok((thread, ()))
        };
        let (thread, ()) = spawn().doing("starting a thread for", &directory)?;
        let mut log = Self {
            queue,
            shelf,
            counters,
            housekeeper,
            segment_bytes,
            thread: Some(thread),
            housekeeping: None,
        };
        let (bell, retry) = (Arc::clone(&log.housekeeper), config.retry_interval);
        let housekeeping = thread::Builder::new()
            .name("evertick-log-files".to_owned())
            .spawn(move || keep_house(housekeeping, &bell, retry));
        log.housekeeping = Some(housekeeping.doing("starting a thread for", &directory)?);
        Ok(log)
    }

    /// Queues a record; its number is above all before. If `sync`, it is written at once, together with whatever
    /// else is queued; else at the latest after [`LogConfig::sync_interval`]. Costs a copy and an uncontended lock;
    /// if the log is idle and `sync`, also the wake-up of a thread.
    ///
    /// While the queue is full this waits, [`LogConfig::append_wait_max`] at most: this is how a slow disk slows the
    /// world down.
    ///
    /// # Errors
    /// [`LogError::Full`] when the queue is full and the disk fails or does not write: the record was not taken.
    /// Who looks at [`Self::is_failing`] before each commit keeps clear of it, because the queue has room for what
    /// was under way. [`LogError::Order`] and [`LogError::TooLarge`] are defects of the caller.
    pub fn append(&mut self, seq: u64, body: &[u8], sync: bool) -> Result<(), LogError> {
        if body.len() > RECORD_BYTES_MAX {
            return Err(LogError::TooLarge { seq, bytes: body.len(), max: RECORD_BYTES_MAX });
        }
        self.queue.append(seq, body, sync)
    }

    /// The number of the last record that is safe.
    pub fn synced(&self) -> u64 {
        self.queue.synced()
    }

    /// Whether the disk fails. Costs one atomic load.
    pub fn is_failing(&self) -> bool {
        self.queue.is_stuck()
    }

    /// Whether records reach the disk, and why not.
    pub fn status(&self) -> LogStatus {
        if !self.is_failing() {
            return LogStatus::Running;
        }
        self.queue.failing().map_or(LogStatus::Running, |error| LogStatus::Failing { error })
    }

    /// Records below this number are not needed any more: segments that hold no others are removed, by another
    /// thread.
    pub fn remove_before(&self, seq: u64) {
        self.shelf.remove_before(seq);
        self.housekeeper.ring();
    }

    /// What it has done so far.
    pub fn stats(&self) -> LogStats {
        self.counters.read(self.shelf.disk_bytes(self.segment_bytes), self.queue.waiting().0)
    }

    /// Writes and syncs all that was appended, and ends. A failing disk is tried once more.
    ///
    /// # Errors
    /// [`LogError::Unsynced`] when that did not work: none of what it names was confirmed.
    pub fn close(mut self) -> Result<(), LogError> {
        self.finish()
    }

    fn finish(&mut self) -> Result<(), LogError> {
        self.queue.close();
        let ended = match self.thread.take() {
            Some(thread) => thread.join().unwrap_or(Err(LogError::ThreadEnded)),
            None => Ok(()),
        };
        self.housekeeper.close();
        if let Some(thread) = self.housekeeping.take() {
            thread.join().map_err(|_| LogError::ThreadEnded)?;
        }
        ended
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if self.thread.is_some()
            && let Err(error) = self.finish()
        {
            tracing::error!("the log did not end well: {error}");
        }
    }
}
