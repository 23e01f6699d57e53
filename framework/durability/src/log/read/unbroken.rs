//! What is good of a log that may be damaged.

use super::{Found, SegmentReader, segment_files};
use crate::storage::Storage;

/// The unbroken row of records that a log begins with, found from the oldest segment on. A damaged log ends where
/// the damage begins.
#[derive(Debug, Default)]
pub(crate) struct Unbroken {
    pub(crate) parts: Vec<Part>,
}

/// A segment of that row.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) index: u64,
    /// Its last good record, or the last one before it.
    pub(crate) last_seq: u64,
}

impl Unbroken {
    /// Reads all of the log up to the first damage.
    pub(crate) fn find(storage: &dyn Storage) -> Self {
        let mut found = Self::default();
        let Ok(files) = segment_files(storage) else { return found };
        let readable: Vec<SegmentReader> =
            files.keys().filter_map(|index| SegmentReader::open(storage, *index).ok()).collect();
        let before: Vec<Option<u64>> = readable.iter().map(previous_index).collect();
        // Two segments continue the same one when the first came to nothing.
        let counts = |at: &usize| !before[at + 1..].contains(&before[*at]);
        let row: Vec<usize> = (0..readable.len()).filter(counts).collect();
        let mut readers: Vec<Option<SegmentReader>> = readable.into_iter().map(Some).collect();
        let mut row = row.into_iter().filter_map(|at| readers[at].take()).peekable();
        while let Some(mut reader) = row.next() {
            let index = reader.header.index;
            let end =
                row.peek().and_then(|next| next.header.previous.clone()).filter(|end| end.index == index);
            let whole = match &end {
                Some(end) => {
                    let end_at = end.end;
                    while reader.at < end_at && reader.next_before(end_at).is_ok() {}
                    reader.at == end_at && reader.check_successor(end).is_ok()
                }
                None => {
                    while let Ok(Found::Group(_)) = reader.next_or_end() {}
                    false
                }
            };
            found.parts.push(Part { index, last_seq: reader.last_seq });
            if !whole {
                break;
            }
        }
        found
    }

    /// The last good record; 0 when there is none.
    pub(crate) fn good_to(&self) -> u64 {
        self.parts.last().map_or(0, |part| part.last_seq)
    }
}

fn previous_index(reader: &SegmentReader) -> Option<u64> {
    reader.header.previous.as_ref().map(|end| end.index)
}
