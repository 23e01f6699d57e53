//! Many rows, in batches.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Bound, RangeBounds};

use evertick_schema::{EntityId, Field, RowWriter};

use crate::index::Index;
use crate::rows::Component;
use crate::sys;

/// Rows a batch has room for, when they are flat.
const BATCH_ROWS: usize = 128;
/// Room for a batch, in bytes.
const BATCH_MIN: usize = 4 << 10;
const BATCH_MAX: usize = 64 << 10;
/// Entity id and length before each row.
const HEAD: usize = 12;

/// Rows with their entities, fetched from the host in batches of at least 128 flat rows.
///
/// It borrows nothing, so the loop over it may write. What is written to rows that the scan has not come to yet
/// is seen unless their batch was fetched before.
pub struct Scan<T> {
    row: u32,
    range: Range,
    /// For bounds that the host includes and the caller does not.
    keep: Option<Keep<T>>,
    cursor: [u8; 16],
    batch: Vec<u8>,
    /// Where the next row of the batch starts.
    at: usize,
    /// Rows of the batch that are left.
    left: usize,
    done: bool,
    rows: PhantomData<fn() -> T>,
}

/// Whether a row is one of those asked for.
type Keep<T> = Box<dyn Fn(&T) -> bool>;

/// What to scan.
struct Range {
    field: Option<u16>,
    lo: Option<Vec<u8>>,
    hi: Option<Vec<u8>>,
}

impl<T: Component> Scan<T> {
    pub(crate) fn all() -> Self {
        Self::new(Range { field: None, lo: None, hi: None }, None)
    }

    pub(crate) fn equal<K: Field, Kind, U>(index: Index<T, K, Kind, U>, key: &K) -> Self {
        let key = key_bytes(key);
        Self::new(Range { field: Some(index.field), lo: Some(key.clone()), hi: Some(key) }, None)
    }

    pub(crate) fn range<K, Kind, U>(index: Index<T, K, Kind, U>, range: impl RangeBounds<K>) -> Self
    where
        K: Field + PartialEq + Clone + 'static,
    {
        let (lo, not_lo) = bound(range.start_bound());
        let (hi, not_hi) = bound(range.end_bound());
        let key = index.key;
        let keep = (not_lo.is_some() || not_hi.is_some()).then(|| -> Keep<T> {
            Box::new(move |row| {
                let key = key(row);
                not_lo.as_ref() != Some(key) && not_hi.as_ref() != Some(key)
            })
        });
        Self::new(Range { field: Some(index.field), lo, hi }, keep)
    }

    fn new(range: Range, keep: Option<Keep<T>>) -> Self {
        let row = sys::row_number::<T>();
        Self {
            row,
            range,
            keep,
            cursor: [0; 16],
            batch: Vec::new(),
            at: 0,
            left: 0,
            done: false,
            rows: PhantomData,
        }
    }

    /// Fetches the next batch; `false` at the end.
    fn fetch(&mut self) -> bool {
        if self.done {
            return false;
        }
        if self.batch.is_empty() {
            self.batch.resize((BATCH_ROWS * (HEAD + T::SIZE)).clamp(BATCH_MIN, BATCH_MAX), 0);
        }
        loop {
            let Range { field, lo, hi } = &self.range;
            let rows =
                sys::scan(self.row, *field, lo.as_deref(), hi.as_deref(), &mut self.cursor, &mut self.batch);
            match usize::try_from(rows) {
                Ok(rows) => {
                    (self.at, self.left, self.done) = (0, rows, rows == 0);
                    return rows > 0;
                }
                Err(_) => {
                    // One row is longer than the whole room.
                    let needed = rows.unsigned_abs() as usize;
                    assert!(needed > self.batch.len(), "the host wants room for a row that has it");
                    self.batch.resize(needed, 0);
                }
            }
        }
    }

    fn row(&mut self) -> (EntityId, T) {
        let rest = &self.batch[self.at..];
        let Some((head, rest)) = rest.split_first_chunk::<HEAD>() else {
            panic!("the host gave fewer rows of {} than it said", T::NAME);
        };
        let [a, b, c, d, e, f, g, h, len @ ..] = *head;
        let len = u32::from_le_bytes(len) as usize;
        let row = sys::decode(&rest[..len]);
        self.at += HEAD + len;
        self.left -= 1;
        (EntityId(u64::from_le_bytes([a, b, c, d, e, f, g, h])), row)
    }
}

impl<T: Component> Iterator for Scan<T> {
    type Item = (EntityId, T);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.left == 0 && !self.fetch() {
                return None;
            }
            let (entity, row) = self.row();
            if self.keep.as_ref().is_none_or(|keep| keep(&row)) {
                return Some((entity, row));
            }
        }
    }
}

impl<T> fmt::Debug for Scan<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan").field("row", &self.row).field("done", &self.done).finish_non_exhaustive()
    }
}

/// A key as the host looks it up.
pub(crate) fn key_bytes<K: Field>(key: &K) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(K::SIZE);
    with_key(key, &mut bytes, <[u8]>::to_vec)
}

/// Calls `take` with a key as the host looks it up: a number's bytes, or a text alone. `buffer` is used for it.
pub(crate) fn with_key<K: Field, R>(key: &K, buffer: &mut Vec<u8>, take: impl FnOnce(&[u8]) -> R) -> R {
    key.write(&mut RowWriter::new(buffer, K::SIZE), 0);
    // Of variable types only texts can be keys; theirs stands behind the offset and length.
    take(if K::FLAT { buffer } else { &buffer[K::SIZE..] })
}

/// The host's bound, which includes its end, and the end that is to be left out.
fn bound<K: Field + Clone>(bound: Bound<&K>) -> (Option<Vec<u8>>, Option<K>) {
    match bound {
        Bound::Included(key) => (Some(key_bytes(key)), None),
        Bound::Excluded(key) => (Some(key_bytes(key)), Some(key.clone())),
        Bound::Unbounded => (None, None),
    }
}
