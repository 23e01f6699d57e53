//! Writing rows.

use evertick_schema::EntityId;

use crate::bundle::{Bundle, RowSink};
use crate::ctx::{Ctx, read};
use crate::errors::{Duplicate, Missing, WriteError};
use crate::rows::{Component, Event, Resource, TableRow};
use crate::sys::{self, PutMode};

impl Ctx {
    /// A new entity with these components.
    ///
    /// ```
    /// # use evertick_module::prelude::*;
    /// # #[component(spatial)] pub struct Position { pub at: Vec2 }
    /// # #[component] pub struct Bag { pub count: u32 }
    /// #[reducer(connect)]
    /// fn join(ctx: &mut Ctx) -> Result<(), NoRefusal> {
    ///     let identity = ctx.sender();
    ///     let player = ctx.spawn((
    ///         Player { identity },
    ///         Owner { identity },
    ///         Position { at: Vec2::ZERO },
    ///         Bag { count: 0 },
    ///     ));
    ///     ctx.focus(Focus::Entity { entity: player, radius: 96.0 });
    ///     Ok(())
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// # Panics
    ///
    /// When a row can't be written: a unique value is taken, two components are of one type, or two are spatial.
    #[track_caller]
    pub fn spawn(&mut self, bundle: impl Bundle) -> EntityId {
        let entity = sys::spawn();
        bundle.each(&mut Spawn { entity });
        entity
    }

    /// Removes `entity` with all its rows. `false` when it was gone already.
    pub fn despawn(&mut self, entity: EntityId) -> bool {
        sys::despawn(entity)
    }

    /// Gives `entity` this component, in place of the one it may have.
    ///
    /// # Panics
    ///
    /// When the row can't be written; [`Ctx::try_set`] gives the reasons. Check an entity that a client named with
    /// [`Ctx::get`] or [`Ctx::has`] first.
    #[track_caller]
    pub fn set<T: Component>(&mut self, entity: EntityId, row: T) {
        if let Err(error) = self.try_set(entity, row) {
            panic!("can't set the {} of {entity}: {error}", T::NAME);
        }
    }

    /// Gives `entity` this component, in place of the one it may have.
    ///
    /// # Errors
    ///
    /// When the entity is gone, a unique value is taken, or another component places the entity in space.
    pub fn try_set<T: Component>(&mut self, entity: EntityId, row: T) -> Result<(), WriteError> {
        sys::write(entity, &row, PutMode::Set)
    }

    /// Changes the `T` of `entity` by `change`, whose result it gives back.
    ///
    /// # Errors
    ///
    /// [`Missing`] when the entity has none or is gone.
    ///
    /// # Panics
    ///
    /// When `change` makes a unique value one that is taken.
    #[track_caller]
    pub fn update<T: Component, R>(
        &mut self,
        entity: EntityId,
        change: impl FnOnce(&mut T) -> R,
    ) -> Result<R, Missing> {
        let mut row = self.get::<T>(entity)?;
        let result = change(&mut row);
        put_update(entity, &row);
        Ok(result)
    }

    /// Changes the row of table `T` with this key by `change`, whose result it gives back.
    ///
    /// # Errors
    ///
    /// [`Missing`] when there is none.
    ///
    /// # Panics
    ///
    /// When `change` makes the key or a unique value one that is taken.
    #[track_caller]
    pub fn update_row<T: TableRow, R>(
        &mut self,
        key: T::Key,
        change: impl FnOnce(&mut T) -> R,
    ) -> Result<R, Missing> {
        let (entity, mut row) = self.find_entity::<T>(key)?;
        let result = change(&mut row);
        put_update(entity, &row);
        Ok(result)
    }

    /// A new row of a table. Gives back its entity.
    ///
    /// # Errors
    ///
    /// [`Duplicate`] when another row has its key, or its value of a unique field.
    pub fn insert<T: TableRow>(&mut self, row: T) -> Result<EntityId, Duplicate> {
        insert(&row)
    }

    /// Sets the resource `T`.
    pub fn set_resource<T: Resource>(&mut self, row: T) {
        let number = sys::row_number::<T>();
        sys::with_bytes(&row, |bytes| sys::insert(number, bytes));
    }

    /// Removes the `T` of `entity`. `false` when it had none.
    pub fn remove<T: Component>(&mut self, entity: EntityId) -> bool {
        sys::remove(sys::row_number::<T>(), entity)
    }

    /// Removes the row of table `T` with this key, and its entity. `false` when there was none.
    pub fn remove_row<T: TableRow>(&mut self, key: T::Key) -> bool {
        match read::find::<T, _>(T::KEY, &key) {
            Ok((entity, _)) => sys::despawn(entity),
            Err(Missing { .. }) => false,
        }
    }

    /// Sends an event to whom its type says, when the call is committed.
    pub fn emit<T: Event>(&mut self, event: T) {
        let number = sys::row_number::<T>();
        sys::with_bytes(&event, |bytes| sys::emit(number, bytes));
    }
}

#[track_caller]
fn put_update<T: Component>(entity: EntityId, row: &T) {
    if let Err(error) = sys::write(entity, row, PutMode::Update) {
        panic!("can't update the {} of {entity}: {error}", T::NAME);
    }
}

fn insert<T: TableRow>(row: &T) -> Result<EntityId, Duplicate> {
    let number = sys::row_number::<T>();
    match sys::with_bytes(row, |bytes| sys::insert(number, bytes)) {
        -2 => Err(Duplicate { row: T::NAME }),
        entity => Ok(EntityId(entity.cast_unsigned())),
    }
}

/// Writes a bundle's rows to a fresh entity.
struct Spawn {
    entity: EntityId,
}

impl RowSink for Spawn {
    fn row<T: Component>(&mut self, row: &T) {
        if let Err(error) = sys::write(self.entity, row, PutMode::Insert) {
            panic!("can't spawn an entity with this {}: {error}", T::NAME);
        }
    }
}
