//! Replicas: a world that takes the deltas of another and becomes its equal.

use evertick_schema::{EntityId, check_row};

use crate::delta::{Delta, RowDelta};
use crate::error::{ApplyError, WriteError};
use crate::store::{RowState, Store};
use crate::world::World;
use crate::write::{location, unindex};

impl World {
    /// Takes a delta of a world with the same row types. Afterwards rows, indexes, cells and timers are what they
    /// are there. Events and what sessions asked for are not state and not kept.
    ///
    /// A replica takes deltas in order and nothing else. After an error it is of no use.
    pub fn apply(&mut self, delta: &Delta) -> Result<(), ApplyError> {
        if !self.is_settled() {
            return Err(ApplyError::NotAReplica);
        }
        self.check_rows(delta)?;
        for entry in delta.moved.iter().filter(|entry| entry.to.is_none()) {
            let bevy = self.store.ids.entity(entry.entity).ok_or(mismatch("moves", entry.entity))?;
            self.store.grid.remove(bevy.index());
        }
        delta.rows.iter().try_for_each(|rows| self.apply_removed(rows))?;
        for entity in &delta.despawned {
            if !self.exists(*entity) || !self.reads().rows_of(*entity).is_empty() {
                return Err(mismatch("despawns", *entity));
            }
            self.take_away(*entity);
        }
        for entity in &delta.spawned {
            if self.exists(*entity) {
                return Err(mismatch("spawns", *entity));
            }
            self.bring(*entity);
        }
        // Two rows may have swapped unique keys, so all old keys go before any new one comes.
        delta.rows.iter().try_for_each(|rows| self.apply_old_keys(rows))?;
        delta.rows.iter().try_for_each(|rows| self.apply_updated(rows))?;
        delta.rows.iter().try_for_each(|rows| self.apply_inserted(rows))?;
        for entry in &delta.moved {
            if let Some(cell) = entry.to {
                let bevy = self.store.ids.entity(entry.entity).ok_or(mismatch("moves", entry.entity))?;
                self.store.grid.put(bevy.index(), cell);
            }
        }
        delta.timers.iter().for_each(|op| self.store.timers.apply(op));
        self.store.seq = delta.seq;
        self.close_period();
        Ok(())
    }

    fn check_rows(&self, delta: &Delta) -> Result<(), ApplyError> {
        for rows in &delta.rows {
            let Some((of, _)) = self.store.row(rows.row) else {
                return Err(ApplyError::NoRowType { row: rows.row.0 });
            };
            for (_, _, bytes) in rows.inserted.iter().chain(rows.updated.iter()) {
                check_row(&of.layout, bytes)
                    .map_err(|error| WriteError::BadRow { row: of.name.clone(), error })?;
            }
        }
        Ok(())
    }

    fn apply_removed(&mut self, delta: &RowDelta) -> Result<(), ApplyError> {
        for entity in &delta.removed {
            let Store { rows, ids, .. } = &mut self.store;
            let bevy = ids.entity(*entity).ok_or(mismatch("removes a row", *entity))?;
            let RowState { column, indexes, count, .. } = &mut rows[delta.row.index()];
            let bytes = column.get(&self.ecs, location(&self.ecs, bevy));
            unindex(indexes, *entity, bytes.ok_or(mismatch("removes a row", *entity))?);
            *count -= 1;
            self.drop_row(delta.row, bevy);
        }
        Ok(())
    }

    fn apply_old_keys(&mut self, delta: &RowDelta) -> Result<(), ApplyError> {
        for (entity, _, new) in delta.updated.iter() {
            let Store { rows, ids, .. } = &mut self.store;
            let bevy = ids.entity(entity).ok_or(mismatch("updates a row", entity))?;
            let RowState { column, indexes, .. } = &mut rows[delta.row.index()];
            let old = column.get(&self.ecs, location(&self.ecs, bevy));
            let old = old.ok_or(mismatch("updates a row", entity))?;
            for index in indexes {
                if index.key_of(old) != index.key_of(new) {
                    index.remove(index.key_of(old), entity);
                }
            }
        }
        Ok(())
    }

    fn apply_updated(&mut self, delta: &RowDelta) -> Result<(), ApplyError> {
        for (entity, _, new) in delta.updated.iter() {
            let Store { rows, ids, tables, .. } = &mut self.store;
            let bevy = ids.entity(entity).ok_or(mismatch("updates a row", entity))?;
            let at = location(&self.ecs, bevy);
            let RowState { column, indexes, .. } = &mut rows[delta.row.index()];
            let mut slot = column.get_mut(&mut self.ecs, at).ok_or(mismatch("updates a row", entity))?;
            for index in indexes {
                if index.key_of(slot.bytes()) != index.key_of(new) {
                    if index.is_unique() && index.find(index.key_of(new)).is_some() {
                        return Err(mismatch("gives a taken key to a row", entity));
                    }
                    index.insert(index.key_of(new), entity);
                }
            }
            slot.write(new);
            tables.wrote(at.table_id, delta.row);
        }
        Ok(())
    }

    fn apply_inserted(&mut self, delta: &RowDelta) -> Result<(), ApplyError> {
        for (entity, _, bytes) in delta.inserted.iter() {
            let bevy = self.store.ids.entity(entity).ok_or(mismatch("inserts a row", entity))?;
            let taken = |state: &RowState| {
                state
                    .indexes
                    .iter()
                    .any(|index| index.is_unique() && index.find(index.key_of(bytes)).is_some())
            };
            if self.get(delta.row, entity).is_some() || taken(&self.store.rows[delta.row.index()]) {
                return Err(mismatch("inserts a row", entity));
            }
            self.add_row(delta.row, entity, bevy, bytes);
        }
        Ok(())
    }
}

fn mismatch(what: &'static str, entity: EntityId) -> ApplyError {
    ApplyError::Mismatch { what, entity }
}
