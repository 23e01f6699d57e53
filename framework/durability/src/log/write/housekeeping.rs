//! Removing segments that are not needed any more, and having the next one's file ready.
//!
//! An `fdatasync` after writing into blocks that the file has already costs a third less than one that must also
//! write where new blocks are, so segments are written into files that are full from the start. An old segment that
//! is removed becomes the next spare file as it is; else one is filled with zeroes.

use std::sync::Arc;

use super::shelf::{Shelf, Spare};
use crate::log::error::{Doing, LogError};
use crate::log::names::{self, SPARE, SPARE_UNFINISHED};
use crate::storage::{Storage, StorageFile};

/// How much of a spare file is filled and synced at once: so little that the log's own writes hardly wait for it.
const FILL_BYTES: usize = 256 << 10;

/// Removes and prepares segments' files, in small steps.
pub(crate) struct Housekeeping {
    storage: Arc<dyn Storage>,
    shelf: Arc<Shelf>,
    segment_bytes: u64,
    /// The spare file that is being filled, and how far.
    filling: Option<(Box<dyn StorageFile>, u64)>,
    /// Names were changed, and the directory is not synced yet.
    unsynced: bool,
    /// A file was given the spare's name.
    renamed_spare: bool,
}

/// Whether a step did something, and there may be more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Again,
    Idle,
}

impl Housekeeping {
    pub(crate) fn new(storage: Arc<dyn Storage>, shelf: Arc<Shelf>, segment_bytes: u64) -> Self {
        Self { storage, shelf, segment_bytes, filling: None, unsynced: false, renamed_spare: false }
    }

    /// Does a bounded piece of what is to be done.
    pub(crate) fn step(&mut self) -> Result<Step, LogError> {
        if self.unsynced {
            // Before anything builds on the names as they are now: on a crash they might come back as they were.
            self.storage.sync_dir().doing("syncing", &self.storage.describe())?;
            self.unsynced = false;
            if std::mem::take(&mut self.renamed_spare) {
                self.shelf.contents().spare = Spare::Ready;
            }
            return Ok(Step::Again);
        }
        let (done, spare) = {
            let contents = self.shelf.contents();
            let done = contents.is_oldest_done().then(|| contents.segments[0].clone());
            (done, contents.spare)
        };
        if let Some(oldest) = done {
            // While the writer renames the spare file, another of that name would become the segment in its place, and
            // what is written would go into a file without a name.
            let has_no_spare = !matches!(spare, Spare::Ready | Spare::Taken);
            self.remove(oldest.index, has_no_spare && oldest.file_bytes == self.segment_bytes)?;
            return Ok(Step::Again);
        }
        if spare == Spare::Wanted {
            let filled = self.fill();
            if filled.is_err() {
                // What was filled gives its room back: the disk may be full.
                self.filling = None;
                let _ = self.storage.remove(SPARE_UNFINISHED);
                self.shelf.contents().spare = Spare::GivenUp;
            }
            filled?;
            return Ok(Step::Again);
        }
        Ok(Step::Idle)
    }

    /// Removes the oldest segment, or makes it the spare one.
    fn remove(&mut self, index: u64, recycle: bool) -> Result<(), LogError> {
        // What failed attempts left below goes first: below a segment that was removed there must be none.
        let files = self.storage.list().doing("listing", &self.storage.describe())?;
        let name =
            files.iter().find(|(name, _)| names::segment_index(name).is_some_and(|found| found <= index));
        let Some((name, _)) = name else {
            // It is gone already, by an earlier step of which the sync failed.
            self.shelf.contents().segments.remove(0);
            return Ok(());
        };
        self.unsynced = true;
        if recycle && names::segment_index(name) == Some(index) {
            self.storage.rename(name, SPARE).doing("renaming", name)?;
            self.renamed_spare = true;
            self.filling = None;
        } else {
            self.storage.remove(name).doing("removing", name)?;
        }
        if names::segment_index(name) == Some(index) {
            self.shelf.contents().segments.remove(0);
        }
        Ok(())
    }

    /// Fills a piece of the spare file.
    fn fill(&mut self) -> Result<(), LogError> {
        let (file, filled) = match &mut self.filling {
            Some(filling) => filling,
            None => {
                let file = self.storage.create(SPARE_UNFINISHED).doing("making", SPARE_UNFINISHED)?;
                self.filling.insert((file, 0))
            }
        };
        let len = FILL_BYTES.min((self.segment_bytes - *filled) as usize);
        file.write_all_at(&vec![0; len], *filled).doing("filling", SPARE_UNFINISHED)?;
        *filled += len as u64;
        if *filled < self.segment_bytes {
            return file.sync_data().doing("syncing", SPARE_UNFINISHED);
        }
        file.sync_all().doing("syncing", SPARE_UNFINISHED)?;
        self.filling = None;
        self.storage.rename(SPARE_UNFINISHED, SPARE).doing("renaming", SPARE_UNFINISHED)?;
        self.unsynced = true;
        self.renamed_spare = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::log::read::SegmentInfo;
    use crate::storage::simulated::SimulatedStorage;

    const SEGMENT_BYTES: u64 = 4096;

    #[test]
    fn the_spare_file_keeps_its_name_while_the_writer_makes_a_segment_of_it() {
        let storage = SimulatedStorage::new(1);
        let write = |name: &str, byte: u8| {
            storage.create(name).unwrap().write_all_at(&[byte; SEGMENT_BYTES as usize], 0).unwrap();
        };
        let first_byte = |name: &str| {
            let mut byte = [0];
            storage.open(name).unwrap().read_up_to(&mut byte, 0).unwrap();
            byte[0]
        };
        let segment = |index, after_seq| SegmentInfo { index, after_seq, end: 9, file_bytes: SEGMENT_BYTES };
        write(&names::segment(1), 1);
        write(&names::segment(2), 2);
        write(SPARE, 9);
        let shelf = Arc::new(Shelf::default());
        *shelf.contents() = super::super::shelf::Contents {
            segments: vec![segment(1, 0), segment(2, 10)],
            spare: Spare::Ready,
            remove_before: 11,
        };
        let mut housekeeping =
            Housekeeping::new(Arc::new(storage.another_process()), Arc::clone(&shelf), SEGMENT_BYTES);

        assert!(shelf.take_spare());
        while housekeeping.step().unwrap() == Step::Again {}
        assert_eq!(first_byte(SPARE), 9, "the writer's file is still the one of this name");
        assert!(storage.open(&names::segment(1)).is_err(), "the old segment is removed all the same");
        storage.rename(SPARE, &names::segment(3)).unwrap();
        shelf.spare_has_a_name();

        shelf.want_spare();
        while housekeeping.step().unwrap() == Step::Again {}
        assert_eq!((first_byte(SPARE), first_byte(&names::segment(3))), (0, 9), "then there is another");
    }
}
