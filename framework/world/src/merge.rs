//! Puts together what happened to rows that more than one sort of change touched since the last commit.

use evertick_schema::EntityId;
use hashbrown::HashMap;

use crate::diff::changed_fields;
use crate::ids::Ids;
use crate::log::{Log, Old};
use crate::row::{RowId, RowType};
use crate::store::{RowState, Store};
use crate::tables::Tables;

/// What a row was.
#[derive(Clone, Copy, Debug)]
enum Base {
    /// At the last commit there was none.
    Absent,
    /// These bytes at the last commit.
    Exact(Old),
    /// These bytes after a system had changed it.
    Swept(Old),
    /// Only systems changed it.
    Unknown,
    /// It is in the delta already.
    Done,
}

#[derive(Debug)]
struct Item {
    row: RowId,
    entity: EntityId,
    base: Base,
    /// Fields that systems changed.
    mask: u64,
}

/// Rows by type and entity, in the order they were first touched in.
#[derive(Debug, Default)]
pub(crate) struct Merge {
    items: Vec<Item>,
    by_row: HashMap<(RowId, EntityId), u32>,
    /// By row type: whether it has any.
    has: Vec<bool>,
}

impl Merge {
    pub(crate) fn has(&self, row: RowId) -> bool {
        self.has.get(row.index()).copied().unwrap_or(false)
    }

    /// A row was added.
    pub(crate) fn inserted(&mut self, row: RowId, entity: EntityId) {
        self.item(row, entity, Base::Absent);
    }

    /// A row was overwritten or removed that was `old`; for the first time since the last commit, or not.
    pub(crate) fn changed(&mut self, row: RowId, entity: EntityId, old: Old, is_first: bool) {
        self.item(row, entity, if is_first { Base::Exact(old) } else { Base::Swept(old) });
    }

    /// A system changed fields of a row that others have touched.
    pub(crate) fn swept_again(&mut self, row: RowId, entity: EntityId, mask: u64) {
        self.item(row, entity, Base::Unknown).mask |= mask;
    }

    /// A system was the first to change fields of a row. Returns whether others did, too; else the row is not
    /// for here.
    pub(crate) fn swept(&mut self, row: RowId, entity: EntityId, mask: u64) -> bool {
        let Some(at) = self.by_row.get(&(row, entity)) else { return false };
        self.items[*at as usize].mask |= mask;
        true
    }

    /// Brings rows of `state` up to date that a system was the first to change and a point write changed
    /// after it, where they stand among the swept ones. Returns `false` when it is not known any more where
    /// that is.
    pub(crate) fn overwrite_swept(
        &mut self,
        ecs: &bevy_ecs::world::World,
        (of, state): (&RowType, &mut RowState),
        (ids, tables, log): (&Ids, &Tables, &Log),
    ) -> bool {
        let mut found = Vec::new();
        let Some(places) = state.pending.swept.places(tables) else { return false };
        for (number, item) in self.items.iter().enumerate().filter(|(_, item)| item.row == of.id) {
            if let Base::Swept(old) = item.base
                && let Some(at) = ids.locate(item.entity)
                && let Some(place) = places.find(at.table_id, at.table_row.index())
            {
                found.push((number, old, at, place));
            }
        }
        for (number, old, at, place) in found {
            let Some(bytes) = state.column.get(ecs, at) else { continue };
            let item = &mut self.items[number];
            let mask = item.mask | changed_fields(&of.layout, log.old(old), bytes);
            state.pending.swept.changes.overwrite(place, &[mask], bytes);
            item.base = Base::Done;
        }
        true
    }

    /// The row's item; a new one has `base`.
    fn item(&mut self, row: RowId, entity: EntityId, base: Base) -> &mut Item {
        let at = *self.by_row.entry((row, entity)).or_insert_with(|| {
            if self.has.len() <= row.index() {
                self.has.resize(row.index() + 1, false);
            }
            self.has[row.index()] = true;
            self.items.push(Item { row, entity, base, mask: 0 });
            (self.items.len() - 1) as u32
        });
        &mut self.items[at as usize]
    }

    /// Compares what was with what is.
    pub(crate) fn finish(self, ecs: &bevy_ecs::world::World, store: &mut Store) {
        let Store { rows, registry, ids, log, .. } = store;
        for Item { row, entity, base, mask } in self.items {
            let (Some(of), Some(state)) = (registry.get(row), rows.get_mut(row.index())) else { continue };
            let bytes = ids.locate(entity).and_then(|at| state.column.get(ecs, at));
            let building = &mut state.building;
            match (base, bytes) {
                (Base::Absent, Some(bytes)) => building.inserted.push(entity, of.all_fields(), bytes),
                (Base::Absent, None) | (Base::Done, _) => {}
                (_, None) => building.removed.push(entity),
                (_, Some(bytes)) => {
                    let mask = match base {
                        Base::Exact(old) => changed_fields(&of.layout, log.old(old), bytes),
                        Base::Swept(old) => mask | changed_fields(&of.layout, log.old(old), bytes),
                        Base::Absent | Base::Unknown | Base::Done => mask,
                    };
                    if mask != 0 {
                        building.updated.push(entity, mask, bytes);
                    }
                }
            }
        }
    }
}
