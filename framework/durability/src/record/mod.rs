//! What stands in the log and in snapshots, as bytes.
//!
//! A record is a header and sections, one behind the other; `docs/log.md` has the format. Writing appends to a
//! buffer that is used again. Reading is one pass that calls a [`Visit`]; it never panics, whatever the bytes are, and
//! never allocates more than the bytes it is given.

mod bytes;
mod causes;
mod checksum;
mod effects;
mod parts;
mod preamble;
mod read;
mod shapes;
mod snapshot;
#[cfg(test)]
mod tests;
mod write;

pub use bytes::Malformed;
pub(crate) use causes::CauseBuffer;
pub use causes::CauseRef;
pub(crate) use checksum::DeltaChecksum;
pub(crate) use effects::{PutBuffer, put_rows, stored};
pub(crate) use parts::{PART_BYTES_MAX, Parts, split};
pub(crate) use preamble::Preamble;
pub(crate) use read::{Visit, read};
pub(crate) use shapes::{RowShape, Shapes};
pub(crate) use snapshot::{SnapshotEnd, SnapshotHead, SnapshotVisit, SnapshotWrite, read_chunk};
pub(crate) use write::{RecordWriter, SessionChange};

use evertick_schema::Timestamp;

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordKind {
    /// A server opened the log.
    Start,
    /// A commit.
    Commit,
    /// Rows of checkpoint row types as they stand.
    Checkpoint,
    /// Numbers that are about to be used.
    Reserve,
    /// A server closed the log.
    Close,
}

impl RecordKind {
    const ALL: [Self; 5] = [Self::Start, Self::Commit, Self::Checkpoint, Self::Reserve, Self::Close];

    const fn tag(self) -> u8 {
        self as u8
    }

    fn from_tag(tag: u8) -> Option<Self> {
        Self::ALL.get(usize::from(tag)).copied()
    }
}

/// What every record begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: RecordKind,
    /// The number of the last commit; of a commit's record its own.
    pub(crate) commit: u64,
    pub(crate) tick: u64,
    pub(crate) time: Timestamp,
}

/// What is counted and never given out twice: the next of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(crate) commit: u64,
    pub(crate) tick: u64,
    /// The sequence number of an entity.
    pub(crate) entities: u64,
    pub(crate) timers: u64,
    pub(crate) sessions: u64,
}

impl Numbers {
    fn fields(&self) -> [u64; 5] {
        [self.commit, self.tick, self.entities, self.timers, self.sessions]
    }

    fn from_fields([commit, tick, entities, timers, sessions]: [u64; 5]) -> Self {
        Self { commit, tick, entities, timers, sessions }
    }

    /// The larger of each.
    pub(crate) fn max(self, other: Self) -> Self {
        let (a, b) = (self.fields(), other.fields());
        Self::from_fields(std::array::from_fn(|at| a[at].max(b[at])))
    }

    /// Whether none is beyond `limit`'s.
    pub(crate) fn within(self, limit: Self) -> bool {
        self.fields().iter().zip(limit.fields()).all(|(a, b)| *a <= b)
    }

    /// Each larger by as much.
    pub(crate) fn plus(self, more: Self) -> Self {
        let (a, b) = (self.fields(), more.fields());
        Self::from_fields(std::array::from_fn(|at| a[at].saturating_add(b[at])))
    }
}

/// The sections of a record: a byte that says which, then what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    Callers,
    Causes,
    Rows,
    Timers,
    Sessions,
    Random,
    Numbers,
    Generation,
    Checks,
}

impl Section {
    const ALL: [Self; 9] = [
        Self::Callers,
        Self::Causes,
        Self::Rows,
        Self::Timers,
        Self::Sessions,
        Self::Random,
        Self::Numbers,
        Self::Generation,
        Self::Checks,
    ];

    const fn tag(self) -> u8 {
        self as u8
    }

    fn from_tag(tag: u8) -> Option<Self> {
        Self::ALL.get(usize::from(tag)).copied()
    }
}
