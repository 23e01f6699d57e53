//! The handle of an interpolation.

use std::any::Any;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};

use evertick_protocol::{ChangeKind, Changes, Replica};
use evertick_schema::{EntityId, Row};

use crate::blend::Blend;
use crate::error::RowTypeError;
use crate::interpolation::Interpolation;
use crate::shared::{Shared, Watcher, lock};
use crate::types::decode;

/// Rows of type `T` as they are to be drawn: evenly moving, a little in the past. Made by
/// [`Client::interpolated`](crate::Client::interpolated); it is kept in step until it is dropped, which costs each change a copy of the row.
///
/// Floats and vectors of floats are mixed, those with a `wrap` the short way; all other fields are those of the newer row.
#[derive(Debug)]
pub struct Interpolated<T> {
    shared: Arc<Shared>,
    watched: Arc<Mutex<Watched>>,
    row: PhantomData<fn() -> T>,
}

#[derive(Debug)]
struct Watched {
    row: u32,
    interpolation: Interpolation,
}

impl<T: Row> Interpolated<T> {
    pub(crate) fn new(shared: &Arc<Shared>) -> Result<Self, RowTypeError> {
        let row = shared.types.row::<T>()?;
        let blend = Blend::new(&shared.types.module.rows[row as usize].fields);
        let watched = shared.watch(|replica| {
            let mut interpolation = Interpolation::new(blend);
            replica.rows(row).for_each(|(entity, bytes)| interpolation.insert(entity, replica.tick(), bytes));
            Watched { row, interpolation }
        });
        Ok(Self { shared: Arc::clone(shared), watched, row: PhantomData })
    }

    /// The row of `entity` as it is to be drawn now, if this client sees it.
    pub fn get(&self, entity: EntityId) -> Option<T> {
        let tick = self.tick();
        self.at(entity, tick)
    }

    /// All rows as they are to be drawn now, in no particular order.
    pub fn rows(&self) -> Vec<(EntityId, T)> {
        let tick = self.tick();
        let interpolation = &mut lock(&self.watched).interpolation;
        let entities = interpolation.entities().into_iter();
        entities.filter_map(|entity| Some((entity, decode(&interpolation.sample(entity, tick)?)))).collect()
    }

    /// The row of `entity` at a [tick](crate::Client::render_tick) of one's own, but for the delay of an entity that is told of more rarely.
    /// Ticks should not go back.
    pub fn at(&self, entity: EntityId, tick: f64) -> Option<T> {
        lock(&self.watched).interpolation.sample(entity, tick).as_deref().map(decode)
    }

    fn tick(&self) -> f64 {
        self.shared.timing().render_tick(self.shared.now())
    }
}

impl Watcher for Watched {
    fn follow(&mut self, tick: u64, replica: &Replica, changes: &Changes) {
        for change in changes.iter().filter(|change| change.row == self.row) {
            match (change.kind, replica.get(change.row, change.entity)) {
                (ChangeKind::Inserted, Some(row)) => self.interpolation.insert(change.entity, tick, row),
                (ChangeKind::Updated, Some(row)) => self.interpolation.update(change.entity, tick, row),
                (ChangeKind::Removed, _) | (_, None) => self.interpolation.remove(change.entity),
            }
        }
    }

    fn input(&mut self, _reducer: u32, _tick: u64, _call: &dyn Any) {}

    fn clear(&mut self) {
        self.interpolation.clear();
    }
}
