//! Writing groups into segments.

use std::sync::Arc;

use super::shelf::{Shelf, Spare};
use crate::log::config::LogConfig;
use crate::log::error::{Doing, LogError};
use crate::log::format::{BLOCK, Group, Kind, SegmentEnd, SegmentHeader, block_up, mark};
use crate::log::names::{self, SPARE, UNFINISHED};
use crate::log::read::{LogEnd, SegmentInfo, segment_files};
use crate::storage::{Storage, StorageFile};

/// Writes a log's groups, one at a time.
pub(crate) struct Writer {
    storage: Arc<dyn Storage>,
    shelf: Arc<Shelf>,
    segment_bytes: u64,
    preamble: Vec<u8>,
    active: Option<Active>,
    /// The segment before the active one, or the one to continue if there is none.
    previous: Option<SegmentEnd>,
    next_index: u64,
    last_seq: u64,
    /// Segments that came to nothing.
    abandoned: Vec<String>,
    /// A segment was begun, and [`Self::settle`] not done yet.
    unsettled: bool,
    /// Groups were synced since the last mark.
    unmarked: bool,
    /// Bytes written so far, without those of failed attempts.
    written_bytes: u64,
}

/// The segment that is written. It holds a synced group at least.
struct Active {
    file: Box<dyn StorageFile>,
    name: String,
    end: SegmentEnd,
    after_seq: u64,
    /// Length of the file, if it was full from the start.
    prepared_bytes: u64,
}

/// Makes a group's bytes for a segment's salt, a place in it, and the chain value of what stands before.
type MakeBytes<'a> = &'a mut dyn FnMut(u64, u64, u32) -> (Vec<u8>, u32);

impl Writer {
    /// Takes the directory for itself, clears what a crash left, and writes again what may be written and not
    /// synced.
    pub(crate) fn start(
        storage: Arc<dyn Storage>,
        shelf: Arc<Shelf>,
        config: &LogConfig,
        end: LogEnd,
        preamble: Vec<u8>,
    ) -> Result<Self, LogError> {
        lock(&*storage)?;
        let highest = segment_files(&*storage)?.into_keys().next_back().unwrap_or(0);
        if highest >= end.next_index {
            // Somebody has written since the scan, before this process had the lock.
            return Err(LogError::Locked(storage.describe()));
        }
        let segment_bytes = config.segment_bytes.next_multiple_of(BLOCK);
        let directory = storage.describe();
        let mut spare = Spare::None;
        for (name, len) in storage.list().doing("listing", &directory)? {
            match name.as_str() {
                SPARE if len == segment_bytes => spare = Spare::Ready,
                name if name == SPARE || names::is_unfinished(name) => {
                    storage.remove(name).doing("removing", name)?;
                }
                _ => {}
            }
        }
        // What the scan saw may be names that a process which was killed did not sync.
        storage.sync_dir().doing("syncing", &directory)?;
        {
            let mut contents = shelf.contents();
            contents.segments = end.segments;
            contents.spare = spare;
        }
        let mut writer = Self {
            storage,
            shelf,
            segment_bytes,
            preamble,
            active: None,
            previous: end.previous,
            next_index: end.next_index,
            last_seq: end.last_seq,
            abandoned: end.abandoned.into_iter().map(names::segment).collect(),
            unsettled: false,
            unmarked: false,
            written_bytes: 0,
        };
        if let Some(mut group) = end.unproven {
            writer.last_seq = end.proven_seq;
            writer.write(&mut group)?;
            writer.settle();
        }
        Ok(writer)
    }

    /// Writes a group and syncs it. After an error nothing is known about it, and it must be written again before
    /// any other.
    pub(crate) fn write(&mut self, group: &mut Group) -> Result<(), LogError> {
        let blocks = block_up(group.len() as u64);
        let is_full = |active: &Active| active.end.end + blocks > self.segment_bytes;
        if self.active.as_ref().is_some_and(is_full) {
            self.retire();
        }
        let written = match &mut self.active {
            Some(active) => {
                let (bytes, chain) = group.seal_up(active.end.salt, active.end.end, active.end.chain);
                active.append(bytes, chain)
            }
            None => self.begin(&mut |salt, offset, previous| {
                let (bytes, chain) = group.seal_up(salt, offset, previous);
                (bytes.to_vec(), chain)
            }),
        };
        self.wrote(written, group.last_seq)?;
        self.unmarked = true;
        Ok(())
    }

    /// Writes a mark behind the last group: proof that it was synced, for the case that it is damaged before another
    /// one follows. Does nothing when there is one already.
    pub(crate) fn mark(&mut self) -> Result<(), LogError> {
        if !self.unmarked {
            return Ok(());
        }
        let last_seq = self.last_seq;
        let make = &mut |salt, offset, previous| mark(Kind::Mark, salt, offset, previous, last_seq);
        let written = match &mut self.active {
            Some(active) => {
                let (bytes, chain) = make(active.end.salt, active.end.end, active.end.chain);
                active.append(&bytes, chain)
            }
            None => self.begin(make),
        };
        self.wrote(written, last_seq)?;
        self.unmarked = false;
        Ok(())
    }

    /// Bytes written so far, headers and padding included, without those of failed attempts.
    pub(crate) fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// Whether the next segment's file should be prepared now.
    pub(crate) fn needs_housekeeping(&mut self) -> bool {
        let is_half_full = self.active.as_ref().is_some_and(|active| active.end.end > self.segment_bytes / 2);
        is_half_full && self.shelf.want_spare()
    }

