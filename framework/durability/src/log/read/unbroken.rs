//! What is good of a log that may be damaged.

use super::{Found, SegmentReader, segment_files};
use crate::log::snapshot::SnapshotInfo;
use crate::storage::Storage;

/// The rows of records without a gap that a log's files hold. That of a good log is one.
#[derive(Debug, Default)]
pub(crate) struct Unbroken {
    pub(crate) rows: Vec<Row>,
}

/// Records without a gap.
#[derive(Debug)]
pub(crate) struct Row {
    /// They have higher numbers.
    pub(crate) after_seq: u64,
    /// Whether they begin where the log once began.
    pub(crate) from_the_start: bool,
    /// The segments that hold them; one at least.
    pub(crate) parts: Vec<Part>,
}

/// A segment of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) index: u64,
    /// Its last good record, or the last one before it.
    pub(crate) last_seq: u64,
}

impl Unbroken {
    /// Reads the whole log, past all damage.
    pub(crate) fn find(storage: &dyn Storage) -> Self {
        let mut found = Self::default();
        let Ok(files) = segment_files(storage) else { return found };
        let readable: Vec<SegmentReader> =
            files.keys().filter_map(|index| SegmentReader::open(storage, *index).ok()).collect();
        let before: Vec<Option<u64>> =
            readable.iter().map(|reader| reader.header.previous.as_ref().map(|end| end.index)).collect();
        // Of two segments that continue the same one, the first came to nothing.
        let counts = |at: usize| !before[at + 1..].contains(&before[at]);
        let counting = readable.into_iter().enumerate().filter(|(at, _)| counts(*at));
        let mut readers = counting.map(|(_, reader)| reader).peekable();
        let mut goes_on = false;
        while let Some(mut reader) = readers.next() {
            let index = reader.header.index;
            let end = readers.peek().and_then(|next| next.header.previous.clone());
            let was_going_on = goes_on;
            let after_seq = reader.header.after_seq;
            goes_on = match end.filter(|end| end.index == index) {
                Some(end) => {
                    while reader.at < end.end && reader.next_before(end.end).is_ok() {}
                    reader.at == end.end && reader.check_successor(&end).is_ok()
                }
                None => {
                    while let Ok(Found::Group(_)) = reader.next_or_end() {}
                    false
                }
            };
            let part = Part { index, last_seq: reader.last_seq };
            match found.rows.last_mut().filter(|_| was_going_on) {
                Some(row) => row.parts.push(part),
                None => {
                    let from_the_start = reader.header.previous.is_none();
                    found.rows.push(Row { after_seq, from_the_start, parts: vec![part] });
                }
            }
        }
        found
    }

    /// The last good record of the segments up to this one; 0 when there is none.
    pub(crate) fn good_to(&self, index: u64) -> u64 {
        let parts = self.rows.iter().flat_map(|row| &row.parts);
        parts.take_while(|part| part.index <= index).last().map_or(0, |part| part.last_seq)
    }

    /// The last record up to which a repair can keep the log; none when nothing would be left to start from.
    /// `snapshots` are whole.
    pub(crate) fn repair_to(&self, snapshots: &[SnapshotInfo]) -> Option<u64> {
        let usable = |row: &&Row| row.can_start(row.last_seq(), snapshots);
        self.rows.iter().filter(usable).map(Row::last_seq).max()
    }
}

impl Row {
    pub(crate) fn last_seq(&self) -> u64 {
        self.parts.last().map_or(self.after_seq, |part| part.last_seq)
    }

    /// Whether a server could start from it if it ended with record `to`.
    pub(crate) fn can_start(&self, to: u64, snapshots: &[SnapshotInfo]) -> bool {
        self.from_the_start || snapshots.iter().any(|snapshot| self.has(snapshot) && snapshot.needs_seq <= to)
    }

    /// Whether it holds all that a snapshot needs.
    pub(crate) fn has(&self, snapshot: &SnapshotInfo) -> bool {
        self.after_seq <= snapshot.seq && snapshot.needs_seq <= self.last_seq()
    }
}
