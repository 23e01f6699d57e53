//! The log's and snapshots' own code without threads: it goes on when the test says so.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use rand_core::Rng;
use rand_pcg::Pcg64;

use crate::journal::port::{OnSynced, Ports, RecordLog, Removal, SnapshotPort, remove_all};
use crate::log::simulated::{Group, Housekeeping, Shelf, Writer};
use crate::log::{LogConfig, LogEnd, LogError, LogStats, LogStatus, SnapshotState, SnapshotWriter};
use crate::storage::Storage;

use super::chance;

/// Groups that wait before the log refuses more.
const GROUPS_MAX: usize = 6;

/// Makes logs that the test can step, and keeps hold of the last one.
#[derive(Clone, Default)]
pub(super) struct SteppedPorts {
    shared: Arc<Mutex<Option<Arc<Mutex<SteppedLog>>>>>,
    random: Arc<Mutex<Option<Pcg64>>>,
}

impl SteppedPorts {
    pub(super) fn new(random: Pcg64) -> Self {
        Self { shared: Arc::default(), random: Arc::new(Mutex::new(Some(random))) }
    }

    /// The log that was made last.
    pub(super) fn log(&self) -> Arc<Mutex<SteppedLog>> {
        Arc::clone(self.shared.lock().unwrap().as_ref().expect("a log was started"))
    }

    fn chance(&self, part: f64) -> bool {
        let mut random = self.random.lock().unwrap();
        chance(random.as_mut().expect("given at the start"), part)
    }
}

/// A log that is written when [`SteppedLog::step`] is called.
pub(super) struct SteppedLog {
    writer: Writer,
    housekeeping: Housekeeping,
    shelf: Arc<Shelf>,
    waiting: VecDeque<Group>,
    synced: u64,
    failing: Option<String>,
    on_synced: OnSynced,
}

impl SteppedLog {
    /// Writes and syncs one group, if one waits, and does a bit of what else is to be done.
    pub(super) fn step(&mut self, random: &mut Pcg64) {
        if let Some(group) = self.waiting.front_mut() {
            match self.writer.write(group) {
                Ok(()) => {
                    self.failing = None;
                    self.synced = group.last_seq;
                    self.waiting.pop_front();
                    (self.on_synced)(self.synced);
                    self.writer.settle();
                    self.writer.needs_housekeeping();
                }
                Err(error) => self.failing = Some(error.to_string()),
            }
        } else if chance(random, 0.3) {
            self.failing = self.writer.mark().err().map(|error| error.to_string());
        }
        for _ in 0..random.next_u32() % 3 {
            // It is tried again with the next step.
            let _ = self.housekeeping.step();
        }
    }
}

struct Handle(Arc<Mutex<SteppedLog>>);

impl Handle {
    fn lock(&self) -> MutexGuard<'_, SteppedLog> {
        self.0.lock().unwrap()
    }
}

impl Ports for SteppedPorts {
    fn log(
        &self,
        storage: Arc<dyn Storage>,
        config: &LogConfig,
        at: LogEnd,
        preamble: Vec<u8>,
        on_synced: OnSynced,
    ) -> Result<Box<dyn RecordLog>, LogError> {
        let shelf = Arc::new(Shelf::default());
        let synced = at.last_seq();
        let writer = Writer::start(Arc::clone(&storage), Arc::clone(&shelf), config, at, preamble)?;
        let housekeeping = Housekeeping::new(storage, Arc::clone(&shelf), config.segment_bytes);
        let log = Arc::new(Mutex::new(SteppedLog {
            writer,
            housekeeping,
            shelf,
            waiting: VecDeque::new(),
            synced,
            failing: None,
            on_synced,
        }));
        *self.shared.lock().unwrap() = Some(Arc::clone(&log));
        Ok(Box::new(Handle(log)))
    }

    fn snapshot(
        &self,
        storage: Arc<dyn Storage>,
        seq: u64,
        preamble: Vec<u8>,
    ) -> Result<Box<dyn SnapshotPort>, LogError> {
        let (writer, failed) = match SnapshotWriter::create(storage, seq, &preamble) {
            Ok(writer) => (Some(writer), None),
            Err(error) => (None, Some(error)),
        };
        Ok(Box::new(SteppedSnapshot {
            ports: self.clone(),
            writer,
            state: failed.map(SnapshotState::Failed),
        }))
    }

    fn remove(&self, storage: Arc<dyn Storage>, seqs: Vec<u64>) -> Box<dyn Removal> {
        Box::new(SteppedRemoval { ports: self.clone(), storage, seqs })
    }
}

impl RecordLog for Handle {
    fn append(&mut self, seq: u64, body: &[u8], _: bool) -> Result<(), LogError> {
        let mut log = self.lock();
        if log.waiting.len() >= GROUPS_MAX {
            return Err(LogError::Full { waiting_bytes: 0, reason: "the test does not write".into() });
        }
        // The first one may be on its way.
        let mut behind = log.waiting.iter_mut().skip(1);
        match behind.next_back() {
            Some(group) if group.len() < 2000 => group.push(seq, body),
            _ => {
                let mut group = Group::default();
                group.push(seq, body);
                log.waiting.push_back(group);
            }
        }
        Ok(())
    }

    fn synced(&self) -> u64 {
        self.lock().synced
    }

    fn is_failing(&self) -> bool {
        self.lock().failing.is_some()
    }

    fn status(&self) -> LogStatus {
        match &self.lock().failing {
            Some(error) => LogStatus::Failing { error: error.clone() },
            None => LogStatus::Running,
        }
    }

    fn remove_before(&mut self, seq: u64) {
        self.lock().shelf.remove_before(seq);
    }

    fn stats(&self) -> LogStats {
        LogStats { bytes: self.lock().writer.written_bytes(), ..LogStats::default() }
    }

    fn close(self: Box<Self>) -> Result<(), LogError> {
        let mut log = self.lock();
        while let Some(mut group) = log.waiting.pop_front() {
            log.writer.write(&mut group)?;
            log.synced = group.last_seq;
        }
        log.writer.close()
    }
}

struct SteppedSnapshot {
    ports: SteppedPorts,
    writer: Option<SnapshotWriter>,
    state: Option<SnapshotState>,
}

impl SnapshotPort for SteppedSnapshot {
    fn buffer(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn try_chunk(&mut self, chunk: Vec<u8>) -> Result<(), Vec<u8>> {
        if self.ports.chance(0.3) {
            return Err(chunk);
        }
        if let Some(writer) = &mut self.writer
            && let Err(error) = writer.chunk(&chunk)
        {
            self.writer = None;
            self.state = Some(SnapshotState::Failed(error));
        }
        Ok(())
    }

    fn try_finish(&mut self, needs_seq: u64) -> bool {
        if self.ports.chance(0.3) {
            return false;
        }
        if let Some(writer) = self.writer.take() {
            self.state = Some(match writer.finish(needs_seq) {
                Ok(info) => SnapshotState::Finished(info),
                Err(error) => SnapshotState::Failed(error),
            });
        }
        true
    }

    fn state(&mut self) -> SnapshotState {
        self.state.take().unwrap_or(SnapshotState::Writing)
    }
}

struct SteppedRemoval {
    ports: SteppedPorts,
    storage: Arc<dyn Storage>,
    seqs: Vec<u64>,
}

impl Removal for SteppedRemoval {
    fn done(&mut self) -> Option<Result<(), LogError>> {
        if self.ports.chance(0.5) {
            return None;
        }
        Some(remove_all(&*self.storage, &self.seqs))
    }
}
