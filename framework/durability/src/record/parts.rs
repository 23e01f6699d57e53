//! Records that are too large for one entry of the log.
//!
//! Such a record is cut into parts, each an entry. It counts when its last part is there; so a commit is in the log as
//! a whole or not at all.

use super::bytes::Malformed;

/// The most bytes of one entry: 1 MiB. In this crate's tests it is less, so that they have many that are larger.
pub(crate) const PART_BYTES_MAX: usize = if cfg!(test) { 1 << 12 } else { 1 << 20 };

/// The first byte of a part that others follow. Smaller bytes are kinds of records.
const MORE: u8 = 0x80;
/// The first byte of the last part.
const LAST: u8 = 0x81;

/// Hands out `record` in entries that the log takes, in order, with whether it is the last. `buffer` is memory to use.
pub(crate) fn split<E>(
    record: &[u8],
    buffer: &mut Vec<u8>,
    mut append: impl FnMut(&[u8], bool) -> Result<(), E>,
) -> Result<(), E> {
    if record.len() <= PART_BYTES_MAX {
        return append(record, true);
    }
    let parts = record.len().div_ceil(PART_BYTES_MAX - 1);
    for (number, part) in record.chunks(PART_BYTES_MAX - 1).enumerate() {
        let last = number + 1 == parts;
        buffer.clear();
        buffer.push(if last { LAST } else { MORE });
        buffer.extend_from_slice(part);
        append(buffer, last)?;
    }
    *buffer = Vec::new();
    Ok(())
}

/// Puts records together again.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    record: Vec<u8>,
    /// The entry that the record in parts begins with.
    first: Option<u64>,
}

/// A whole record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole<'a> {
    /// Its first entry.
    pub(crate) first: u64,
    /// Its bytes.
    pub(crate) bytes: &'a [u8],
}

impl Parts {
    /// Takes an entry; returns the record that is complete with it. One that does not end before another begins
    /// was cut off with the server that wrote it, and is dropped.
    pub(crate) fn push<'a>(&'a mut self, seq: u64, entry: &'a [u8]) -> Result<Option<Whole<'a>>, Malformed> {
        let (tag, part) = entry.split_first().ok_or(Malformed { what: "an empty record", at: 0 })?;
        if *tag > LAST {
            return Err(Malformed { what: "an unknown kind of record", at: 0 });
        }
        if *tag < MORE {
            self.first = None;
            return Ok(Some(Whole { first: seq, bytes: entry }));
        }
        if self.first.is_none() {
            self.record.clear();
        }
        let first = *self.first.get_or_insert(seq);
        self.record.extend_from_slice(part);
        if *tag == MORE {
            return Ok(None);
        }
        self.first = None;
        Ok(Some(Whole { first, bytes: &self.record }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(record: &[u8]) -> Vec<Vec<u8>> {
        let mut entries = Vec::new();
        let done: Result<(), ()> = split(record, &mut Vec::new(), |entry, last| {
            assert!(entry.len() <= PART_BYTES_MAX);
            assert!(!entries.last().is_some_and(|(_, was_last)| *was_last));
            entries.push((entry.to_vec(), last));
            Ok(())
        });
        assert_eq!((done, entries.last().map(|(_, last)| *last)), (Ok(()), Some(true)));
        entries.into_iter().map(|(entry, _)| entry).collect()
    }

    #[test]
    fn large_records_come_back_whole() {
        for len in [1, PART_BYTES_MAX, PART_BYTES_MAX + 1, 3 * PART_BYTES_MAX - 3, 3 * PART_BYTES_MAX] {
            let record: Vec<u8> = (0..len).map(|at| at as u8 & 0x7f).collect();
            let (mut parts, entries) = (Parts::default(), entries(&record));
            assert_eq!(entries.len() > 1, len > PART_BYTES_MAX);
            for (seq, entry) in entries.iter().enumerate() {
                let whole = parts.push(7 + seq as u64, entry).unwrap();
                let want = (seq + 1 == entries.len()).then_some(Whole { first: 7, bytes: &record });
                assert!(whole == want, "entry {seq} of {}", entries.len());
            }
        }
    }

    #[test]
    fn a_record_that_was_cut_off_is_dropped() {
        let large = vec![1; 2 * PART_BYTES_MAX];
        let (mut parts, entries) = (Parts::default(), entries(&large));
        assert_eq!(parts.push(1, &entries[0]), Ok(None));
        assert_eq!(parts.push(2, &[0, 9]), Ok(Some(Whole { first: 2, bytes: &[0, 9] })));
        for (seq, entry) in entries.iter().enumerate() {
            let whole = parts.push(3 + seq as u64, entry).unwrap();
            assert!(whole.is_none_or(|whole| whole.first == 3 && whole.bytes == large));
        }
        assert!(parts.push(9, &[]).is_err() && parts.push(9, &[0x82]).is_err());
    }
}
