//! Takes the rows that a system changed into the world: column, grid, indexes and the next delta, all at once.

use bevy_ecs::storage::TableId;

use crate::commit::touched;
use crate::compare::{CHUNK, ChangedRows, ones};
use crate::log::Change;
use crate::row::RowId;
use crate::store::{RowState, Store};
use crate::world::World;
use crate::write::location;

/// The table's entities are not those that the rows were counted among: nothing was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Restructured;

impl World {
    /// Writes `changed` into the column of `row`, a flat and plain or checked one, in `table`, whose entities
    /// must still be of version `structure`. Returns how many rows were refused, because another row has the same unique
    /// key.
    ///
    /// Cost without a change of an indexed field: a few nanoseconds a row; with one, that of a point write.
    pub(crate) fn fold(
        &mut self,
        row: RowId,
        table: TableId,
        structure: u64,
        changed: &ChangedRows,
    ) -> Result<u64, Restructured> {
        if self.store.tables.structure(table) != structure {
            return Err(Restructured);
        }
        let fields = changed.masks.iter().fold(0, |all, mask| all | mask);
        if fields == 0 {
            return Ok(0);
        }
        let indexed = |state: &RowState| state.indexes.iter().any(|index| fields >> index.field() & 1 == 1);
        if self.store.rows.get(row.index()).is_some_and(indexed) {
            return Ok(self.fold_by_row(row, table, changed));
        }
        self.fold_column(row, table, changed);
        self.store.tables.wrote(table, row);
        Ok(0)
    }

    fn fold_column(&mut self, row: RowId, table: TableId, changed: &ChangedRows) {
        let now = self.ecs.change_tick();
        let Store { rows, ids, grid, log, period, .. } = &mut self.store;
        let RowState { column, pending, place, stride: Some(stride), .. } = &mut rows[row.index()] else { return };
        let Some(target) = column.flat_mut(&mut self.ecs, table) else { return };
        let (stride, names) = (*stride, ids.names());
        let mut at = 0;
        for (number, &dirty) in changed.dirty.iter().enumerate().filter(|(_, dirty)| **dirty != 0) {
            let first = number * CHUNK;
            let count = dirty.count_ones() as usize;
            let masks = &changed.masks[at..at + count];
            let new = &changed.bytes[at * stride..(at + count) * stride];
            at += count;

            let mut fresh = dirty;
            for bit in ones(dirty) {
                let tick = &mut target.changed[first + bit];
                fresh &= !(u64::from(touched(tick.get(), now.get(), *period)) << bit);
                *tick = now;
            }
            if dirty == u64::MAX {
                target.bytes[first * stride..(first + CHUNK) * stride].copy_from_slice(new);
            } else {
                for (bit, new) in ones(dirty).zip(new.chunks_exact(stride)) {
                    target.bytes[(first + bit) * stride..(first + bit + 1) * stride].copy_from_slice(new);
                }
            }
            let bevy = |bit: usize| target.entities[first + bit].index();
            let name = |bit: usize| names[bevy(bit).index() as usize];
            if fresh == dirty {
                pending.swept.extend(ones(dirty).map(name), masks, new);
            } else {
                for ((bit, mask), new) in ones(dirty).zip(masks).zip(new.chunks_exact(stride)) {
                    if fresh >> bit & 1 == 1 {
                        pending.swept.push(name(bit), *mask, new);
                    } else {
                        pending.again.push((name(bit), *mask));
                    }
                }
            }
            if let Some(place) = place {
                for ((bit, mask), new) in ones(dirty).zip(masks).zip(new.chunks_exact(stride)) {
                    if mask & place.mask != 0
                        && let Some(from) = grid.moved(bevy(bit), place.of(new))
                    {
                        log.push(name(bit), Change::Left(from));
                    }
                }
            }
        }
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
