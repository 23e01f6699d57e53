//! Writing a snapshot.

use std::sync::Arc;

use super::format::{CHUNK_BYTES_MAX, CHUNK_HEADER, Footer, Header, SnapshotInfo, chunk_crc};
use crate::log::error::{Doing, LogError};
use crate::log::format::PREAMBLE_BYTES_MAX;
use crate::log::names::{self, UNFINISHED};
use crate::storage::{Storage, StorageFile};

/// Chunks are gathered to so many bytes before they are written.
const BUFFER_BYTES: usize = 256 << 10;
/// After so many bytes the file is synced, so that the system never has much of it to write at once: that would hold
/// up the log.
const SYNC_BYTES: u64 = 1 << 20;

/// A snapshot that is being written. Dropped before [`Self::finish`] it leaves nothing.
pub struct SnapshotWriter {
    storage: Arc<dyn Storage>,
    file: Box<dyn StorageFile>,
    unfinished: String,
    seq: u64,
    salt: u64,
    buffer: Vec<u8>,
    /// How much was written, and how much synced.
    written: u64,
    synced: u64,
    chunks: u64,
    chain: u32,
    finished: bool,
}

impl SnapshotWriter {
    /// Begins one. `seq` is the last record of which all effects will be in it; `preamble` (64 MiB at most) is given
    /// back by [`SnapshotReader::preamble`](super::SnapshotReader::preamble).
    ///
    /// # Errors
    /// When the disk fails.
    pub fn create(storage: Arc<dyn Storage>, seq: u64, preamble: &[u8]) -> Result<Self, LogError> {
        if preamble.len() > PREAMBLE_BYTES_MAX {
            return Err(LogError::TooLarge { seq, bytes: preamble.len(), max: PREAMBLE_BYTES_MAX });
        }
        let unfinished = format!("{}{UNFINISHED}", names::snapshot(seq));
        let salt = storage.unique();
        let header =
            Header { salt, seq, preamble_len: preamble.len() as u32, preamble_crc: crc32c::crc32c(preamble) };
        let (fixed, chain) = header.encode();
        let mut buffer = Vec::with_capacity(BUFFER_BYTES + fixed.len() + preamble.len());
        buffer.extend_from_slice(&fixed);
        buffer.extend_from_slice(preamble);
        let file = storage.create(&unfinished).doing("making", &unfinished)?;
        Ok(Self {
            storage,
            file,
            unfinished,
            seq,
            salt,
            buffer,
            written: 0,
            synced: 0,
            chunks: 0,
            chain,
            finished: false,
        })
    }

    /// Adds a chunk. Every so often this writes and syncs, so it blocks.
    ///
    /// # Errors
    /// When the disk fails, or the chunk has more than 1 GiB. Drop the writer then; the log is as it was.
    pub fn chunk(&mut self, bytes: &[u8]) -> Result<(), LogError> {
        if bytes.len() > CHUNK_BYTES_MAX {
            return Err(LogError::TooLarge { seq: self.seq, bytes: bytes.len(), max: CHUNK_BYTES_MAX });
        }
        self.chain = chunk_crc(self.chain, bytes);
        self.chunks += 1;
        let mut header = [0; CHUNK_HEADER];
        header[..4].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        header[4..].copy_from_slice(&self.chain.to_le_bytes());
        self.put(&header)?;
        self.put(bytes)
    }

    fn put(&mut self, mut bytes: &[u8]) -> Result<(), LogError> {
        while self.buffer.len() + bytes.len() >= BUFFER_BYTES {
            let (now, later) = bytes.split_at(BUFFER_BYTES.saturating_sub(self.buffer.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            self.flush()?;
            if self.written - self.synced >= SYNC_BYTES {
                self.file.sync_data().doing("syncing", &self.unfinished)?;
                self.synced = self.written;
            }
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), LogError> {
        self.file.write_all_at(&self.buffer, self.written).doing("writing", &self.unfinished)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Writes the end, syncs all, and gives the file its name. From then on it counts.
    ///
    /// `needs_seq` is the last record whose effects may be in the chunks. The log must have synced it already: else a
    /// crash could leave a snapshot of what never was confirmed.
    ///
    /// # Errors
    /// When the disk fails. The snapshot does not count then, or only by the accident that the directory was written
    /// all the same, which does no harm.
    pub fn finish(mut self, needs_seq: u64) -> Result<SnapshotInfo, LogError> {
        let file_bytes = self.written + (self.buffer.len() + super::format::FOOTER) as u64;
        let footer = Footer {
            salt: self.salt,
            needs_seq: needs_seq.max(self.seq),
            chunks: self.chunks,
            file_bytes,
            chain: self.chain,
        };
        self.buffer.extend_from_slice(&footer.encode());
        self.flush()?;
        self.file.sync_all().doing("syncing", &self.unfinished)?;
        let name = names::snapshot(self.seq);
        self.storage.rename(&self.unfinished, &name).doing("renaming", &self.unfinished)?;
        self.finished = true;
        self.storage.sync_dir().doing("syncing", &self.storage.describe())?;
        Ok(SnapshotInfo { seq: self.seq, needs_seq: footer.needs_seq, chunks: self.chunks, file_bytes })
    }
}

impl Drop for SnapshotWriter {
    fn drop(&mut self) {
        if !self.finished {
            // What this misses is removed at the next start.
            let _ = self.storage.remove(&self.unfinished);
        }
    }
}
