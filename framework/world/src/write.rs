//! Writing in place, with everything that follows from it: indexes, grid, log, versions.
//!
//! Hot path: an update of a row that is there allocates nothing but the log's growth, hashes nothing but
//! changed keys, and touches an index only when the bytes of its field changed.

use bevy_ecs::entity::Entity;
use evertick_schema::{EntityId, RowKind, check_row};

use crate::columns;
use crate::diff::same_bytes;
use crate::error::WriteError;
use crate::ids::RowAt;
use crate::index::Index;
use crate::log::Change;
use crate::row::{RowId, RowType};
use crate::store::Store;
use crate::world::World;

/// What a write does about the row that is there or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Replaces it or makes it.
    Set,
    /// It must not be there.
    Insert,
    /// It must be there.
    Update,
}

impl World {
    /// Gives `entity` the row `bytes`.
    pub(crate) fn put(
        &mut self,
        row: RowId,
        entity: EntityId,
        bytes: &[u8],
        mode: Mode,
    ) -> Result<(), WriteError> {
        let Some((of, state)) = self.store.row(row) else { return Err(WriteError::NoRowType { row: row.0 }) };
        check_bytes(&self.store, of, bytes)?;
        let Some(at) = self.store.ids.locate(entity) else { return Err(WriteError::NoEntity { entity }) };
        match (state.column.get(&self.ecs, at), mode) {
            (Some(_), Mode::Insert) => Err(WriteError::Present { row: of.name.clone(), entity }),
            (Some(_), _) => self.update_at(row, entity, at, bytes),
            (None, Mode::Update) => Err(WriteError::Absent { row: of.name.clone(), entity }),
            (None, _) if !of.is_component() => Err(wrong_kind(of)),
            (None, _) => self.insert_at(row, entity, bytes),
        }
    }

    /// Adds a table's row, or sets a resource's.
    pub(crate) fn put_keyed(&mut self, row: RowId, bytes: &[u8]) -> Result<EntityId, WriteError> {
        let Some((of, _)) = self.store.row(row) else { return Err(WriteError::NoRowType { row: row.0 }) };
        match of.def.kind {
            RowKind::Table { .. } => {}
            RowKind::Resource => {
                let there = self.scan(row).next().map(|(entity, _)| entity);
                if let Some(entity) = there {
                    self.put(row, entity, bytes, Mode::Update)?;
                    return Ok(entity);
                }
            }
            RowKind::Component | RowKind::Event => return Err(wrong_kind(of)),
        }
        check_bytes(&self.store, of, bytes)?;
        // Before anything is made: a key that exists is the usual failure.
        check_unique(&self.store, row, bytes)?;
        let mark = self.store.log.mark();
        let entity = self.spawn_entity()?;
        match self.insert_at(row, entity, bytes) {
            Ok(()) => Ok(entity),
            Err(error) => {
                self.undo_to(mark);
                Err(error)
            }
        }
    }

    /// Overwrites the row at `at`, which is there; `bytes` are a valid row.
    #[inline]
    pub(crate) fn update_at(
        &mut self,
        row: RowId,
        entity: EntityId,
        at: RowAt,
        bytes: &[u8],
    ) -> Result<(), WriteError> {
        self.store.check_room(bytes.len())?;
        let now = self.ecs.change_tick().get();
        let Store { registry, rows, grid, log, tables, ids, .. } = &mut self.store;
        let state = &mut rows[row.index()];
        let mut slot = state.column.get_mut(&mut self.ecs, at).expect("the row was found a moment ago");
        let old = slot.bytes();
        if same_bytes(old, bytes) {
            return Ok(());
        }
        for index in state.indexes.iter().filter(|index| index.is_unique()) {
            let key = index.key_of(bytes);
            if !same_bytes(key, index.key_of(old)) && index.find(key).is_some() {
                return Err(duplicate(registry.get(row), index));
            }
        }
        reindex(&mut state.indexes, entity, old, bytes);
        let old = log.keep(old, slot.changed.get());
        log.push(entity, Change::Updated { row, old });
        slot.write(bytes);
        slot.changed.set(now);
        if let Some(place) = &state.place
            && let Some(bevy) = ids.entity(entity)
            && let Some(from) = grid.moved(bevy.index(), place.of(bytes))
        {
            log.push(entity, Change::Left(from));
        }
        tables.wrote(at.table_id, row);
        Ok(())
    }

