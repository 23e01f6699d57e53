//! Queries.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;

use evertick_schema::{EntityId, ParamDef};

use crate::assemble::Numbers;
use crate::system::data::{OfRun, QueryData, ReadOnlyData};
use crate::system::filter::QueryFilter;
use crate::system::param::SystemParam;
use crate::system::view::{RawTable, View, slice};

/// Rows that `for_each` works on in one go. A loop of fixed length is unrolled and vectorised, and is checked
/// for its deadline once: in WebAssembly a plain loop over rows takes up to three times as long.
const LANES: usize = 32;

/// Rows of all entities that have what `D` asks for and `F` filters.
///
/// `D` is a tuple of `&T`, `&mut T`, `Option<&T>`, `Option<&mut T>` and [`EntityId`], or one of them. In a system's
/// parameters the lifetime is left out: `Query<(EntityId, &Position), With<Creature>>`.
///
/// ```
/// # use evertick_module::prelude::*;
/// # #[component(spatial)] pub struct Position { pub at: Vec2 }
/// # #[component] pub struct Velocity { pub meters_per_s: Vec2 }
/// # #[component] pub struct Frozen {}
/// # #[component] pub struct Name { pub text: String }
/// #[system]
/// fn travel(now: Now, mut moving: Query<(&mut Position, &Velocity), Without<Frozen>>) {
///     let seconds = now.delta().as_secs_f32();
///     moving.for_each(|(position, velocity)| position.at += velocity.meters_per_s * seconds);
/// }
///
/// #[system(every = "10s")]
/// fn report(named: Query<(EntityId, &Name, Option<&Position>)>) {
///     for (entity, name, position) in &named {
///         info!("{entity} is {} at {:?}", name.text, position.map(|position| position.at));
///     }
/// }
/// # fn main() {}
/// ```
///
/// Flat rows are used where the host has put them. Rows with variable fields are decoded before the run, and those that
/// are no longer the same are written back after it.
pub struct Query<'run, D: QueryData, F: QueryFilter = ()> {
    tables: Vec<QueryTable<D>>,
    /// Where each entity is, once somebody asks.
    places: OnceCell<HashMap<EntityId, (u32, u32)>>,
    run: PhantomData<&'run D>,
    filter: PhantomData<F>,
}

struct QueryTable<D: QueryData> {
    rows: usize,
    entities: *const EntityId,
    columns: D::Table,
}

impl<D: QueryData> Clone for QueryTable<D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D: QueryData> Copy for QueryTable<D> {}

impl<'run, D: OfRun<'run>, F: QueryFilter> SystemParam<'run> for Query<'run, D, F> {
    fn describe(numbers: &Numbers<'_>) -> ParamDef {
        let mut terms = Vec::new();
        D::terms(numbers, &mut terms);
        F::terms(numbers, &mut terms);
        ParamDef::Query { terms }
    }

    fn from_view(view: &'run View<'_>, param: usize) -> Self {
        let table = |table: &RawTable| QueryTable {
            rows: table.rows as usize,
            entities: table.entities_ptr,
            columns: D::table(view, table, &mut 0),
        };
        let tables = view.tables(param).iter().map(table).collect();
        Self { tables, places: OnceCell::new(), run: PhantomData, filter: PhantomData }
    }
}

impl<D: QueryData, F: QueryFilter> Query<'_, D, F> {
    /// How many entities there are.
    pub fn len(&self) -> usize {
        self.tables.iter().map(|table| table.rows).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tables.iter().all(|table| table.rows == 0)
    }

    /// Whether `entity` is among them.
    pub fn contains(&self, entity: EntityId) -> bool {
        self.place(entity).is_some()
    }

    /// Every entity. For simple work on all rows [`Query::for_each`] is faster.
    pub fn iter_mut(&mut self) -> QueryIter<'_, D> {
        QueryIter::new(&self.tables)
    }

    /// Calls `work` with every entity, in blocks that the compiler can vectorise: three times as fast as a `for`
    /// loop for simple work.
    pub fn for_each<'q>(&'q mut self, work: impl FnMut(D::Item<'q>)) {
        self.iter_mut().for_each(work);
    }

    /// Every table's columns as slices, for code that wants to choose its own blocks. Row `i` of all columns
    /// of a table belongs to one entity.
    pub fn columns_mut(&mut self) -> impl Iterator<Item = D::Columns<'_>> {
        self.tables.iter().map(|table| {
            // SAFETY: the view outlives the query; the columns are reached through an exclusive borrow of the
            // query, and each table is visited once.
            unsafe { D::columns(table.columns, table.rows) }
        })
    }

    /// What `entity` gives. The first look-up of a run lists all entities: 10 to 20 ns each.
    pub fn get_mut(&mut self, entity: EntityId) -> Option<D::Item<'_>> {
        let (columns, row) = self.place(entity)?;
        // SAFETY: the view outlives the query, the row is there, and the item borrows the query exclusively.
        Some(unsafe { D::item(columns, row) })
    }

    fn place(&self, entity: EntityId) -> Option<(D::Table, usize)> {
        let places = self.places.get_or_init(|| {
            let mut places = HashMap::with_capacity(self.len());
            for (number, table) in (0u32..).zip(&self.tables) {
                // SAFETY: the view, which outlives the query, has the table's list of entities.
                let entities = unsafe { slice(table.entities, table.rows as u32) };
                places.extend((0u32..).zip(entities).map(|(row, entity)| (*entity, (number, row))));
            }
            places
        });
        let (table, row) = places.get(&entity)?;
        Some((self.tables[*table as usize].columns, *row as usize))
    }
}

