//! Rows of a test's world: set up before, looked at after. The world checks them as it does a module's.

use evertick_module::native::RowSink;
use evertick_module::{Bundle, Component, Resource, TableRow};
use evertick_schema::{EntityId, Field, Row, RowWriter};
use evertick_world::{Cause, RowId, Tx, WriteError};

use crate::world::{TestWorld, decode};

impl TestWorld {
    /// A new entity with these components.
    ///
    /// # Panics
    ///
    /// When the world does not take a row.
    #[track_caller]
    pub fn spawn(&mut self, bundle: impl Bundle) -> EntityId {
        let mut rows = Rows { world: self, rows: Vec::new() };
        bundle.each(&mut rows);
        let rows = rows.rows;
        self.change(|tx| {
            let entity = tx.spawn();
            for (row, bytes) in rows {
                tx.insert(row, entity, &bytes)?;
            }
            Ok(entity)
        })
    }

    /// A new row of a table.
    ///
    /// # Panics
    ///
    /// When the world does not take it.
    #[track_caller]
    pub fn insert<T: TableRow>(&mut self, row: T) -> EntityId {
        let (id, bytes) = (self.row::<T>(), encode(&row));
        self.change(|tx| tx.insert_row(id, &bytes))
    }

    /// Sets a component of an entity.
    ///
    /// # Panics
    ///
    /// When the world does not take it.
    #[track_caller]
    pub fn set<T: Component>(&mut self, entity: EntityId, row: T) {
        let (id, bytes) = (self.row::<T>(), encode(&row));
        self.change(|tx| tx.set(id, entity, &bytes));
    }

    /// Sets a resource.
    ///
    /// # Panics
    ///
    /// When the world does not take it.
    #[track_caller]
    pub fn set_resource<T: Resource>(&mut self, row: T) {
        let (id, bytes) = (self.row::<T>(), encode(&row));
        self.change(|tx| tx.insert_row(id, &bytes));
    }

    /// Removes a component of an entity. `false` when it had none.
    #[track_caller]
    pub fn remove<T: Component>(&mut self, entity: EntityId) -> bool {
        let id = self.row::<T>();
        self.change(|tx| Ok(tx.remove(id, entity)))
    }

    /// Removes an entity. `false` when it was gone.
    #[track_caller]
    pub fn despawn(&mut self, entity: EntityId) -> bool {
        self.change(|tx| Ok(tx.despawn(entity)))
    }

    /// The `T` of `entity`.
    #[track_caller]
    pub fn get<T: Component>(&self, entity: EntityId) -> Option<T> {
        self.world().get(self.row::<T>(), entity).map(decode)
    }

    /// The row of table `T` with this key.
    #[track_caller]
    pub fn find<T: TableRow>(&self, key: T::Key) -> Option<T> {
        let entity = self.world().find(self.row::<T>(), T::KEY, &key_bytes(&key))?;
        self.get(entity)
    }

    /// All rows of `T`, by entity.
    #[track_caller]
    pub fn scan<T: Component>(&self) -> Vec<(EntityId, T)> {
        let rows = self.world().scan(self.row::<T>());
        let mut rows: Vec<_> = rows.map(|(entity, bytes)| (entity, decode(bytes))).collect();
        rows.sort_by_key(|(entity, _)| *entity);
        rows
    }

    /// The resource `T`.
    #[track_caller]
    pub fn resource<T: Resource>(&self) -> Option<T> {
        self.world().scan(self.row::<T>()).next().map(|(_, bytes)| decode(bytes))
    }

    /// Whether `entity` is there.
    pub fn exists(&self, entity: EntityId) -> bool {
        self.world().exists(entity)
    }

    #[track_caller]
    fn change<R>(&mut self, change: impl FnOnce(&mut Tx<'_>) -> Result<R, WriteError>) -> R {
        let now = self.now();
        let mut tx = self.simulation.world_mut().begin(Cause { now, ..Cause::default() });
        let result = change(&mut tx).and_then(|result| tx.accept().map(|()| result));
        self.commit();
        result.unwrap_or_else(|error| panic!("{error}"))
    }
}

/// Encodes a bundle's rows.
struct Rows<'a> {
    world: &'a TestWorld,
    rows: Vec<(RowId, Vec<u8>)>,
}

impl RowSink for Rows<'_> {
    fn row<T: Component>(&mut self, row: &T) {
        self.rows.push((self.world.row::<T>(), encode(row)));
    }
}

fn encode<T: Row>(row: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    row.encode(&mut bytes);
    bytes
}

/// A key as the world looks it up: of a text, the text alone.
fn key_bytes<K: Field>(key: &K) -> Vec<u8> {
    let mut bytes = Vec::new();
    key.write(&mut RowWriter::new(&mut bytes, K::SIZE), 0);
    if K::FLAT { bytes } else { bytes.split_off(K::SIZE) }
}