    /// Adds a row that is not there to an entity that is; `bytes` are a valid row.
    fn insert_at(&mut self, row: RowId, entity: EntityId, bytes: &[u8]) -> Result<(), WriteError> {
        self.store.check_room(0)?;
        let bevy = self.store.ids.entity(entity).expect("the caller found the entity");
        let store = &self.store;
        let (of, state) = store.row(row).expect("the caller found the row type");
        let max = store.config.limits.rows_per_type;
        if state.count >= max {
            return Err(WriteError::Limit { what: "rows of one type", max });
        }
        if state.place.is_some()
            && let Some(other) = store.tables.spatial(location(&self.ecs, bevy).table_id)
            && let Some(other) = store.registry.get(other)
        {
            return Err(WriteError::TwoPlaces { row: of.name.clone(), other: other.name.clone(), entity });
        }
        check_unique(store, row, bytes)?;
        self.add_row(row, entity, bevy, bytes);
        self.store.log.push(entity, Change::Inserted { row });
        if let Some(place) = &self.store.rows[row.index()].place {
            let cell = self.store.grid.cell_at(place.of(bytes));
            self.store.grid.put(bevy.index(), cell);
            self.store.log.push(entity, Change::Placed);
        }
        Ok(())
    }

    /// Takes a row away; `false` if there is none. A table's or resource's row takes its entity with it.
    pub(crate) fn remove_row(&mut self, row: RowId, entity: EntityId) -> Result<bool, WriteError> {
        let Some(bytes) = self.get(row, entity) else { return Ok(false) };
        self.store.check_room(bytes.len())?;
        if self.store.registry.get(row).is_some_and(|of| !of.is_component()) {
            return self.despawn_entity(entity);
        }
        let bevy = self.store.ids.entity(entity).expect("an entity with a row is known");
        self.forget_row(row, entity, bevy);
        self.drop_row(row, bevy);
        Ok(true)
    }

    /// A new entity without rows.
    pub(crate) fn spawn_entity(&mut self) -> Result<EntityId, WriteError> {
        self.store.check_room(0)?;
        let entity = self.store.ids.allocate();
        self.bring(entity);
        self.store.log.push(entity, Change::Spawned);
        Ok(entity)
    }

    /// Takes an entity with all its rows away; `false` if there is none.
    pub(crate) fn despawn_entity(&mut self, entity: EntityId) -> Result<bool, WriteError> {
        let Some(bevy) = self.store.ids.entity(entity) else { return Ok(false) };
        let rows = self.reads().rows_of(entity).to_vec();
        let bytes = rows.iter().filter_map(|row| self.get(*row, entity)).map(<[u8]>::len).sum();
        self.store.check_room(bytes)?;
        for row in rows {
            self.forget_row(row, entity, bevy);
        }
        self.take_away(entity);
        self.store.log.push(entity, Change::Despawned);
        Ok(true)
    }

    /// Logs that a row goes away, and takes it out of indexes and grid. The row itself stays.
    fn forget_row(&mut self, row: RowId, entity: EntityId, bevy: Entity) {
        let Store { rows, grid, log, .. } = &mut self.store;
        let state = &mut rows[row.index()];
        let at = location(&self.ecs, bevy);
        let slot = state.column.get_mut(&mut self.ecs, at).expect("the caller found the row");
        unindex(&mut state.indexes, entity, slot.bytes());
        if state.place.is_some()
            && let Some(cell) = grid.remove(bevy.index())
        {
            log.push(entity, Change::Left(cell));
        }
        let old = log.keep(slot.bytes(), slot.changed.get());
        log.push(entity, Change::Removed { row, old });
        state.count -= 1;
        state.pending.structural = true;
    }
}

/// What changes rows and entities and nothing else but indexes, counts and versions: for writes, undo and
/// replicas.
impl World {
    /// Adds a row that is not there.
    pub(crate) fn add_row(&mut self, row: RowId, entity: EntityId, bevy: Entity, bytes: &[u8]) {
        let state = &mut self.store.rows[row.index()];
        state.count += 1;
        state.pending.structural = true;
        for index in &mut state.indexes {
            index.insert(index.key_of(bytes), entity);
        }
        self.place_row(row, bevy, bytes);
    }

    /// Adds a row that is not there to bevy's tables; indexes and count know already, or are yet to be built.
    pub(crate) fn place_row(&mut self, row: RowId, bevy: Entity, bytes: &[u8]) {
        let from = location(&self.ecs, bevy);
        let Store { rows, tables, scratch, .. } = &mut self.store;
        rows[row.index()].column.insert(&mut self.ecs, bevy, bytes, scratch);
        tables.learn(&self.ecs, rows);
        self.relocated(bevy, from);
    }

    /// Removes a row from bevy's tables; indexes and count know already.
    pub(crate) fn drop_row(&mut self, row: RowId, bevy: Entity) {
        let from = location(&self.ecs, bevy);
        let Store { rows, tables, .. } = &mut self.store;
        self.ecs.entity_mut(bevy).remove_by_id(rows[row.index()].column.component());
        tables.learn(&self.ecs, rows);
        self.relocated(bevy, from);
    }