impl<D: ReadOnlyData, F: QueryFilter> Query<'_, D, F> {
    /// Every entity.
    pub fn iter(&self) -> QueryIter<'_, D> {
        QueryIter::new(&self.tables)
    }

    /// Every table's columns as slices.
    pub fn columns(&self) -> impl Iterator<Item = D::Columns<'_>> {
        self.tables.iter().map(|table| {
            // SAFETY: the view outlives the query, and no term writes.
            unsafe { D::columns(table.columns, table.rows) }
        })
    }

    /// What `entity` gives. The first look-up of a run lists all entities: 10 to 20 ns each.
    pub fn get(&self, entity: EntityId) -> Option<D::Item<'_>> {
        let (columns, row) = self.place(entity)?;
        // SAFETY: the view outlives the query, the row is there, and no term writes.
        Some(unsafe { D::item(columns, row) })
    }
}

impl<D: QueryData, F: QueryFilter> fmt::Debug for Query<'_, D, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Query({} entities)", self.len())
    }
}

impl<'q, D: QueryData, F: QueryFilter> IntoIterator for &'q mut Query<'_, D, F> {
    type Item = D::Item<'q>;
    type IntoIter = QueryIter<'q, D>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl<'q, D: ReadOnlyData, F: QueryFilter> IntoIterator for &'q Query<'_, D, F> {
    type Item = D::Item<'q>;
    type IntoIter = QueryIter<'q, D>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Goes through a query's entities.
pub struct QueryIter<'q, D: QueryData> {
    tables: std::slice::Iter<'q, QueryTable<D>>,
    table: Option<QueryTable<D>>,
    row: usize,
}

impl<'q, D: QueryData> QueryIter<'q, D> {
    /// Of a query that is borrowed for `'q`: exclusively, or its data is [`ReadOnlyData`].
    fn new(tables: &'q [QueryTable<D>]) -> Self {
        let mut tables = tables.iter();
        let table = tables.next().copied();
        Self { tables, table, row: 0 }
    }
}

impl<'q, D: QueryData + 'q> Iterator for QueryIter<'q, D> {
    type Item = D::Item<'q>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let table = self.table?;
            if self.row < table.rows {
                let row = self.row;
                self.row += 1;
                // SAFETY: the view outlives the query, whose borrow the iterator holds; the row is there, and every
                // row is given once.
                return Some(unsafe { D::item(table.columns, row) });
            }
            self.table = self.tables.next().copied();
            self.row = 0;
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let here = self.table.map_or(0, |table| table.rows - self.row);
        let len = here + self.tables.clone().map(|table| table.rows).sum::<usize>();
        (len, Some(len))
    }

    #[inline]
    fn fold<A, W: FnMut(A, Self::Item) -> A>(self, start: A, mut work: W) -> A {
        let mut total = start;
        let mut row = self.row;
        for table in self.table.into_iter().chain(self.tables.copied()) {
            while row + LANES <= table.rows {
                for lane in 0..LANES {
                    // SAFETY: as in `next`.
                    total = work(total, unsafe { D::item(table.columns, row + lane) });
                }
                row += LANES;
            }
            while row < table.rows {
                // SAFETY: as in `next`.
                total = work(total, unsafe { D::item(table.columns, row) });
                row += 1;
            }
            row = 0;
        }
        total
    }
}

impl<'q, D: QueryData + 'q> ExactSizeIterator for QueryIter<'q, D> {}

impl<D: QueryData> fmt::Debug for QueryIter<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryIter").field("row", &self.row).finish_non_exhaustive()
    }
}
