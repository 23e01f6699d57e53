//! The threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::queue::{Next, Queue};
use crate::log::error::LogError;
use crate::log::format::Group;
use crate::log::stats::Counters;
use crate::log::write::{Housekeeping, Step, Writer};

/// Who is told what is synced.
pub(crate) type OnSynced = Box<dyn FnMut(u64) + Send>;

/// The log's thread.
pub(super) struct LogThread {
    pub(super) writer: Writer,
    pub(super) queue: Arc<Queue>,
    pub(super) counters: Arc<Counters>,
    pub(super) housekeeper: Arc<Bell>,
    pub(super) sync_interval: Duration,
    pub(super) retry_interval: Duration,
    pub(super) on_synced: OnSynced,
}

/// Tells the rest that the log's thread is gone, also when it panics.
struct Ending(Arc<Queue>, Arc<Bell>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end();
        self.1.close();
    }
}

impl LogThread {
    pub(super) fn run(mut self) -> Result<(), LogError> {
        let _ending = Ending(Arc::clone(&self.queue), Arc::clone(&self.housekeeper));
        loop {
            match self.queue.next(self.sync_interval) {
                Next::Write(group) => self.write(group)?,
                Next::Quiet => {
                    // An error: the log is to be closed. All records before are safe; those behind are tried next.
                    let _ = self.until_it_works(Writer::mark);
                }
                Next::Close => {
                    if let Err(error) = self.writer.close() {
                        // All records are safe; only the proof of it behind the last one is missing.
                        tracing::warn!("the log's end could not be marked: {error}");
                    }
                    return Ok(());
                }
            }
        }
    }

    fn write(&mut self, mut group: Group) -> Result<(), LogError> {
        let begun = Instant::now();
        let first = group.first_seq;
        let written = self.until_it_works(|writer| writer.write(&mut group));
        if let Err(error) = written {
            let records = self.queue.waiting().1 as u64;
            return Err(LogError::Unsynced { records, first, reason: error.to_string() });
        }
        self.counters.synced(u64::from(group.records), group.body_bytes as u64, begun.elapsed());
        self.counters.bytes.store(self.writer.written_bytes(), Ordering::Relaxed);
        let seq = group.last_seq;
        self.queue.synced_group(group);
        (self.on_synced)(seq);
        self.writer.settle();
        if self.writer.needs_housekeeping() {
            self.housekeeper.ring();
        }
        Ok(())
    }

    /// Tries again and again, with rests, until it works or the log is to be closed.
    fn until_it_works(
        &mut self,
        mut attempt: impl FnMut(&mut Writer) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let Err(mut error) = attempt(&mut self.writer) else { return Ok(()) };
        loop {
            self.counters.failures.fetch_add(1, Ordering::Relaxed);
            tracing::error!(
                "the log can't be written; it is tried again every {:?}: {error}",
                self.retry_interval
            );
            self.queue.set_failing(Some(error.to_string()));
            let closing = self.queue.rest(self.retry_interval);
            match attempt(&mut self.writer) {
                Ok(()) => {
                    tracing::info!("the log can be written again");
                    self.queue.set_failing(None);
                    return Ok(());
                }
                Err(again) if closing => return Err(again),
                Err(again) => error = again,
            }
        }
    }
}

/// Wakes the housekeeping.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rung: Mutex<bool>,
    wake: Condvar,
    closing: AtomicBool,
}

impl Bell {
    pub(super) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.wake.notify_one();
    }

    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
        self.ring();
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    fn wait(&self) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rung = self.wake.wait_while(rung, |rung| !*rung).unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }

    fn wait_at_most(&self, interval: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.wake.wait_timeout_while(rung, interval, |_| !self.is_closing());
        drop(waited);
    }
}

/// The housekeeping's thread.
pub(super) fn keep_house(mut housekeeping: Housekeeping, bell: &Bell, retry_interval: Duration) {
    while !bell.is_closing() {
        match housekeeping.step() {
            Ok(Step::Again) => {}
            Ok(Step::Idle) => bell.wait(),
            Err(error) => {
                tracing::warn!("old or spare segments can't be dealt with; it is tried again: {error}");
                bell.wait_at_most(retry_interval);
            }
        }
    }
}
