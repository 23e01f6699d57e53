//! Writing groups into segments.

use std::sync::Arc;

use super::shelf::{Shelf, Spare};
use crate::log::config::LogConfig;
use crate::log::error::{Doing, LogError};
use crate::log::format::{BLOCK, Group, Kind, SegmentEnd, SegmentHeader, mark};
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
    /// The last segment before the active one that holds synced groups.
    previous: Option<SegmentEnd>,
    next_index: u64,
    last_seq: u64,
    /// Files of attempts that came to nothing.
    abandoned: Vec<String>,
    /// The first group of a segment was synced, and [`Self::settle`] not done yet.
    unsettled: bool,
    /// Groups were synced since the last mark.
    unmarked: bool,
    /// Bytes written so far, without those of failed attempts.
    written_bytes: u64,
}

/// The segment that is written.
struct Active {
    file: Box<dyn StorageFile>,
    name: String,
    end: SegmentEnd,
    after_seq: u64,
    groups: u64,
    /// How much of it is in [`Writer::written_bytes`].
    counted: u64,
    /// Length of the file, if it was full from the start.
    prepared_bytes: u64,
}

impl Writer {
    /// Takes the directory for itself and clears what a crash left. Writes no record yet.
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
        storage.sync_dir().doing("syncing", &directory)?;
        {
            let mut contents = shelf.contents();
            contents.segments = end.segments;
            contents.spare = spare;
        }
        Ok(Self {
            storage,
            shelf,
            segment_bytes,
            preamble,
            active: None,
            previous: end.previous,
            next_index: end.next_index.max(1),
            last_seq: end.last_seq,
            abandoned: end.abandoned.into_iter().map(names::segment).collect(),
            unsettled: false,
            unmarked: false,
            written_bytes: 0,
        })
    }

    /// Writes a group and syncs it. After an error nothing is known about it, and it must be written again before
    /// any other.
    pub(crate) fn write(&mut self, group: &mut Group) -> Result<(), LogError> {
        let blocks = (group.len() as u64).next_multiple_of(BLOCK);
        let is_full = self
            .active
            .as_ref()
            .is_some_and(|active| active.groups > 0 && active.end.end + blocks > self.segment_bytes);
        if is_full {
            self.retire();
        }
        let written = self.ready().and_then(|active| {
            let (bytes, chain) = group.seal_up(active.end.salt, active.end.end, active.end.chain);
            active.append(bytes, chain)
        });
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
        let written = self.ready().and_then(|active| {
            let SegmentEnd { salt, end, chain, .. } = active.end;
            let (bytes, chain) = mark(Kind::Mark, salt, end, chain, last_seq);
            active.append(&bytes, chain)
        });
        self.wrote(written, last_seq)?;
        self.unmarked = false;
        Ok(())
    }

    /// Bytes written so far, headers and padding included, without those of failed attempts.
    pub(crate) fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// Whether groups were synced since the last mark.
    pub(crate) fn is_unmarked(&self) -> bool {
        self.unmarked
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
        let active = self.active.as_mut().expect("it was written to");
        // A segment's header counts with its first group.
        self.written_bytes += active.end.end - std::mem::replace(&mut active.counted, active.end.end);
        active.groups += 1;
        let info = SegmentInfo {
            index: active.end.index,
            after_seq: active.after_seq,
            end: active.end.end,
            file_bytes: active.prepared_bytes.max(active.end.end),
        };
        let mut contents = self.shelf.contents();
        if active.groups == 1 {
            self.unsettled = true;
            contents.segments.push(info);
        } else if let Some(last) = contents.segments.last_mut() {
            *last = info;
        }
        Ok(())
    }

    /// Gives the active segment up: what was synced in it counts.
    fn retire(&mut self) {
        if let Some(active) = self.active.take() {
            if active.groups > 0 {
                self.previous = Some(active.end);
            } else {
                self.abandoned.push(active.name);
            }
        }
    }

    /// The segment to write to, which is made if there is none.
    fn ready(&mut self) -> Result<&mut Active, LogError> {
        if self.active.is_none() {
            let active = self.begin()?;
            self.active = Some(active);
        }
        Ok(self.active.as_mut().expect("it was just made"))
    }

    fn begin(&mut self) -> Result<Active, LogError> {
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
        let (bytes, chain) = header.encode();
        let is_prepared = {
            let mut contents = self.shelf.contents();
            let is_ready = contents.spare == Spare::Ready;
            if is_ready {
                contents.spare = Spare::None;
            }
            is_ready
        };
        let unfinished = if is_prepared { SPARE.to_owned() } else { format!("{name}{UNFINISHED}") };
        let made = (|| {
            let file = if is_prepared {
                self.storage.open_writable(&unfinished).doing("opening", &unfinished)?
            } else {
                self.storage.create(&unfinished).doing("making", &unfinished)?
            };
            file.write_all_at(&bytes, 0).doing("writing", &unfinished)?;
            file.sync_all().doing("syncing", &unfinished)?;
            self.storage.rename(&unfinished, &name).doing("renaming", &unfinished)?;
            Ok(file)
        })();
        let file = match made {
            Ok(file) => file,
            Err(error) => {
                let _ = self.storage.remove(&unfinished);
                return Err(error);
            }
        };
        if let Err(source) = self.storage.sync_dir() {
            self.abandoned.push(name);
            return Err(LogError::Io { doing: "syncing", file: self.storage.describe(), source });
        }
        Ok(Active {
            file,
            name,
            end: SegmentEnd { index, salt, end: header.len(), chain },
            after_seq: self.last_seq,
            groups: 0,
            counted: 0,
            prepared_bytes: if is_prepared { self.segment_bytes } else { 0 },
        })
    }

    /// What is to be done after a segment's first group was synced, but need not be waited for. What fails here is
    /// not needed for safety against crashes.
    pub(crate) fn settle(&mut self) {
        if !std::mem::take(&mut self.unsettled) {
            return;
        }
        if let Some(previous) = self.previous.clone()
            && let Err(error) = self.seal(&previous)
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
    fn seal(&self, segment: &SegmentEnd) -> Result<(), LogError> {
        let name = names::segment(segment.index);
        let after_seq = self.active.as_ref().map_or(self.last_seq, |active| active.after_seq);
        let (bytes, _) = mark(Kind::Seal, segment.salt, segment.end, segment.chain, after_seq);
        // Opened anew: if a sync of it has failed, this handle has not seen that.
        let file = self.storage.open_writable(&name).doing("opening", &name)?;
        file.write_all_at(&bytes, segment.end).doing("writing", &name)?;
        file.sync_data().doing("syncing", &name)?;
        let end = segment.end + BLOCK;
        if end < file.len().doing("measuring", &name)? && end < self.segment_bytes / 2 {
            file.set_len(end).doing("cutting", &name)?;
            let mut contents = self.shelf.contents();
            if let Some(info) = contents.segments.iter_mut().find(|info| info.index == segment.index) {
                info.file_bytes = end;
            }
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
