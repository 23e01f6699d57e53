//! Builds what follows from rows, all at once: for a world whose rows came from outside.

use bevy_ecs::storage::TableId;
use evertick_schema::{EntityId, RowKind, Type};

use crate::restore::RestoreError;
use crate::row::{RowId, RowType};
use crate::store::{RowState, Store};
use crate::world::World;

impl World {
    /// Counts the rows and fills the indexes, which are empty.
    pub(crate) fn build(&mut self) -> Result<(), RestoreError> {
        self.check_places()?;
        for row in (0..self.store.rows.len() as u16).map(RowId) {
            self.build_row(row)?;
        }
        Ok(())
    }

    /// The entities without rows, in no order that means anything.
    pub(crate) fn bare(&self) -> impl Iterator<Item = EntityId> {
        let tables = self.ecs.storages().tables.iter().enumerate();
        let bare =
            tables.filter(|(number, _)| self.store.tables.rows(TableId::from_usize(*number)).is_empty());
        let entities = bare.flat_map(|(_, table)| table.entities());
        // Bevy's own entities are among them, and have no name.
        entities.map(|bevy| self.store.ids.name(bevy.index())).filter(|entity| entity.is_some())
    }

    fn build_row(&mut self, row: RowId) -> Result<(), RestoreError> {
        let Store { rows, registry, tables, ids, .. } = &mut self.store;
        let (RowState { column, indexes, count, .. }, of) =
            (&mut rows[row.index()], &registry.types()[row.index()]);
        let all = || {
            let with = tables.with(row).iter();
            with.filter_map(|table| {
                Some((self.ecs.storages().tables.get(*table)?.entities(), column.rows(&self.ecs, *table)?))
            })
        };
        *count = all().map(|(entities, _)| entities.len()).sum();
        if of.def.kind == RowKind::Resource && *count > 1 {
            return Err(RestoreError::NotOne { row: of.name.clone(), count: *count });
        }
        for index in indexes {
            index.reserve(*count);
            for (entities, rows) in all() {
                for (at, bevy) in entities.iter().enumerate() {
                    let (entity, key) = (ids.name(bevy.index()), index.key_of(rows.get(at)));
                    if index.is_unique()
                        && let Some(other) = index.find(key)
                    {
                        return Err(duplicate(
                            of,
                            index.field(),
                            key,
                            [other.min(entity), other.max(entity)],
                        ));
                    }
                    index.insert(key, entity);
                }
            }
        }
        Ok(())
    }

    /// Whether no entity has two rows that say where it is.
    fn check_places(&self) -> Result<(), RestoreError> {
        let tables = self.ecs.storages().tables.iter().enumerate();
        for (number, table) in tables {
            let rows = self.store.tables.rows(TableId::from_usize(number));
            let mut spatial = rows.iter().filter(|row| self.store.rows[row.index()].place.is_some());
            if let (Some(first), Some(second), Some(bevy)) =
                (spatial.next(), spatial.next(), table.entities().first())
            {
                let [first, second] = [first, second].map(|row| self.row(*row).name.clone());
                let entity = self.store.ids.name(bevy.index());
                return Err(RestoreError::TwoPlaces { entity, first, second });
            }
        }
        Ok(())
    }
}

fn duplicate(of: &RowType, field: u16, key: &[u8], [first, second]: [EntityId; 2]) -> RestoreError {
    let def = of.def.fields.get(usize::from(field));
    let (field, key) = match def {
        Some(def) => (def.name.clone(), show(&def.ty, key)),
        None => (format!("field {field}"), show(&Type::Identity, key)),
    };
    RestoreError::DuplicateKey { row: of.name.clone(), field, key, first, second }
}

/// A key as a person reads it.
fn show(ty: &Type, key: &[u8]) -> String {
    let mut wide = [0; 8];
    if let Some(low) = wide.get_mut(..key.len()) {
        low.copy_from_slice(key);
    }
    let (bits, shift) = (u64::from_le_bytes(wide), 64 - 8 * key.len().clamp(1, 8) as u32);
    match ty {
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => bits.to_string(),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 => ((bits << shift) as i64 >> shift).to_string(),
        Type::EntityId => EntityId(bits).to_string(),
        Type::String => format!("{:?}", String::from_utf8_lossy(key)),
        _ => key.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}
