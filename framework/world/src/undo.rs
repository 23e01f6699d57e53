//! Taking back what a transaction did, last change first.
//!
//! Bevy can't bring a despawned entity back, but ids are ours: the entity comes back under another of bevy's
//! and nobody can tell. So removals are done at once, like everything else, and reads need not look for rows
//! that are about to go.

use evertick_schema::EntityId;

use crate::log::{Change, Mark, Old};
use crate::row::RowId;
use crate::store::Store;
use crate::world::World;
use crate::write::{location, reindex, unindex};

impl World {
    /// Undoes all changes behind `mark`.
    pub(crate) fn undo_to(&mut self, mark: Mark) {
        while let Some(record) = self.store.log.pop(mark) {
            self.undo(record.entity, record.change);
        }
        self.store.log.truncate_bytes(mark);
    }

    fn undo(&mut self, entity: EntityId, change: Change) {
        if let Change::Despawned = change {
            self.bring(entity);
            return;
        }
        let bevy =
            self.store.ids.entity(entity).expect("the entity of a change that is undone is there again");
        match change {
            Change::Spawned => self.take_away(entity),
            Change::Despawned => {}
            Change::Placed => drop(self.store.grid.remove(bevy.index())),
            Change::Left(cell) => self.store.grid.put(bevy.index(), cell),
            Change::Inserted { row } => {
                let Store { rows, .. } = &mut self.store;
                let state = &mut rows[row.index()];
                let at = location(&self.ecs, bevy);
                let bytes = state.column.get(&self.ecs, at).expect("the row that was inserted is there");
                unindex(&mut state.indexes, entity, bytes);
                state.count -= 1;
                self.drop_row(row, bevy);
            }
            Change::Removed { row, old } => {
                let bytes = self.store.log.old(old).to_owned();
                self.add_row(row, entity, bevy, &bytes);
                self.write_back(row, entity, old);
            }
            Change::Updated { row, old } => {
                self.write_back(row, entity, old);
            }
        }
    }

    /// Writes `old` over the row that is there.
    fn write_back(&mut self, row: RowId, entity: EntityId, old: Old) {
        let Store { rows, log, tables, ids, .. } = &mut self.store;
        let at = ids.locate(entity).expect("the entity of a change that is undone is there again");
        let state = &mut rows[row.index()];
        let mut slot = state.column.get_mut(&mut self.ecs, at).expect("the row that was changed is there");
        let bytes = log.old(old);
        reindex(&mut state.indexes, entity, slot.bytes(), bytes);
        slot.write(bytes);
        slot.changed.set(old.changed);
        tables.wrote(at.table_id, row);
    }
}
