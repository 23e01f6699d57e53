//! Which segments there are: what the writer and the housekeeping share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::log::read::SegmentInfo;

/// What the writer and the housekeeping share.
#[derive(Debug, Default)]
pub(crate) struct Shelf(Mutex<Contents>);

#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Segments of the log in order; the last one is being written.
    pub(crate) segments: Vec<SegmentInfo>,
    pub(crate) spare: Spare,
    /// Records below this number are not needed any more.
    pub(crate) remove_before: u64,
}

/// The file that will be the next segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Spare {
    /// None is needed yet.
    #[default]
    None,
    /// One should be made.
    Wanted,
    /// It could not be made: there may be no room, and trying again would take what is left of it. The next segment is
    /// begun without.
    GivenUp,
    /// It is there, full of zeroes or of an old segment, and safe.
    Ready,
    /// The writer makes a segment of it: no other file may be given its name meanwhile.
    Taken,
}

impl Shelf {
    pub(crate) fn contents(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on a spare file is prepared, unless there is one. True if that is news.
    pub(crate) fn want_spare(&self) -> bool {
        let mut contents = self.contents();
        let is_news = contents.spare == Spare::None;
        if is_news {
            contents.spare = Spare::Wanted;
        }
        is_news
    }

    /// Gives the spare file away, until [`Self::spare_has_a_name`]. False when there is none.
    pub(crate) fn take_spare(&self) -> bool {
        let mut contents = self.contents();
        let is_ready = contents.spare == Spare::Ready;
        match contents.spare {
            Spare::Ready => contents.spare = Spare::Taken,
            Spare::GivenUp => contents.spare = Spare::None,
            _ => {}
        }
        is_ready
    }

    /// The file that was the spare one has a name of its own, or is gone: another may take its place.
    pub(crate) fn spare_has_a_name(&self) {
        let mut contents = self.contents();
        if contents.spare == Spare::Taken {
            contents.spare = Spare::None;
        }
    }

    /// A segment's file has another length now.
    pub(crate) fn set_file_bytes(&self, index: u64, file_bytes: u64) {
        let mut contents = self.contents();
        if let Some(info) = contents.segments.iter_mut().find(|info| info.index == index) {
            info.file_bytes = file_bytes;
        }
    }

    /// Records below this number are not needed any more.
    pub(crate) fn remove_before(&self, seq: u64) {
        let mut contents = self.contents();
        contents.remove_before = contents.remove_before.max(seq);
    }

    /// Bytes of all files of the log.
    pub(crate) fn disk_bytes(&self, spare_bytes: u64) -> u64 {
        let contents = self.contents();
        let segments: u64 = contents.segments.iter().map(|segment| segment.file_bytes).sum();
        segments + if contents.spare == Spare::Ready { spare_bytes } else { 0 }
    }
}

impl Contents {
    /// Whether the oldest segment is not needed any more. The one that is written always is.
    pub(crate) fn is_oldest_done(&self) -> bool {
        self.segments.get(1).is_some_and(|second| second.after_seq < self.remove_before)
    }
}
