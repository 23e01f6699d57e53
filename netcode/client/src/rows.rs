//! Typed reads of the replica.

use evertick_protocol::Replica;
use evertick_schema::{EntityId, Row, Timestamp};

use crate::error::RowTypeError;
use crate::types::{ModuleTypes, decode};

/// The replica at one moment: several reads through one view belong together. While it lives no frame is applied, so
/// keep it short.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub(crate) types: &'a ModuleTypes,
    pub(crate) replica: &'a Replica,
}

impl<'a> View<'a> {
    /// The tick that the replica shows.
    pub fn tick(&self) -> u64 {
        self.replica.tick()
    }

    /// The world's time at that tick.
    pub fn time(&self) -> Timestamp {
        self.replica.time()
    }

    /// The row of type `T` of `entity`, if this client sees it.
    pub fn get<T: Row>(&self, entity: EntityId) -> Result<Option<T>, RowTypeError> {
        let number = self.types.row::<T>()?;
        Ok(self.replica.get(number, entity).map(decode))
    }

    /// All rows of type `T` that this client sees, in no particular order.
    pub fn rows<T: Row>(&self) -> Result<impl Iterator<Item = (EntityId, T)> + use<'a, T>, RowTypeError> {
        let number = self.types.row::<T>()?;
        Ok(self.replica.rows(number).map(|(entity, bytes)| (entity, decode(bytes))))
    }

    /// The entities that have all row types of the tuple `Q`, with their rows, in no particular order. Costs a look-up per
    /// row of the first type and further type, so name the rarest first.
    pub fn query<Q: RowSet>(&self) -> Result<impl Iterator<Item = (EntityId, Q)> + use<'a, Q>, RowTypeError> {
        let numbers = Q::numbers(self)?;
        let view = *self;
        let entities = view.replica.rows(numbers.as_ref()[0]).map(|(entity, _)| entity);
        Ok(entities.filter_map(move |entity| Some((entity, Q::read(&view, &numbers, entity)?))))
    }
}

/// A tuple of two to six row types.
pub trait RowSet: sealed::RowSet {}

mod sealed {
    use super::{EntityId, RowTypeError, View};

    pub trait RowSet: Sized {
        type Numbers: AsRef<[u32]>;

        fn numbers(view: &View<'_>) -> Result<Self::Numbers, RowTypeError>;

        fn read(view: &View<'_>, numbers: &Self::Numbers, entity: EntityId) -> Option<Self>;
    }
}

macro_rules! row_set {
    ($count:literal: $($row:ident $position:tt),+) => {
        impl<$($row: Row),+> RowSet for ($($row,)+) {}

        impl<$($row: Row),+> sealed::RowSet for ($($row,)+) {
            type Numbers = [u32; $count];

            fn numbers(view: &View<'_>) -> Result<Self::Numbers, RowTypeError> {
                Ok([$(view.types.row::<$row>()?),+])
            }

            fn read(view: &View<'_>, numbers: &Self::Numbers, entity: EntityId) -> Option<Self> {
                Some(($(decode::<$row>(view.replica.get(numbers[$position], entity)?),)+))
            }
        }
    };
}

row_set!(2: A 0, B 1);
row_set!(3: A 0, B 1, C 2);
row_set!(4: A 0, B 1, C 2, D 3);
row_set!(5: A 0, B 1, C 2, D 3, E 4);
row_set!(6: A 0, B 1, C 2, D 3, E 4, F 5);
