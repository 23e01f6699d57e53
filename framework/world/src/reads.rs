//! Reading rows: by entity, by index, all of a type. By place: [`crate::nearby`].

use std::ops::Bound;

use bevy_ecs::entity::Entity;
use bevy_ecs::storage::TableId;
use evertick_schema::EntityId;

use crate::columns::Rows;
use crate::ids::RowAt;
use crate::index::Index;
use crate::row::RowId;
use crate::store::Store;

/// Shared access to all of a world.
#[derive(Clone, Copy)]
pub(crate) struct Reads<'w> {
    pub(crate) ecs: &'w bevy_ecs::world::World,
    pub(crate) store: &'w Store,
}

impl<'w> Reads<'w> {
    /// Where the entity's rows are.
    #[inline]
    pub(crate) fn location(self, entity: EntityId) -> Option<RowAt> {
        self.store.ids.locate(entity)
    }

    #[inline]
    pub(crate) fn exists(self, entity: EntityId) -> bool {
        self.store.ids.entity(entity).is_some()
    }

    #[inline]
    pub(crate) fn get(self, row: RowId, entity: EntityId) -> Option<&'w [u8]> {
        let state = self.store.rows.get(row.index())?;
        state.column.get(self.ecs, self.location(entity)?)
    }

    /// The row types that the entity has rows of, ascending.
    pub(crate) fn rows_of(self, entity: EntityId) -> &'w [RowId] {
        self.location(entity).map_or(&[], |at| self.store.tables.rows(at.table_id))
    }

    fn index(self, row: RowId, field: u16) -> Option<&'w Index> {
        self.store.rows.get(row.index())?.indexes.iter().find(|index| index.field() == field)
    }

    #[inline]
    pub(crate) fn find(self, row: RowId, field: u16, key: &[u8]) -> Option<EntityId> {
        self.index(row, field)?.find(key)
    }

    pub(crate) fn lookup(self, row: RowId, field: u16, key: &[u8], out: &mut Vec<EntityId>) {
        if let Some(index) = self.index(row, field) {
            index.lookup(key, out);
        }
    }

    pub(crate) fn range(
        self,
        row: RowId,
        field: u16,
        lo: Bound<&[u8]>,
        hi: Bound<&[u8]>,
        out: &mut Vec<EntityId>,
    ) {
        if let Some(index) = self.index(row, field) {
            index.range(lo, hi, out);
        }
    }

    pub(crate) fn scan(self, row: RowId) -> impl Iterator<Item = (EntityId, &'w [u8])> {
        self.store.tables.with(row).iter().flat_map(move |table| {
            let rows = self.column(*table, row);
            self.entities(*table).enumerate().filter_map(move |(at, entity)| Some((entity, rows?.get(at))))
        })
    }

    /// The rows from the cursor on, at most `max`; sets the cursor behind them.
    pub(crate) fn scan_from(
        self,
        row: RowId,
        cursor: &mut u64,
        max: usize,
        mut visit: impl FnMut(EntityId, &'w [u8]),
    ) {
        let tables = self.store.tables.with(row);
        let (mut number, mut at) = ((*cursor >> 32) as usize, (*cursor & u64::from(u32::MAX)) as usize);
        let mut left = max;
        while left > 0
            && let Some(table) = tables.get(number)
        {
            let entities = self.entities(*table);
            let end = entities.len();
            if let Some(rows) = self.column(*table, row) {
                for entity in entities.skip(at).take(left) {
                    visit(entity, rows.get(at));
                    at += 1;
                    left -= 1;
                }
            }
            if at >= end {
                (number, at) = (number + 1, 0);
            }
        }
        *cursor = (number as u64) << 32 | at as u64;
    }

    /// A table's rows of one type.
    pub(crate) fn column(self, table: TableId, row: RowId) -> Option<Rows<'w>> {
        self.store.rows.get(row.index())?.column.rows(self.ecs, table)
    }

    /// A table's entities, in the order of its rows.
    pub(crate) fn entities(self, table: TableId) -> impl ExactSizeIterator<Item = EntityId> + use<'w> {
        let entities: &'w [Entity] =
            self.ecs.storages().tables.get(table).map_or(&[], |table| table.entities());
        entities.iter().map(move |entity| self.store.ids.name(entity.index()))
    }
}
