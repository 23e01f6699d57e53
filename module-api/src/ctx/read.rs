//! Reading rows.

use std::ops::RangeBounds;

use evertick_schema::{EntityId, Field};

use crate::ctx::Ctx;
use crate::errors::Missing;
use crate::index::{AtMostOne, Index, Ranges};
use crate::rows::{Component, Resource, TableRow};
use crate::scan::{Scan, with_key};
use crate::space::Place;
use crate::sys;

impl Ctx {
    /// The `T` of `entity`, as a value: changing it changes nothing until it is written back.
    ///
    /// # Errors
    ///
    /// [`Missing`] when the entity has none or is gone.
    pub fn get<T: Component>(&self, entity: EntityId) -> Result<T, Missing> {
        sys::read(entity).ok_or(Missing { row: T::NAME })
    }

    /// Whether `entity` has a `T`.
    pub fn has<T: Component>(&self, entity: EntityId) -> bool {
        sys::get(sys::row_number::<T>(), entity, &mut []) >= 0
    }

    /// The row of table `T` with this key.
    ///
    /// # Errors
    ///
    /// [`Missing`] when there is none.
    pub fn find<T: TableRow>(&self, key: T::Key) -> Result<T, Missing> {
        Ok(self.find_entity::<T>(key)?.1)
    }

    /// The row of table `T` with this key, and its entity, by which it can be written.
    ///
    /// # Errors
    ///
    /// [`Missing`] when there is none.
    pub fn find_entity<T: TableRow>(&self, key: T::Key) -> Result<(EntityId, T), Missing> {
        find(T::KEY, &key)
    }

    /// The row with this value of a unique field, and its entity.
    ///
    /// # Errors
    ///
    /// [`Missing`] when there is none.
    pub fn find_by<T: Component, K: Field, Kind, U: AtMostOne>(
        &self,
        index: Index<T, K, Kind, U>,
        value: &K,
    ) -> Result<(EntityId, T), Missing> {
        find(index.field, value)
    }

    /// All rows of `T` with their entities, in an order that is the same in a replay.
    pub fn scan<T: Component>(&self) -> Scan<T> {
        Scan::all()
    }

    /// The rows with this value of an indexed field.
    pub fn scan_by<T: Component, K: Field, Kind, U>(
        &self,
        index: Index<T, K, Kind, U>,
        value: &K,
    ) -> Scan<T> {
        Scan::equal(index, value)
    }

    /// The rows whose value of an ordered field is in `range`, ascending.
    pub fn range<T: Component, K, Kind: Ranges, U>(
        &self,
        index: Index<T, K, Kind, U>,
        range: impl RangeBounds<K>,
    ) -> Scan<T>
    where
        K: Field + PartialEq + Clone + 'static,
    {
        Scan::range(index, range)
    }

    /// The resource `T`.
    ///
    /// # Errors
    ///
    /// [`Missing`] until [`Ctx::set_resource`] has set it.
    pub fn resource<T: Resource>(&self) -> Result<T, Missing> {
        resource().ok_or(Missing { row: T::NAME })
    }

    /// The entities within `radius` meters of a point, nearest first.
    pub fn near(&self, place: impl Into<Place>, radius: f32) -> Vec<EntityId> {
        near(place.into(), radius, None)
    }

    /// The entities within `radius` meters of a point that have a `T`, nearest first.
    pub fn near_with<T: Component>(&self, place: impl Into<Place>, radius: f32) -> Vec<EntityId> {
        near(place.into(), radius, Some(sys::row_number::<T>()))
    }
}

/// The row with this value of the unique field number `field`.
pub(crate) fn find<T: Component, K: Field>(field: u16, value: &K) -> Result<(EntityId, T), Missing> {
    let row = sys::row_number::<T>();
    let look = |buffer: &mut Vec<u8>| {
        with_key(value, buffer, |key| {
            sys::with_filled::<T, _>(|room| sys::find(row, u32::from(field), key, room), sys::decode_found)
        })
    };
    sys::with_scratch_mut(look).ok_or(Missing { row: T::NAME })
}

/// The one row of a resource.
fn resource<T: Resource>() -> Option<T> {
    const HEAD: usize = 12;
    let row = sys::row_number::<T>();
    let mut batch = vec![0; HEAD + if T::FLAT { T::SIZE } else { 256 }];
    loop {
        let rows = sys::scan(row, None, None, None, &mut [0; 16], &mut batch);
        match usize::try_from(rows) {
            Ok(0) => return None,
            Ok(_) => {
                let (head, rest) = batch.split_at(HEAD);
                let len = u32::from_le_bytes([head[8], head[9], head[10], head[11]]) as usize;
                return Some(sys::decode(&rest[..len]));
            }
            Err(_) => {
                let needed = rows.unsigned_abs() as usize;
                assert!(needed > batch.len(), "the host wants room for a row that has it");
                batch.resize(needed, 0);
            }
        }
    }
}

/// The entities near a place.
pub(crate) fn near(place: Place, radius: f32, row: Option<u32>) -> Vec<EntityId> {
    const GUESS: usize = 64;
    let mut ids = vec![EntityId::NONE; GUESS];
    loop {
        let count = sys::near(place.space, place.at.to_array(), radius, row, &mut ids);
        let count = usize::try_from(count).unwrap_or_default();
        if count <= ids.len() {
            ids.truncate(count);
            return ids;
        }
        ids.resize(count, EntityId::NONE);
    }
}