    /// Notes that `bevy` has moved to another table, and where the entity is now that took its former place.
    fn relocated(&mut self, bevy: Entity, from: RowAt) {
        let to = location(&self.ecs, bevy);
        self.store.ids.moved(bevy, to);
        self.store.tables.restructured(from.table_id);
        self.store.tables.restructured(to.table_id);
        self.filled(from);
    }

    /// Notes that bevy has filled the hole at `hole`, if it has, with the table's last entity.
    fn filled(&mut self, hole: RowAt) {
        let table = self.ecs.storages().tables.get(hole.table_id);
        let entities = table.map_or(&[][..], |table| table.entities());
        if let Some(&filler) = entities.get(hole.table_row.index()) {
            self.store.ids.moved(filler, hole);
        }
    }

    /// Makes `entity`, without rows.
    pub(crate) fn bring(&mut self, entity: EntityId) -> Entity {
        let bevy = self.ecs.spawn_empty().id();
        let at = location(&self.ecs, bevy);
        self.store.ids.insert(entity, bevy, at);
        self.store.tables.learn(&self.ecs, &self.store.rows);
        self.store.tables.restructured(at.table_id);
        bevy
    }

    /// Makes `entity` with rows of different types, ascending; indexes, counts and grid are yet to be built.
    pub(crate) fn bring_with(&mut self, entity: EntityId, with: &[(RowId, &[u8])]) {
        let Store { rows, ids, tables, scratch, .. } = &mut self.store;
        let (bevy, at) = columns::spawn(&mut self.ecs, rows, with, scratch);
        ids.insert(entity, bevy, at);
        tables.learn(&self.ecs, rows);
        tables.restructured(at.table_id);
    }

    /// Removes `entity` with its rows; indexes, grid and counts know already.
    pub(crate) fn take_away(&mut self, entity: EntityId) {
        let Some(bevy) = self.store.ids.entity(entity) else { return };
        let at = location(&self.ecs, bevy);
        self.store.tables.restructured(at.table_id);
        self.ecs.despawn(bevy);
        self.store.ids.remove(entity);
        self.filled(at);
    }
}

/// Where bevy keeps the rows of an entity that [`crate::ids::Ids`] knows.
#[inline]
pub(crate) fn location(ecs: &bevy_ecs::world::World, bevy: Entity) -> RowAt {
    ecs.entities().get_spawned(bevy).expect("the world's entities are bevy's").into()
}

/// Brings indexes from the keys of row `old` to those of `new`.
#[inline]
pub(crate) fn reindex(indexes: &mut [Index], entity: EntityId, old: &[u8], new: &[u8]) {
    for index in indexes {
        let (was, is) = (index.key_of(old), index.key_of(new));
        if !same_bytes(was, is) {
            index.remove(was, entity);
            index.insert(is, entity);
        }
    }
}

/// Takes the keys of `row` out of indexes.
pub(crate) fn unindex(indexes: &mut [Index], entity: EntityId, row: &[u8]) {
    for index in indexes {
        index.remove(index.key_of(row), entity);
    }
}

fn check_bytes(store: &Store, of: &RowType, bytes: &[u8]) -> Result<(), WriteError> {
    check_row(&of.layout, bytes).map_err(|error| WriteError::BadRow { row: of.name.clone(), error })?;
    let max = store.config.limits.row_bytes;
    if bytes.len() > max {
        return Err(WriteError::Limit { what: "bytes of one row", max });
    }
    Ok(())
}

/// Whether no row has the keys of `bytes` in a unique index.
fn check_unique(store: &Store, row: RowId, bytes: &[u8]) -> Result<(), WriteError> {
    let indexes = &store.rows[row.index()].indexes;
    match indexes.iter().find(|index| index.is_unique() && index.find(index.key_of(bytes)).is_some()) {
        Some(index) => Err(duplicate(store.registry.get(row), index)),
        None => Ok(()),
    }
}

fn duplicate(of: Option<&RowType>, index: &Index) -> WriteError {
    WriteError::DuplicateKey { row: of.map_or_else(String::new, |of| of.name.clone()), field: index.field() }
}

fn wrong_kind(of: &RowType) -> WriteError {
    let (kind, instead) = match of.def.kind {
        RowKind::Component => ("a component", "set it on an entity"),
        RowKind::Table { .. } => ("a table", "insert a row without naming an entity"),
        RowKind::Resource => ("a resource", "insert a row without naming an entity"),
        RowKind::Event => ("an event", "emit it"),
    };
    WriteError::WrongKind { row: of.name.clone(), kind, instead }
}
