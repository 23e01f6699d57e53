//! Writing a snapshot beside everything else.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread::{self, JoinHandle};

use super::{SnapshotInfo, SnapshotWriter};
use crate::log::error::{Doing, LogError};
use crate::storage::Storage;

/// How many chunks may wait for the disk.
const QUEUE_CHUNKS_MAX: usize = 4;

/// A snapshot that a thread of its own writes. Dropped before it is finished it leaves nothing.
#[derive(Debug)]
pub struct SnapshotThread {
    /// None once the last order was given.
    orders: Option<SyncSender<Order>>,
    /// Emptied buffers come back here.
    empty: Receiver<Vec<u8>>,
    thread: Option<JoinHandle<Result<Option<SnapshotInfo>, LogError>>>,
}

/// How far a [`SnapshotThread`] is.
#[derive(Debug)]
pub enum SnapshotState {
    /// It is at work, or waits for chunks.
    Writing,
    /// It is whole, and counts.
    Finished(SnapshotInfo),
    /// It came to nothing.
    Failed(LogError),
}

#[derive(Debug)]
enum Order {
    Chunk(Vec<u8>),
    Finish { needs_seq: u64 },
}

impl SnapshotThread {
    /// Starts the thread. See [`SnapshotWriter::create`].
    ///
    /// # Errors
    /// When no thread can be had. What the disk says is told by [`Self::state`].
    pub fn start(storage: Arc<dyn Storage>, seq: u64, preamble: Vec<u8>) -> Result<Self, LogError> {
        let (orders, received) = mpsc::sync_channel(QUEUE_CHUNKS_MAX);
        let (give_back, empty) = mpsc::sync_channel(QUEUE_CHUNKS_MAX + 1);
        let directory = storage.describe();
        let thread = thread::Builder::new()
            .name("evertick-snap".to_owned())
            .spawn(move || write(storage, seq, &preamble, &received, &give_back))
            .doing("starting a thread for", &directory)?;
        Ok(Self { orders: Some(orders), empty, thread: Some(thread) })
    }

    /// An empty buffer for the next chunk, with the memory of an earlier one if there is one to be had.
    pub fn buffer(&self) -> Vec<u8> {
        self.empty.try_recv().unwrap_or_default()
    }

    /// Hands a chunk over; never blocks. Gives it back when the disk is behind: try again at the next tick. After a
    /// failure chunks are swallowed; [`Self::state`] tells.
    ///
    /// # Errors
    /// The chunk, when it does not fit into the queue.
    pub fn try_chunk(&self, chunk: Vec<u8>) -> Result<(), Vec<u8>> {
        match self.orders.as_ref().map(|orders| orders.try_send(Order::Chunk(chunk))) {
            Some(Err(TrySendError::Full(Order::Chunk(chunk)))) => Err(chunk),
            _ => Ok(()),
        }
    }

    /// All chunks were handed over. Never blocks; false when the queue is full: try again at the next tick. See
    /// [`SnapshotWriter::finish`] for what must be synced before.
    pub fn try_finish(&mut self, needs_seq: u64) -> bool {
        let Some(orders) = &self.orders else { return true };
        if matches!(orders.try_send(Order::Finish { needs_seq }), Err(TrySendError::Full(_))) {
            return false;
        }
        self.orders = None;
        true
    }

    /// How far it is. The end is told once; afterwards it is [`SnapshotState::Writing`] again.
    pub fn state(&mut self) -> SnapshotState {
        let Some(thread) = self.thread.take_if(|thread| thread.is_finished()) else {
            return SnapshotState::Writing;
        };
        match thread.join() {
            Ok(Ok(Some(info))) => SnapshotState::Finished(info),
            Ok(Err(error)) => SnapshotState::Failed(error),
            // A panic. Without an order to finish it only ends when this is dropped.
            Ok(Ok(None)) | Err(_) => SnapshotState::Failed(LogError::ThreadEnded),
        }
    }
}

impl Drop for SnapshotThread {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // Waits for the write that is under way: the thread holds the directory.
            let _ = thread.join();
        }
    }
}

fn write(
    storage: Arc<dyn Storage>,
    seq: u64,
    preamble: &[u8],
    orders: &Receiver<Order>,
    give_back: &SyncSender<Vec<u8>>,
) -> Result<Option<SnapshotInfo>, LogError> {
    let mut writer = SnapshotWriter::create(storage, seq, preamble)?;
    while let Ok(order) = orders.recv() {
        match order {
            Order::Chunk(mut chunk) => {
                writer.chunk(&chunk)?;
                chunk.clear();
                // No room is no harm: the next chunk gets new memory.
                let _ = give_back.try_send(chunk);
            }
            Order::Finish { needs_seq } => return writer.finish(needs_seq).map(Some),
        }
    }
    Ok(None)
}
