//! Exact recordings: an image of the simulation, and then every commit's causes with checksums of what they did.
//!
//! A recording is a directory of its own, made of the same files: the image is a snapshot's chunks, the commits are
//! a log. Nobody waits for it; if its disk fails it ends, and the server goes on.

use std::io::{self, Write};
use std::sync::Arc;

use evertick_world::{Delta, Simulation};
use thiserror::Error;

use super::Journal;
use super::entries::Entries;
use super::port::Ports;
use crate::log::{LOCK, LogEnd, LogError, LogStatus, SnapshotWriter};
use crate::record::{DeltaChecksum, Header, Preamble, RecordKind, RecordWriter};
use crate::storage::Storage;

/// Bytes of the image in one chunk.
const IMAGE_CHUNK_BYTES: usize = 256 << 10;

/// Why a recording can't be started or ended.
#[derive(Debug, Error)]
pub enum RecordingError {
    /// There is one already.
    #[error("a recording is under way already; stop it first")]
    Recording,
    /// There is none.
    #[error("no recording is under way{}", ended.as_ref().map(|why| format!("; the last one ended by itself: {why}")).unwrap_or_default())]
    NotRecording {
        /// Why the last one ended by itself, if it did.
        ended: Option<String>,
    },
    /// The directory has files.
    #[error("{0} is not empty; record into a new directory")]
    NotEmpty(String),
    /// The directory can't be written.
    #[error("the recording can't be written: {0}")]
    Log(#[from] LogError),
    /// The directory can't be read or written.
    #[error("{doing} for the recording: {error}; check the directory, its disk's free space and permissions")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        error: io::Error,
    },
}

/// How a recording stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingStats {
    /// Where it is.
    pub directory: String,
    /// Commits in it.
    pub commits: u64,
    /// Bytes of them, without the image.
    pub bytes: u64,
}

/// A recording that is under way.
#[derive(Debug)]
pub(super) struct Recording {
    directory: String,
    entries: Entries,
    checksum: DeltaChecksum,
    record: Vec<u8>,
    commits: u64,
    bytes: u64,
}

impl Recording {
    fn start(
        simulation: &mut Simulation,
        (config, ports): (&crate::log::LogConfig, &dyn Ports),
        storage: Arc<dyn Storage>,
    ) -> Result<Self, RecordingError> {
        let io = |doing| move |error| RecordingError::Io { doing, error };
        let directory = storage.describe();
        let files = storage.list().map_err(io("listing the directory"))?;
        if files.iter().any(|(name, _)| name != LOCK) {
            return Err(RecordingError::NotEmpty(directory));
        }
        storage.lock().map_err(io("locking the directory"))?;
        let preamble = Preamble::of(0, simulation).to_bytes();
        let mut image = Image {
            writer: SnapshotWriter::create(Arc::clone(&storage), 0, &preamble)?,
            chunk: Vec::with_capacity(IMAGE_CHUNK_BYTES),
            error: None,
        };
        // What the guests remember by themselves is not in the image.
        simulation.renew();
        let written = simulation.write_image(&mut image).and_then(|()| image.flush());
        if let Some(error) = image.error.take() {
            return Err(error.into());
        }
        written.map_err(io("writing the image"))?;
        image.writer.finish(0)?;
        let log = ports.log(storage, config, LogEnd::empty_after(0), preamble, Box::new(|_| {}))?;
        simulation.trace(true);
        Ok(Self {
            directory,
            entries: Entries::new(log, 0),
            checksum: DeltaChecksum::default(),
            record: Vec::new(),
            commits: 0,
            bytes: 0,
        })
    }

    fn stats(&self) -> RecordingStats {
        RecordingStats { directory: self.directory.clone(), commits: self.commits, bytes: self.bytes }
    }

    /// Syncs all, and ends.
    pub(super) fn stop(self) -> Result<RecordingStats, LogError> {
        let stats = self.stats();
        self.entries.close()?;
        Ok(stats)
    }
}

impl Journal {
    /// Begins to record into an empty directory, from what the simulation is now. To be called right after
    /// [`Journal::commit`].
    ///
    /// The world stands still while its image is written: about as long as a recovery of it takes.
    ///
    /// # Errors
    /// When a recording is under way, or the directory is not empty or can't be written. Nothing has changed then.
    pub fn start_recording(
        &mut self,
        simulation: &mut Simulation,
        storage: Arc<dyn Storage>,
    ) -> Result<(), RecordingError> {
        if self.recording.is_some() {
            return Err(RecordingError::Recording);
        }
        let recording = Recording::start(simulation, (&self.config.log, self.snapshots.ports()), storage)?;
        self.recording = Some(recording);
        (self.recording_error, self.tracing) = (None, true);
        Ok(())
    }

    /// Ends the recording, and waits until it is on the disk.
    ///
    /// # Errors
    /// When there is none, or its end did not reach the disk.
    pub fn stop_recording(&mut self, simulation: &mut Simulation) -> Result<RecordingStats, RecordingError> {
        let Some(recording) = self.recording.take() else {
            return Err(RecordingError::NotRecording { ended: self.recording_error.take() });
        };
        simulation.trace(false);
        self.tracing = false;
        Ok(recording.stop()?)
    }

    /// How the recording stands, if one is under way.
    pub fn recording(&self) -> Option<RecordingStats> {
        self.recording.as_ref().map(Recording::stats)
    }

    /// Adds a commit to the recording, whether it left a record in the log or not.
    pub(super) fn record_commit(&mut self, simulation: &mut Simulation, delta: &Delta) {
        let Some(recording) = &mut self.recording else {
            if std::mem::take(&mut self.tracing) {
                simulation.trace(false);
            }
            return;
        };
        let trace = simulation.take_trace();
        let header = Header { kind: RecordKind::Commit, ..self.last };
        let mut record = RecordWriter::start(&mut recording.record, header);
        self.causes.write(record.out, delta.time);
        record.checks(recording.checksum.of(delta), &trace);
        recording.entries.append(&recording.record, false);
        recording.commits += 1;
        recording.bytes += recording.record.len() as u64;
        if recording.bytes >= self.config.recording_bytes_max {
            let why = format!("it has the {} bytes that it may have", self.config.recording_bytes_max);
            self.end_recording(why);
        }
    }

    /// Ends a recording whose disk fails.
    pub(super) fn watch_recording(&mut self) {
        let failing = self.recording.as_ref().filter(|recording| recording.entries.is_failing());
        if let Some(recording) = failing {
            let why = match recording.entries.status() {
                LogStatus::Failing { error } => error,
                LogStatus::Running => "its disk can't keep up".to_owned(),
            };
            self.end_recording(why);
        }
    }

    #[cold]
    fn end_recording(&mut self, why: String) {
        tracing::warn!("the recording ends: {why}");
        if let Some(recording) = self.recording.take()
            && let Err(error) = recording.stop()
        {
            tracing::warn!("the end of the recording is not on the disk: {error}");
        }
        self.recording_error = Some(why);
    }
}

/// Puts an image into chunks.
struct Image {
    writer: SnapshotWriter,
    chunk: Vec<u8>,
    error: Option<LogError>,
}

impl Write for Image {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(IMAGE_CHUNK_BYTES - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        if self.chunk.len() == IMAGE_CHUNK_BYTES {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.chunk.is_empty() {
            if let Err(error) = self.writer.chunk(&self.chunk) {
                let text = error.to_string();
                self.error = Some(error);
                return Err(io::Error::other(text));
            }
            self.chunk.clear();
        }
        Ok(())
    }
}
