//! Recovery: an empty world takes stored rows, then what happened to them, and is whole again.
//!
//! Tolerant, because a snapshot is fuzzy: a row may be put that is there, and patched or removed when it is not.
//! Nothing but rows is kept while it lasts; indexes, counts and cells are built once at the end, when all the
//! rows are what they were at one commit.

use evertick_schema::{EntityId, RowError, RowKind, check_row};
use thiserror::Error;

use crate::random::Stream;
use crate::row::{RowId, RowType};
use crate::snapshot::Counters;
use crate::store::Store;
use crate::timers::TimerOp;
use crate::world::World;

/// Why a world can't be restored. It is of no use after that: make a new one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RestoreError {
    /// There are entities already.
    #[error("the world has entities already; restore into a new one")]
    NotEmpty,
    /// A row type that the world does not have.
    #[error(
        "there is a stored row of type {row}, which is not registered; register the modules it was stored with"
    )]
    NoRowType {
        /// The row type's number.
        row: u16,
    },
    /// A row of a type that has none.
    #[error("there is a stored row of {row}, which is an event and never stored; the data is damaged")]
    Event {
        /// The row type's name.
        row: String,
    },
    /// The bytes are not a row of the type, or do not make one.
    #[error(
        "the stored {row} of {entity} is malformed: {error}; the data is damaged, or of another version of the module"
    )]
    BadRow {
        /// The row type's name.
        row: String,
        /// The entity.
        entity: EntityId,
        /// What is wrong.
        error: RowError,
    },
    /// A mask and bytes that are no change of a row.
    #[error(
        "a stored change of {row} of {entity} does not fit the row type: {what}; the data is damaged, or of another version of the module"
    )]
    BadPatch {
        /// The row type's name.
        row: String,
        /// The entity.
        entity: EntityId,
        /// What is wrong.
        what: &'static str,
    },
    /// A row of no entity.
    #[error("there is a stored {row} of no entity; the data is damaged")]
    NoEntity {
        /// The row type's name.
        row: String,
    },
    /// Two rows with the same value in a unique field.
    #[error(
        "{first} and {second} have the same {field} in {row}, {key}, and the index is unique; change one of the rows with the module they were stored with, or make the index not unique"
    )]
    DuplicateKey {
        /// The row type's name.
        row: String,
        /// The field's name.
        field: String,
        /// The value.
        key: String,
        /// One entity.
        first: EntityId,
        /// The other.
        second: EntityId,
    },
    /// An entity with two spatial rows.
    #[error(
        "{entity} has both {first} and {second}, and both say where it is; remove one with the module they were stored with"
    )]
    TwoPlaces {
        /// The entity.
        entity: EntityId,
        /// A row type's name.
        first: String,
        /// The other's.
        second: String,
    },
    /// A resource with more than one row.
    #[error(
        "{row} is a resource and has {count} rows; the data is damaged, or it was a component or table before"
    )]
    NotOne {
        /// The row type's name.
        row: String,
        /// How many there are.
        count: usize,
    },
}

/// A world that is being restored, by [`World::restore`].
#[derive(Debug)]
#[must_use]
pub struct Restore<'w> {
    world: &'w mut World,
    buffer: Vec<u8>,
}

impl World {
    /// Begins to restore this world, which has its row types and nothing else. Without
    /// [`Restore::finish`] it is of no use afterwards.
    pub fn restore(&mut self) -> Result<Restore<'_>, RestoreError> {
        if self.entity_count() > 0 || !self.is_settled() {
            return Err(RestoreError::NotEmpty);
        }
        Ok(Restore { world: self, buffer: Vec::new() })
    }
}

