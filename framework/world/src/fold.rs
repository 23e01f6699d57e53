//! Takes the rows that a system changed into the world: column, grid, indexes and the next delta, all at
//! once.

use bevy_ecs::change_detection::Tick;
use bevy_ecs::storage::TableId;

use crate::commit::touched;
use crate::compare::{CHUNK, ChangedRows, ones};
use crate::log::Change;
use crate::row::RowId;
use crate::store::{Pending, RowState, Store};
use crate::world::World;
use crate::write::location;

/// The table's entities are not those that the rows were counted among: nothing was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Restructured;

impl World {
    /// Writes `changed` into the column of `row`, a flat and plain or checked one, in `table`, whose entities
    /// must still be of version `structure`; `seen` is the column's version that the run saw. Returns how many rows were refused, because another row has the
    /// same unique key.
    ///
    /// Cost without a change of an indexed field: a few nanoseconds a row; with one, that of a point write.
    pub(crate) fn fold(
        &mut self,
        row: RowId,
        table: TableId,
        [structure, seen]: [u64; 2],
        changed: &ChangedRows,
    ) -> Result<u64, Restructured> {
        if self.store.tables.structure(table) != structure {
            return Err(Restructured);
        }
        let fields = changed.masks.any();
        if fields == 0 {
            return Ok(0);
        }
        let indexed = |state: &RowState| state.indexes.iter().any(|index| fields >> index.field() & 1 == 1);
        if self.store.rows.get(row.index()).is_some_and(indexed) {
            return Ok(self.fold_by_row(row, table, changed));
        }
        self.fold_column(row, table, structure, changed);
        self.store.tables.continued(table, row, seen);
        Ok(0)
    }

    fn fold_column(&mut self, row: RowId, table: TableId, structure: u64, changed: &ChangedRows) {
        let now = self.ecs.change_tick();
        let Store { rows, ids, grid, log, period, .. } = &mut self.store;
        let RowState { column, pending, place, stride: Some(stride), .. } = &mut rows[row.index()] else {
            return;
        };
        let Some(target) = column.flat_mut(&mut self.ecs, table) else { return };
        let (stride, names) = (*stride, ids.names());
        let Pending { swept, again, .. } = pending;
        swept.walk(table, structure, |sweeper| {
            let mut at = 0;
            for (number, &dirty) in changed.dirty.iter().enumerate().filter(|(_, dirty)| **dirty != 0) {
                let first = number * CHUNK;
                let count = dirty.count_ones() as usize;
                let mut room = [0; CHUNK];
                let masks = changed.masks.slice(at, count, &mut room);
                let new = &changed.bytes[at * stride..(at + count) * stride];
                at += count;

                let before = stamp(&mut target.changed[first..], dirty, now, *period);
                copy_rows(&mut target.bytes[first * stride..], dirty, new, stride);
                let bevy = |bit: usize| target.entities[first + bit].index();
                let name = |bit: usize| names[bevy(bit).index() as usize];
                let rest = sweeper.take(number, [dirty & !before, dirty & before], masks, new, name);
                if rest != 0 {
                    let rows = ones(dirty).zip(masks).filter(|(bit, _)| rest >> bit & 1 == 1);
                    again.extend(rows.map(|(bit, mask)| (name(bit), *mask)));
                }
                let Some(place) = place.filter(|place| masks.iter().any(|mask| mask & place.mask != 0))
                else {
                    continue;
                };
                // Few cross a border: first find out which, in a loop that does nothing else.
                let mut crossing = 0;
                let place_of = |index: usize| place.of(&new[index * stride..][..stride]);
                each(dirty, |index, bit| {
                    crossing |= u64::from(!grid.holds(bevy(bit), place_of(index))) << bit;
                });
                for bit in ones(crossing) {
                    let index = (dirty & ((1 << bit) - 1)).count_ones() as usize;
                    if let Some(from) = grid.moved(bevy(bit), place_of(index)) {
                        log.push(name(bit), Change::Left(from));
                    }
                }
            }
        });
    }

    /// The same, one point write a row: for changes of indexed fields.
    fn fold_by_row(&mut self, row: RowId, table: TableId, changed: &ChangedRows) -> u64 {
        let Some(stride) = self.store.rows[row.index()].stride else { return 0 };
        let rows = changed.dirty.iter().enumerate();
        let rows = rows.flat_map(|(number, dirty)| ones(*dirty).map(move |bit| number * CHUNK + bit));
        let mut refused = 0;
        for (at, new) in rows.zip(changed.bytes.chunks_exact(stride)) {
            let bevy = self.ecs.storages().tables.get(table).and_then(|table| table.entities().get(at));
            let Some(&bevy) = bevy else { continue };
            let entity = self.store.ids.name(bevy.index());
            let at = location(&self.ecs, bevy);
            self.store.start = self.store.log.mark();
            refused += u64::from(self.update_at(row, entity, at, new).is_err());
        }
        refused
    }
}

/// Notes that the rows of `dirty` change `now`; returns those that were touched since the last commit
/// already.
#[inline]
fn stamp(ticks: &mut [Tick], dirty: u64, now: Tick, period: u32) -> u64 {
    let mut before = 0;
    each(dirty, |_, bit| {
        before |= u64::from(touched(ticks[bit].get(), now.get(), period)) << bit;
        ticks[bit] = now;
    });
    before
}

/// Writes rows one behind the other to where `dirty` says.
#[inline]
fn copy_rows(column: &mut [u8], dirty: u64, new: &[u8], stride: usize) {
    if dirty == u64::MAX {
        column[..new.len()].copy_from_slice(new);
        return;
    }
    for (bit, new) in ones(dirty).zip(new.chunks_exact(stride)) {
        column[bit * stride..(bit + 1) * stride].copy_from_slice(new);
    }
}

/// Calls `visit` with 0, 1, … and the numbers of the bits that are set, ascending.
#[inline(always)]
pub(crate) fn each(bits: u64, mut visit: impl FnMut(usize, usize)) {
    if bits == u64::MAX {
        (0..CHUNK).for_each(|bit| visit(bit, bit));
    } else {
        ones(bits).enumerate().for_each(|(index, bit)| visit(index, bit));
    }
}
