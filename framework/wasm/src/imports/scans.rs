//! The `scan` import: many rows, in batches as large as the guest has room for.
//!
//! The first batch settles which entities there are; later ones go on in that list. So the guest may write,
//! spawn and remove between batches, and still gets each row that stays exactly once.

use std::collections::VecDeque;
use std::ops::Bound;

use evertick_schema::{EntityId, IndexKind};
use evertick_world::RowId;

use super::reads::{ANY, reading, undeclared};
use super::{Guest, small, split};
use crate::memory::{self, misuse};
use crate::scope::Source;
use crate::state::GuestState;

/// The most scans of one call whose lists are kept. An older one, when it goes on, is counted anew.
const OPEN_MAX: usize = 4;

/// Bytes of a cursor: the scan's number, and how far it is.
const CURSOR_BYTES: u32 = 16;

/// A record in front of its row: entity, length.
const HEAD_BYTES: usize = 12;

/// The number of a scan that has nothing left.
const FINISHED: u64 = u64::MAX;

/// Scans that have more to give.
#[derive(Debug, Default)]
pub(crate) struct OpenScans {
    last: u64,
    open: VecDeque<(u64, Vec<EntityId>)>,
    spare: Vec<EntityId>,
}

impl OpenScans {
    /// Ends all scans, at the end of a call.
    pub(crate) fn clear(&mut self) {
        self.open.clear();
    }

    /// The list of scan `number`, out of those that are open.
    fn take(&mut self, number: u64) -> Option<Vec<EntityId>> {
        let at = self.open.iter().position(|(open, _)| *open == number)?;
        self.open.remove(at).map(|(_, list)| list)
    }

    /// Keeps a list for the scan's next batch. Returns its number.
    fn keep(&mut self, list: Vec<EntityId>) -> u64 {
        if self.open.len() == OPEN_MAX {
            self.open.pop_front();
        }
        self.last += 1;
        self.open.push_back((self.last, list));
        self.last
    }
}

/// What is asked for.
struct Wanted<'m> {
    row: RowId,
    field: u32,
    lo: Option<&'m [u8]>,
    hi: Option<&'m [u8]>,
}

impl Wanted<'_> {
    /// Appends the entities whose rows are asked for.
    fn list(&self, source: &Source<'_, '_>, out: &mut Vec<EntityId>) -> wasmtime::Result<()> {
        let row = self.row;
        if self.field == ANY {
            match source {
                Source::Call(tx, _) => out.extend(tx.scan(row).map(|(entity, _)| entity)),
                Source::Run(view) => {
                    out.extend(view.scan(row).map_err(undeclared)?.map(|(entity, _)| entity));
                }
            }
            return Ok(());
        }
        let index = source.index(row, self.field, &[self.lo, self.hi])?;
        if index.kind == IndexKind::Ordered {
            let bound = |key: Option<_>| key.map_or(Bound::Unbounded, Bound::Included);
            let (lo, hi) = (bound(self.lo), bound(self.hi));
            match source {
                Source::Call(tx, _) => tx.range(row, index.field, lo, hi, out),
                Source::Run(view) => view.range(row, index.field, lo, hi, out).map_err(undeclared)?,
            }
            return Ok(());
        }
        match (self.lo, self.hi) {
            (Some(lo), Some(hi)) if lo == hi => match source {
                Source::Call(tx, _) => tx.lookup(row, index.field, lo, out),
                Source::Run(view) => view.lookup(row, index.field, lo, out).map_err(undeclared)?,
            },
            _ => return misuse!("only an ordered index has ranges; that on field {} has none", self.field),
        }
        Ok(())
    }
}

#[allow(clippy::too_many_arguments, reason = "the ABI's signature")]
pub(super) fn scan(
    mut guest: Guest<'_>,
    row: u32,
    field: u32,
    lo: u32,
    lo_len: u32,
    hi: u32,
    hi_len: u32,
    cursor: u32,
    out: u32,
    cap: u32,
) -> wasmtime::Result<i32> {
    let (memory, state) = split(&mut guest)?;
    let GuestState { scope, scans, key, .. } = state;
    // Bounds are copied: they, the cursor and the room may overlap in a guest's memory.
    key.clear();
    let lo = copy_bound(memory, lo, lo_len, key)?;
    let hi = copy_bound(memory, hi, hi_len, key)?;
    let (number, at) = read_cursor(memory::read(memory, cursor, CURSOR_BYTES)?);
    let room = memory::write(memory, out, cap)?;
    if number == FINISHED {
        return Ok(0);
    }
    let (number, at, result) = reading(scope, "scan", |source| {
        let bound = |range: Option<std::ops::Range<usize>>| range.map(|range| &key[range]);
        let wanted = Wanted { row: source.row_id(row)?, field, lo: bound(lo), hi: bound(hi) };
        let list = match scans.take(number) {
            Some(list) => list,
            None => {
                let mut list = std::mem::take(&mut scans.spare);
                list.clear();
                wanted.list(&source, &mut list)?;
                list
            }
        };
        let (at, result) = fill(&source, wanted.row, &list, at, room)?;
        if at == list.len() {
            scans.spare = list;
            return Ok((FINISHED, 0, result));
        }
        Ok((scans.keep(list), at, result))
    })?;
    let cursor = memory::write(memory, cursor, CURSOR_BYTES)?;
    cursor[..8].copy_from_slice(&number.to_le_bytes());
    cursor[8..].copy_from_slice(&(at as u64).to_le_bytes());
    Ok(result)
}

/// Writes records of `list` from `at` on. Returns how far it came, and what `scan` returns.
fn fill(
    source: &Source<'_, '_>,
    row: RowId,
    list: &[EntityId],
    mut at: usize,
    mut room: &mut [u8],
) -> wasmtime::Result<(usize, i32)> {
    let mut count = 0;
    while let Some(entity) = list.get(at) {
        if let Some(row) = source.get(row, *entity)? {
            let need = HEAD_BYTES + row.len();
            let Some((record, rest)) = room.split_at_mut_checked(need) else {
                // A row has at most ROW_BYTES_MAX bytes.
                return Ok((at, if count == 0 { -(need as i32) } else { count }));
            };
            record[..8].copy_from_slice(&entity.0.to_le_bytes());
            record[8..HEAD_BYTES].copy_from_slice(&(row.len() as u32).to_le_bytes());
            record[HEAD_BYTES..].copy_from_slice(row);
            room = rest;
            count += 1;
        }
        at += 1;
    }
    Ok((at.max(list.len()), count))
}

fn copy_bound(
    memory: &[u8],
    ptr: u32,
    len: u32,
    keys: &mut Vec<u8>,
) -> wasmtime::Result<Option<std::ops::Range<usize>>> {
    if len == ANY {
        return Ok(None);
    }
    let start = keys.len();
    keys.extend_from_slice(small(memory, ptr, len)?);
    Ok(Some(start..keys.len()))
}

fn read_cursor(bytes: &[u8]) -> (u64, usize) {
    let (words, _) = bytes.as_chunks();
    let word = |at: usize| u64::from_le_bytes(words[at]);
    (word(0), usize::try_from(word(1)).unwrap_or(usize::MAX))
}