impl Restore<'_> {
    /// Puts a row, whether there is one or not.
    pub fn put(&mut self, row: RowId, entity: EntityId, bytes: &[u8]) -> Result<(), RestoreError> {
        let of = checked(self.world, row, entity)?;
        check_row(&of.layout, bytes).map_err(|error| bad_row(of, entity, error))?;
        self.put_checked(row, entity, bytes);
        Ok(())
    }

    /// Puts rows of one entity. Of a new entity and in ascending order of type, as a snapshot has them, this
    /// costs about as much as a single row.
    pub fn put_all(&mut self, entity: EntityId, rows: &[(RowId, &[u8])]) -> Result<(), RestoreError> {
        for (row, bytes) in rows {
            let of = checked(self.world, *row, entity)?;
            check_row(&of.layout, bytes).map_err(|error| bad_row(of, entity, error))?;
        }
        if rows.is_empty() {
            return Ok(());
        }
        if self.world.exists(entity) || !rows.is_sorted_by(|(a, _), (b, _)| a < b) {
            rows.iter().for_each(|(row, bytes)| self.put_checked(*row, entity, bytes));
        } else {
            self.world.bring_with(entity, rows);
        }
        Ok(())
    }

    /// Overwrites fields of a flat row: those of `mask`, bit i for field i, with `fields`, their bytes one
    /// behind the other. `false` if there is no such row: it is removed by something that is yet to come.
    pub fn patch(
        &mut self,
        row: RowId,
        entity: EntityId,
        mask: u64,
        fields: &[u8],
    ) -> Result<bool, RestoreError> {
        let of = checked(self.world, row, entity)?;
        let bad = |what| Err(RestoreError::BadPatch { row: of.name.clone(), entity, what });
        if !of.layout.flat {
            return bad("its rows are of variable length, and stored whole");
        }
        if mask & !of.all_fields() != 0 {
            return bad("it names a field that is not there");
        }
        let Some(at) = self.world.store.ids.locate(entity) else { return Ok(false) };
        let state = &self.world.store.rows[row.index()];
        let Some(bytes) = state.column.get(&self.world.ecs, at) else { return Ok(false) };
        self.buffer.clear();
        self.buffer.extend_from_slice(bytes);
        let mut rest = fields;
        for (_, field) in of.layout.fields.iter().enumerate().filter(|(number, _)| mask >> number & 1 == 1) {
            let Some((new, behind)) = rest.split_at_checked(field.size as usize) else {
                return bad("it has too few bytes");
            };
            self.buffer[field.offset as usize..][..new.len()].copy_from_slice(new);
            rest = behind;
        }
        if !rest.is_empty() {
            return bad("it has too many bytes");
        }
        check_row(&of.layout, &self.buffer).map_err(|error| bad_row(of, entity, error))?;
        let bytes = std::mem::take(&mut self.buffer);
        self.put_checked(row, entity, &bytes);
        self.buffer = bytes;
        Ok(true)
    }

    /// Removes a row; `false` if there is none.
    pub fn remove(&mut self, row: RowId, entity: EntityId) -> Result<bool, RestoreError> {
        checked(self.world, row, entity)?;
        if self.world.get(row, entity).is_none() {
            return Ok(false);
        }
        if let Some(bevy) = self.world.store.ids.entity(entity) {
            self.world.drop_row(row, bevy);
        }
        Ok(true)
    }

    /// Sets a timer, whether it is there or not, or takes it away, likewise.
    pub fn timer(&mut self, op: &TimerOp) {
        self.world.store.timers.apply(op);
    }

    /// Goes on from these counters. Those of entities and timers never go back.
    pub fn counters(&mut self, counters: Counters) {
        let Store { ids, timers, seq, random, .. } = &mut self.world.store;
        ids.expect(counters.entities);
        timers.expect(counters.timers);
        *seq = counters.seq;
        *random = Stream::at(counters.random);
    }

    /// Makes the world whole: entities without rows go, and indexes, counts and cells are built. An entity is
    /// in the cell that its place is in, whatever cell it lagged behind in before.
    ///
    /// Cost: an insertion into a hash map or tree per row and index, and one into the grid per place.
    pub fn finish(self) -> Result<(), RestoreError> {
        self.world.drop_bare();
        self.world.build()?;
        self.world.place_all();
        self.world.close_period();
        Ok(())
    }

    fn put_checked(&mut self, row: RowId, entity: EntityId, bytes: &[u8]) {
        let world = &mut *self.world;
        let Some(at) = world.store.ids.locate(entity) else {
            world.bring_with(entity, &[(row, bytes)]);
            return;
        };
        let Store { rows, tables, .. } = &mut world.store;
        if let Some(mut slot) = rows[row.index()].column.get_mut(&mut world.ecs, at) {
            slot.write(bytes);
            tables.wrote(at.table_id, row);
        } else if let Some(bevy) = world.store.ids.entity(entity) {
            world.place_row(row, bevy, bytes);
        }
    }
}

impl World {
    /// Takes away what has no rows.
    fn drop_bare(&mut self) {
        let bare: Vec<EntityId> = self.bare().collect();
        bare.into_iter().for_each(|entity| self.take_away(entity));
    }

    /// Puts all that has a place into the cell that it is in.
    fn place_all(&mut self) {
        for row in (0..self.store.rows.len() as u16).map(RowId) {
            let Some(place) = self.store.rows[row.index()].place else { continue };
            let Store { tables, rows, grid, .. } = &mut self.store;
            for table in tables.with(row) {
                let Some(column) = rows[row.index()].column.rows(&self.ecs, *table) else { continue };
                let Some(table) = self.ecs.storages().tables.get(*table) else { continue };
                for (at, bevy) in table.entities().iter().enumerate() {
                    let cell = grid.cell_at(place.of(column.get(at)));
                    grid.put(bevy.index(), cell);
                }
            }
        }
    }
}

/// The row type, if an entity can have a row of it.
fn checked(world: &World, row: RowId, entity: EntityId) -> Result<&RowType, RestoreError> {
    let Some((of, _)) = world.store.row(row) else { return Err(RestoreError::NoRowType { row: row.0 }) };
    if of.def.kind == RowKind::Event {
        return Err(RestoreError::Event { row: of.name.clone() });
    }
    if !entity.is_some() {
        return Err(RestoreError::NoEntity { row: of.name.clone() });
    }
    Ok(of)
}

fn bad_row(of: &RowType, entity: EntityId, error: RowError) -> RestoreError {
    RestoreError::BadRow { row: of.name.clone(), entity, error }
}
