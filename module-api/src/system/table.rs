//! Tables in systems.

use std::fmt;
use std::marker::PhantomData;
use std::ops::RangeBounds;

use evertick_schema::{EntityId, Field, ParamDef};

use crate::assemble::Numbers;
use crate::ctx::find;
use crate::index::{AtMostOne, Index, Ranges};
use crate::rows::TableRow;
use crate::scan::Scan;
use crate::system::param::SystemParam;
use crate::system::view::View;

/// Look-ups in a table, as it was when the run began. Each is one call of the host: 10 to 50 ns.
pub struct Table<'run, T> {
    run: PhantomData<&'run T>,
}

impl<'run, T: TableRow> SystemParam<'run> for Table<'run, T> {
    fn describe(numbers: &Numbers<'_>) -> ParamDef {
        ParamDef::Table { row: numbers.row::<T>() }
    }

    fn from_view(_view: &'run View<'_>, _param: usize) -> Self {
        Self { run: PhantomData }
    }
}

impl<T: TableRow> Table<'_, T> {
    /// The row with this key.
    pub fn find(&self, key: T::Key) -> Option<T> {
        Some(self.find_entity(key)?.1)
    }

    /// The row with this key, and its entity.
    pub fn find_entity(&self, key: T::Key) -> Option<(EntityId, T)> {
        find(T::KEY, &key).ok()
    }

    /// The row with this value of a unique field, and its entity.
    pub fn find_by<K: Field, Kind, U: AtMostOne>(
        &self,
        index: Index<T, K, Kind, U>,
        value: &K,
    ) -> Option<(EntityId, T)> {
        find(index.field, value).ok()
    }

    /// All rows.
    pub fn iter(&self) -> Scan<T> {
        Scan::all()
    }

    /// The rows with this value of an indexed field.
    pub fn scan_by<K: Field, Kind, U>(&self, index: Index<T, K, Kind, U>, value: &K) -> Scan<T> {
        Scan::equal(index, value)
    }

    /// The rows whose value of an ordered field is in `range`, ascending.
    pub fn range<K, Kind: Ranges, U>(
        &self,
        index: Index<T, K, Kind, U>,
        range: impl RangeBounds<K>,
    ) -> Scan<T>
    where
        K: Field + PartialEq + Clone + 'static,
    {
        Scan::range(index, range)
    }
}

impl<T: TableRow> IntoIterator for &Table<'_, T> {
    type Item = (EntityId, T);
    type IntoIter = Scan<T>;

    fn into_iter(self) -> Scan<T> {
        self.iter()
    }
}

impl<T> fmt::Debug for Table<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Table")
    }
}
