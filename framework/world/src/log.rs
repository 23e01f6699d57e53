//! The undo log, which is also the list of what to commit.
//!
//! Every point write leaves a record with what was there before. An abort goes back through the records of its
//! transaction; an accept does nothing at all; a commit goes forward through all records since the last one and
//! compares what was with what is.

use evertick_schema::EntityId;

use crate::place::Cell;
use crate::row::RowId;

/// One change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    pub(crate) entity: EntityId,
    pub(crate) change: Change,
}

/// What was changed, with what undoes it. 16 bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Spawned,
    Despawned,
    Inserted {
        row: RowId,
    },
    Updated {
        row: RowId,
        old: Old,
    },
    Removed {
        row: RowId,
        old: Old,
    },
    /// It came into a cell and was in none before.
    Placed,
    /// It left this cell.
    Left(Cell),
}

/// A row as it was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Old {
    start: u32,
    len: u32,
    /// When bevy thought it had last changed.
    pub(crate) changed: u32,
}

/// The records since the last commit and the bytes they refer to.
#[derive(Debug, Default)]
pub(crate) struct Log {
    records: Vec<Record>,
    bytes: Vec<u8>,
}

/// A place in the log.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mark {
    pub(crate) records: usize,
    pub(crate) bytes: usize,
}

impl Log {
    /// The end of the log.
    pub(crate) fn mark(&self) -> Mark {
        Mark { records: self.records.len(), bytes: self.bytes.len() }
    }

    #[inline]
    pub(crate) fn push(&mut self, entity: EntityId, change: Change) {
        self.records.push(Record { entity, change });
    }

    /// Keeps a row's old bytes.
    #[inline]
    pub(crate) fn keep(&mut self, row: &[u8], changed: u32) -> Old {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(row);
        // The limits keep the log below 4 GiB.
        Old { start: start as u32, len: row.len() as u32, changed }
    }

    pub(crate) fn old(&self, old: Old) -> &[u8] {
        &self.bytes[old.start as usize..][..old.len as usize]
    }

    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Takes the last record off, unless the log ends at `mark`.
    pub(crate) fn pop(&mut self, mark: Mark) -> Option<Record> {
        if self.records.len() > mark.records { self.records.pop() } else { None }
    }

    /// Forgets the bytes behind `mark`, whose records are gone.
    pub(crate) fn truncate_bytes(&mut self, mark: Mark) {
        self.bytes.truncate(mark.bytes);
    }

    /// Forgets everything. Memory that this round did not need half of is given back.
    pub(crate) fn clear(&mut self) {
        const KEEP: usize = 4096;
        let (records, bytes) = (self.records.len(), self.bytes.len());
        self.records.clear();
        self.bytes.clear();
        if self.records.capacity() > KEEP && records < self.records.capacity() / 4 {
            self.records.shrink_to((2 * records).max(KEEP));
        }
        if self.bytes.capacity() > 16 * KEEP && bytes < self.bytes.capacity() / 4 {
            self.bytes.shrink_to((2 * bytes).max(16 * KEEP));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_three_words() {
        assert_eq!(size_of::<Record>(), 24);
    }
}
