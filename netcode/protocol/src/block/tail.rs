//! The tails of variable fields: cut out of a row, moved to where they stand in another.

use evertick_schema::Type;

use crate::put;
use crate::schema::{Column, ColumnKind};

/// Where the tail of a row with one variable field starts; offsets on the wire count as if each field were
/// alone in its row.
pub(crate) const ALONE: usize = 8;

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    let word = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*word) as usize)
}

/// A variable field's value as it stands in a row.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tail<'row> {
    /// The length word.
    pub(crate) len: usize,
    /// What stands behind the row's fixed part.
    pub(crate) bytes: &'row [u8],
    /// Where that is, counted from the row's first byte.
    pub(crate) start: usize,
}

/// The tail of variable field number `field` of a canonical row. It ends where that of the next field that
/// has one starts. A row that is too short has empty ones.
pub(crate) fn tail_of<'row>(columns: &[Column], field: usize, row: &'row [u8]) -> Tail<'row> {
    let at = columns[field].offset;
    let (Some(start), Some(len)) = (u32_at(row, at), u32_at(row, at + 4)) else { return Tail::default() };
    if len == 0 {
        return Tail::default();
    }
    let end = columns[field + 1..]
        .iter()
        .filter(|column| matches!(column.kind, ColumnKind::Variable { .. }))
        .filter_map(|column| u32_at(row, column.offset))
        .find(|start| *start > 0)
        .unwrap_or(row.len());
    Tail { len, bytes: row.get(start..end).unwrap_or_default(), start }
}

/// Appends variable field number `field` of `row`, a canonical row.
pub(crate) fn write(out: &mut Vec<u8>, columns: &[Column], field: usize, row: &[u8]) {
    let tail = tail_of(columns, field, row);
    put::varint(out, tail.len as u64);
    if tail.len == 0 {
        return;
    }
    put::varint(out, tail.bytes.len() as u64);
    let start = out.len();
    out.extend_from_slice(tail.bytes);
    if let ColumnKind::Variable { ty } = &columns[field].kind {
        Rebase { from: tail.start, to: ALONE }.tail(ty, &mut out[start..], tail.len);
    }
}

/// Moves a tail from where it stands in one row (counted from the row's first byte) to where in another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rebase {
    pub(crate) from: usize,
    pub(crate) to: usize,
}

impl Rebase {
    /// Rewrites the offsets in `tail`, of a field of type `ty` with length word `len`. Only canonical offsets
    /// are followed, so that it takes time in proportion to the tail whatever its bytes are; others stay as
    /// they are, for the row's check to find.
    pub(crate) fn tail(self, ty: &Type, tail: &mut [u8], len: usize) {
        if self.from != self.to
            && let Type::List(of) | Type::Option(of) = ty
            && !of.is_flat()
        {
            let mut cursor = len.saturating_mul(of.size() as usize);
            self.elements(of, tail, 0, len, &mut cursor);
        }
    }

    /// `len` variable elements at `at`; what they point to starts at `cursor`.
    fn elements(self, of: &Type, tail: &mut [u8], at: usize, len: usize, cursor: &mut usize) {
        for index in 0..len {
            let at = at + index * ALONE;
            let (Some(offset), Some(len)) = (u32_at(tail, at), u32_at(tail, at + 4)) else { return };
            if len == 0 {
                continue;
            }
            let here = *cursor;
            if offset != self.from + here || here >= tail.len() {
                return;
            }
            tail[at..at + 4].copy_from_slice(&((self.to + here) as u32).to_le_bytes());
            match of {
                Type::List(inner) | Type::Option(inner) => {
                    *cursor = here.saturating_add(len.saturating_mul(inner.size() as usize));
                    if !inner.is_flat() {
                        self.elements(inner, tail, here, len, cursor);
                    }
                }
                _ => *cursor = here.saturating_add(len), // a string
            }
        }
    }
}
