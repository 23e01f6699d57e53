//! What frames changed, as a stream: bounded, and honest about what a slow reader missed.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use evertick_schema::{EntityId, Row, Timestamp};
use tokio::sync::{broadcast, watch};

use crate::error::{ConnectionState, Disconnected, RowTypeError, StreamError};
use crate::types::{ModuleTypes, decode};

/// What one frame changed in the replica, and the events that came with it.
#[derive(Debug)]
pub struct FrameChanges {
    /// The frame's tick.
    pub tick: u64,
    /// The world's time at it.
    pub time: Timestamp,
    pub(crate) changes: Vec<RowChange>,
    pub(crate) events: Vec<(u32, Bytes)>,
    pub(crate) types: Arc<ModuleTypes>,
}

/// A row before and after a frame; at least one of the two is there.
#[derive(Debug)]
pub(crate) struct RowChange {
    pub(crate) row: u32,
    pub(crate) entity: EntityId,
    pub(crate) old: Option<Bytes>,
    pub(crate) new: Option<Bytes>,
}

/// What a frame did to one row of type `T`.
#[derive(Clone, Debug, PartialEq)]
pub enum Change<T> {
    /// The client sees it now.
    Inserted {
        /// Whose row it is.
        entity: EntityId,
        /// The row.
        row: T,
    },
    /// It has other values.
    Updated {
        /// Whose row it is.
        entity: EntityId,
        /// The row before.
        old: T,
        /// The row now.
        row: T,
    },
    /// The client doesn't see it any more.
    Removed {
        /// Whose row it was.
        entity: EntityId,
        /// The row before.
        old: T,
    },
}

impl FrameChanges {
    /// The changes of rows of type `T`.
    pub fn of<T: Row>(&self) -> Result<impl Iterator<Item = Change<T>> + use<'_, T>, RowTypeError> {
        let number = self.types.row::<T>()?;
        Ok(self.changes.iter().filter(move |change| change.row == number).filter_map(RowChange::typed))
    }

    /// The events of type `T`, in the order they happened.
    pub fn events<T: Row>(&self) -> Result<impl Iterator<Item = T> + use<'_, T>, RowTypeError> {
        let number = self.types.row::<T>()?;
        Ok(self.events.iter().filter(move |(row, _)| *row == number).map(|(_, bytes)| decode(bytes)))
    }

    /// How many rows changed, of all types.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether there are neither changes nor events.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.events.is_empty()
    }
}

impl RowChange {
    fn typed<T: Row>(&self) -> Option<Change<T>> {
        let entity = self.entity;
        match (&self.old, &self.new) {
            (None, Some(row)) => Some(Change::Inserted { entity, row: decode(row) }),
            (Some(old), Some(row)) => Some(Change::Updated { entity, old: decode(old), row: decode(row) }),
            (Some(old), None) => Some(Change::Removed { entity, old: decode(old) }),
            (None, None) => None,
        }
    }
}

/// Every frame's changes, from the moment the stream was made.
#[derive(Debug)]
pub struct ChangeStream {
    pub(crate) frames: broadcast::Receiver<Arc<FrameChanges>>,
    pub(crate) state: watch::Receiver<ConnectionState>,
}

impl ChangeStream {
    /// The next frame that changed something. Safe to cancel.
    pub async fn next(&mut self) -> Result<Arc<FrameChanges>, StreamError> {
        tokio::select! {
            biased; // what came before the end is given before it
            frame = self.frames.recv() => match frame {
                Ok(frame) => return Ok(frame),
                Err(broadcast::error::RecvError::Lagged(count)) => return Err(StreamError::Lagged(count)),
                Err(broadcast::error::RecvError::Closed) => {}
            },
            _ = self.state.wait_for(ConnectionState::is_closed) => {}
        }
        Err(self.end())
    }

    /// The next frame that changed something, if it is there already: for loops that must not wait.
    pub fn try_next(&mut self) -> Result<Option<Arc<FrameChanges>>, StreamError> {
        match self.frames.try_recv() {
            Ok(frame) => Ok(Some(frame)),
            Err(broadcast::error::TryRecvError::Lagged(count)) => Err(StreamError::Lagged(count)),
            Err(_) if self.state.borrow().is_closed() => Err(self.end()),
            Err(_) => Ok(None),
        }
    }

    fn end(&self) -> StreamError {
        let why = self.state.borrow().closed().cloned();
        StreamError::Disconnected(why.unwrap_or(Disconnected::ByClient))
    }
}

/// The events of one type, from the moment the stream was made.
#[derive(Debug)]
pub struct EventStream<T> {
    frames: ChangeStream,
    /// Of the last frame, not yet given.
    waiting: VecDeque<T>,
    row: PhantomData<T>,
}

impl<T: Row> EventStream<T> {
    pub(crate) fn new(frames: ChangeStream) -> Self {
        Self { frames, waiting: VecDeque::new(), row: PhantomData }
    }

    /// The next event. Safe to cancel.
    pub async fn next(&mut self) -> Result<T, StreamError> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Ok(event);
            }
            let frame = self.frames.next().await?;
            self.take(&frame);
        }
    }

    /// The next event, if it is there already: for loops that must not wait.
    pub fn try_next(&mut self) -> Result<Option<T>, StreamError> {
        while self.waiting.is_empty() {
            let Some(frame) = self.frames.try_next()? else { return Ok(None) };
            self.take(&frame);
        }
        Ok(self.waiting.pop_front())
    }

    fn take(&mut self, frame: &FrameChanges) {
        // The type was compared with the description when the stream was made.
        self.waiting.extend(frame.events::<T>().into_iter().flatten());
    }
}