    fn wrote(&mut self, written: Result<(), LogError>, last_seq: u64) -> Result<(), LogError> {
        if let Err(error) = written {
            self.retire();
            return Err(error);
        }
        self.last_seq = last_seq;
        let active = self.active.as_ref().expect("it was written to");
        let info = SegmentInfo {
            index: active.end.index,
            after_seq: active.after_seq,
            end: active.end.end,
            file_bytes: active.prepared_bytes.max(active.end.end),
        };
        let mut contents = self.shelf.contents();
        let last = contents.segments.last_mut().filter(|last| last.index == info.index);
        let before = last.as_ref().map_or(0, |last| last.end);
        self.written_bytes += info.end - before;
        match last {
            Some(last) => *last = info,
            None => contents.segments.push(info),
        }
        Ok(())
    }

    /// Gives the active segment up: what was synced in it counts.
    fn retire(&mut self) {
        if let Some(active) = self.active.take() {
            self.previous = Some(active.end);
        }
    }

    /// Begins a segment with its first group. All is synced before the file gets its name.
    fn begin(&mut self, make: MakeBytes<'_>) -> Result<(), LogError> {
        let index = self.next_index;
        self.next_index += 1;
        let name = names::segment(index);
        let salt = self.storage.unique();
        let header = SegmentHeader {
            index,
            salt,
            after_seq: self.last_seq,
            previous: self.previous.clone(),
            preamble: self.preamble.clone(),
        };
        let (mut bytes, chain) = header.encode();
        let (group, chain) = make(salt, bytes.len() as u64, chain);
        bytes.extend_from_slice(&group);

        let is_prepared = self.shelf.take_spare();
        let unfinished = if is_prepared { SPARE.to_owned() } else { format!("{name}{UNFINISHED}") };
        let file = self.fill(&unfinished, is_prepared, &bytes, &name).inspect_err(|_| {
            // It may be the room for it that is missing.
            let _ = self.storage.remove(&unfinished);
        });
        self.shelf.spare_has_a_name();
        let file = file?;
        if let Err(source) = self.storage.sync_dir() {
            self.abandoned.push(name);
            return Err(LogError::Io { doing: "syncing", file: self.storage.describe(), source });
        }
        self.active = Some(Active {
            file,
            name,
            end: SegmentEnd { index, salt, end: bytes.len() as u64, chain },
            after_seq: self.last_seq,
            prepared_bytes: if is_prepared { self.segment_bytes } else { 0 },
        });
        self.unsettled = true;
        Ok(())
    }

    fn fill(
        &self,
        unfinished: &str,
        is_prepared: bool,
        bytes: &[u8],
        name: &str,
    ) -> Result<Box<dyn StorageFile>, LogError> {
        let file = if is_prepared {
            self.storage.open_writable(unfinished).doing("opening", unfinished)?
        } else {
            self.storage.create(unfinished).doing("making", unfinished)?
        };
        file.write_all_at(bytes, 0).doing("writing", unfinished)?;
        file.sync_all().doing("syncing", unfinished)?;
        self.storage.rename(unfinished, name).doing("renaming", unfinished)?;
        Ok(file)
    }

    /// What is to be done after a segment was begun, but need not be waited for. What fails here is not needed for
    /// safety against crashes.
    pub(crate) fn settle(&mut self) {
        if !std::mem::take(&mut self.unsettled) {
            return;
        }
        if let (Some(previous), Some(active)) = (&self.previous, &self.active)
            && let Err(error) = self.seal(previous, active.after_seq)
        {
            tracing::warn!("the end of {} could not be sealed: {error}", names::segment(previous.index));
        }
        for name in std::mem::take(&mut self.abandoned) {
            match self.storage.remove(&name) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    tracing::warn!("{name}, which is not needed, could not be removed: {error}");
                }
                _ => {}
            }
        }
    }

    /// Writes behind a segment's last group that there is a later one, and cuts the file there if it is mostly
    /// unused.
    fn seal(&self, segment: &SegmentEnd, last_seq: u64) -> Result<(), LogError> {
        let name = names::segment(segment.index);
        let (bytes, _) = mark(Kind::Seal, segment.salt, segment.end, segment.chain, last_seq);
        // Opened anew: if a sync of it has failed, this handle has not seen that.
        let file = self.storage.open_writable(&name).doing("opening", &name)?;
        file.write_all_at(&bytes, segment.end).doing("writing", &name)?;
        file.sync_data().doing("syncing", &name)?;
        let end = segment.end + BLOCK;
        if end < self.segment_bytes / 2 && end < file.len().doing("measuring", &name)? {
            file.set_len(end).doing("cutting", &name)?;
            self.shelf.set_file_bytes(segment.index, end);
        }
        Ok(())
    }

    /// Writes a mark and cuts the file behind it.
    pub(crate) fn close(&mut self) -> Result<(), LogError> {
        self.mark()?;
        self.settle();
        if let Some(active) = &self.active {
            // Only for the room: the mark is the end.
            let cut = active.file.set_len(active.end.end).and_then(|()| active.file.sync_all());
            if let Err(error) = cut {
                tracing::warn!("{} could not be cut at its end: {error}", active.name);
            }
        }
        Ok(())
    }
}

impl Active {
    fn append(&mut self, bytes: &[u8], chain: u32) -> Result<(), LogError> {
        self.file.write_all_at(bytes, self.end.end).doing("writing", &self.name)?;
        self.file.sync_data().doing("syncing", &self.name)?;
        self.end.end += bytes.len() as u64;
        self.end.chain = chain;
        Ok(())
    }
}

/// Takes a directory for this process.
pub(crate) fn lock(storage: &dyn Storage) -> Result<(), LogError> {
    storage.lock().map_err(|source| match source.kind() {
        std::io::ErrorKind::WouldBlock => LogError::Locked(storage.describe()),
        _ => LogError::Io { doing: "locking", file: storage.describe(), source },
    })
}
