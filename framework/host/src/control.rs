//! What an operator asks of a running host. Requests are answered at the next tick.

use std::sync::Arc;

use evertick_durability::{Journal, RecordingError, RecordingStats, Storage};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::host::Host;
use crate::metrics::StorageSnapshot;

/// Requests that may wait for the host; further ones wait to be sent.
const REQUESTS_MAX: usize = 8;

/// Why a request has no answer.
#[derive(Debug, Error)]
pub enum ControlError {
    /// The world has ended.
    #[error("the server stops")]
    Stopped,
    /// There is no log to do it with.
    #[error("this server keeps its world in memory only; give it a data directory")]
    NoJournal,
    /// The recording could not be started or ended.
    #[error(transparent)]
    Recording(#[from] RecordingError),
}

/// How a host is.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// The world's tick.
    pub tick: u64,
    /// Entities that exist.
    pub entities: u64,
    /// Sessions that are open.
    pub sessions: u64,
    /// Why the world stands still, while the disk fails.
    pub trouble: Option<String>,
    /// The exact recording that is under way.
    pub recording: Option<RecordingStats>,
    /// What is kept on disk.
    pub storage: StorageSnapshot,
}

type Answer<T> = oneshot::Sender<Result<T, ControlError>>;

pub(crate) enum Request {
    Status(Answer<Status>),
    Snapshot(Answer<()>),
    StartRecording(Arc<dyn Storage>, Answer<()>),
    StopRecording(Answer<RecordingStats>),
}

/// Asks a running host; clones ask the same.
#[derive(Clone)]
pub struct Control(mpsc::Sender<Request>);

impl Control {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Request>) {
        let (sender, receiver) = mpsc::channel(REQUESTS_MAX);
        (Self(sender), receiver)
    }

    /// How the host is.
    pub async fn status(&self) -> Result<Status, ControlError> {
        self.ask(Request::Status).await
    }

    /// Begins a snapshot with the next tick, unless one is under way.
    pub async fn snapshot(&self) -> Result<(), ControlError> {
        self.ask(Request::Snapshot).await
    }

    /// Begins an exact recording into an empty storage. The world stands still while its image is written.
    pub async fn start_recording(&self, storage: Arc<dyn Storage>) -> Result<(), ControlError> {
        self.ask(|answer| Request::StartRecording(storage, answer)).await
    }

    /// Ends the recording, when it is on disk; what it has become.
    pub async fn stop_recording(&self) -> Result<RecordingStats, ControlError> {
        self.ask(Request::StopRecording).await
    }

    async fn ask<T>(&self, request: impl FnOnce(Answer<T>) -> Request) -> Result<T, ControlError> {
        let (answer, answered) = oneshot::channel();
        self.0.send(request(answer)).await.map_err(|_| ControlError::Stopped)?;
        answered.await.unwrap_or(Err(ControlError::Stopped))
    }
}

impl Host {
    /// Answers what has been asked.
    pub(crate) fn answer_operator(&mut self) {
        while let Ok(request) = self.requests.try_recv() {
            // Whoever has not waited for the answer does not need it.
            let _given_up = match request {
                Request::Status(answer) => answer.send(Ok(self.status())).is_err(),
                Request::Snapshot(answer) => answer.send(self.start_snapshot()).is_err(),
                Request::StartRecording(storage, answer) => {
                    answer.send(self.start_recording(storage)).is_err()
                }
                Request::StopRecording(answer) => answer.send(self.stop_recording()).is_err(),
            };
        }
    }

    fn status(&self) -> Status {
        Status {
            tick: self.simulation.tick_number(),
            entities: self.simulation.world().entity_count() as u64,
            sessions: self.sessions.len() as u64,
            trouble: self.disk.trouble().map(str::to_owned),
            recording: self.disk.journal.as_ref().and_then(Journal::recording),
            storage: self.disk.snapshot(&self.release),
        }
    }

    fn start_snapshot(&mut self) -> Result<(), ControlError> {
        let journal = self.disk.journal.as_mut().ok_or(ControlError::NoJournal)?;
        journal.snapshot();
        Ok(())
    }

    fn start_recording(&mut self, storage: Arc<dyn Storage>) -> Result<(), ControlError> {
        let journal = self.disk.journal.as_mut().ok_or(ControlError::NoJournal)?;
        Ok(journal.start_recording(&mut self.simulation, storage)?)
    }

    fn stop_recording(&mut self) -> Result<RecordingStats, ControlError> {
        let journal = self.disk.journal.as_mut().ok_or(ControlError::NoJournal)?;
        Ok(journal.stop_recording(&mut self.simulation)?)
    }
}
