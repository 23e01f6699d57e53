//! What writes to the disk for a journal: threads, or in simulations the same code step by step.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::log::{
    Log, LogConfig, LogEnd, LogError, LogStats, LogStatus, SnapshotReader, SnapshotState, SnapshotThread,
};
use crate::storage::Storage;

/// Who is told up to which record the log is synced.
pub(crate) type OnSynced = Box<dyn FnMut(u64) + Send>;

/// Makes what writes.
pub(crate) trait Ports: Send {
    /// As [`Log::start`].
    fn log(
        &self,
        storage: Arc<dyn Storage>,
        config: &LogConfig,
        at: LogEnd,
        preamble: Vec<u8>,
        on_synced: OnSynced,
    ) -> Result<Box<dyn RecordLog>, LogError>;

    /// As [`SnapshotThread::start`].
    fn snapshot(
        &self,
        storage: Arc<dyn Storage>,
        seq: u64,
        preamble: Vec<u8>,
    ) -> Result<Box<dyn SnapshotPort>, LogError>;

    /// Removes snapshots, in this order.
    fn remove(&self, storage: Arc<dyn Storage>, seqs: Vec<u64>) -> Box<dyn Removal>;
}

/// A log that is being written.
pub(crate) trait RecordLog: Send {
    /// As [`Log::append`].
    fn append(&mut self, seq: u64, body: &[u8], sync: bool) -> Result<(), LogError>;
    /// As [`Log::synced`].
    fn synced(&self) -> u64;
    /// As [`Log::is_failing`].
    fn is_failing(&self) -> bool;
    /// As [`Log::status`].
    fn status(&self) -> LogStatus;
    /// As [`Log::remove_before`].
    fn remove_before(&mut self, seq: u64);
    /// As [`Log::stats`].
    fn stats(&self) -> LogStats;
    /// As [`Log::close`].
    fn close(self: Box<Self>) -> Result<(), LogError>;
}

/// A snapshot that is being written.
pub(crate) trait SnapshotPort: Send {
    /// As [`SnapshotThread::buffer`].
    fn buffer(&mut self) -> Vec<u8>;
    /// As [`SnapshotThread::try_chunk`].
    fn try_chunk(&mut self, chunk: Vec<u8>) -> Result<(), Vec<u8>>;
    /// As [`SnapshotThread::try_finish`].
    fn try_finish(&mut self, needs_seq: u64) -> bool;
    /// As [`SnapshotThread::state`].
    fn state(&mut self) -> SnapshotState;
}

/// Snapshots that are being removed.
pub(crate) trait Removal: Send {
    /// What came of it, once it is done. Told once.
    fn done(&mut self) -> Option<Result<(), LogError>>;
}

/// Threads.
#[derive(Debug)]
pub(crate) struct Threads;

impl Ports for Threads {
    fn log(
        &self,
        storage: Arc<dyn Storage>,
        config: &LogConfig,
        at: LogEnd,
        preamble: Vec<u8>,
        on_synced: OnSynced,
    ) -> Result<Box<dyn RecordLog>, LogError> {
        Ok(Box::new(Log::start(storage, config, at, preamble, on_synced)?))
    }

    fn snapshot(
        &self,
        storage: Arc<dyn Storage>,
        seq: u64,
        preamble: Vec<u8>,
    ) -> Result<Box<dyn SnapshotPort>, LogError> {
        Ok(Box::new(SnapshotThread::start(storage, seq, preamble)?))
    }

    fn remove(&self, storage: Arc<dyn Storage>, seqs: Vec<u64>) -> Box<dyn Removal> {
        let result = Arc::new(Mutex::new(None));
        let shared = Arc::clone(&result);
        let remove = move || {
            let removed = remove_all(&*storage, &seqs);
            *shared.lock().unwrap_or_else(PoisonError::into_inner) = Some(removed);
        };
        if let Err(source) = thread::Builder::new().name("evertick-remove".to_owned()).spawn(remove) {
            let error =
                LogError::Io { doing: "starting a thread for", file: "old snapshots".to_owned(), source };
            return Box::new(RemovalThread(Arc::new(Mutex::new(Some(Err(error))))));
        }
        Box::new(RemovalThread(result))
    }
}

/// Removes snapshots, in this order. Those that are gone already are no failure.
pub(crate) fn remove_all(storage: &dyn Storage, seqs: &[u64]) -> Result<(), LogError> {
    seqs.iter().try_for_each(|seq| match SnapshotReader::remove(storage, *seq) {
        Err(LogError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    })
}

struct RemovalThread(Arc<Mutex<Option<Result<(), LogError>>>>);

impl Removal for RemovalThread {
    fn done(&mut self) -> Option<Result<(), LogError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl RecordLog for Log {
    fn append(&mut self, seq: u64, body: &[u8], sync: bool) -> Result<(), LogError> {
        Log::append(self, seq, body, sync)
    }

    fn synced(&self) -> u64 {
        Log::synced(self)
    }

    fn is_failing(&self) -> bool {
        Log::is_failing(self)
    }

    fn status(&self) -> LogStatus {
        Log::status(self)
    }

    fn remove_before(&mut self, seq: u64) {
        Log::remove_before(self, seq);
    }

    fn stats(&self) -> LogStats {
        Log::stats(self)
    }

    fn close(self: Box<Self>) -> Result<(), LogError> {
        Log::close(*self)
    }
}

impl SnapshotPort for SnapshotThread {
    fn buffer(&mut self) -> Vec<u8> {
        SnapshotThread::buffer(self)
    }

    fn try_chunk(&mut self, chunk: Vec<u8>) -> Result<(), Vec<u8>> {
        SnapshotThread::try_chunk(self, chunk)
    }

    fn try_finish(&mut self, needs_seq: u64) -> bool {
        SnapshotThread::try_finish(self, needs_seq)
    }

    fn state(&mut self) -> SnapshotState {
        SnapshotThread::state(self)
    }
}
