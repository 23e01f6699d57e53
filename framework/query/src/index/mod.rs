//! From a changed row to the queries that it concerns.
//!
//! Each alternative of each query is kept in one place, by the condition that tells most ([`Access`]): under
//! values of an operand, in intervals of it, in cells, or in the list of those that every change concerns. A
//! changed row of one type may concern a query through another type: the conditions of a join may all be on its
//! other side. So for every row type there is a list of the operands that are worth reading when one of its
//! rows changes.
//!
//! Hot: [`QueryIndex::matching`] runs for every changed row of the types that queries are about.

mod ranges;

use std::sync::Arc;

use evertick_schema::EntityId;
use evertick_world::{Cell, RowId, World};
use hashbrown::HashMap;

use crate::area::{PlaceField, cell_at};
use crate::key::Key;
use crate::operand::Operand;
use crate::plan::Access;
use crate::query::Query;
use ranges::Ranges;

/// A query's number in a [`QueryIndex`]; its user gives it.
pub type QueryNumber = u32;

/// Queries, kept so that a changed row finds those that it matches.
#[derive(Debug)]
pub struct QueryIndex {
    cell_size: f32,
    queries: HashMap<QueryNumber, Arc<Query>>,
    values: HashMap<Operand, Values>,
    cells: HashMap<(PlaceField, Cell), Vec<QueryNumber>>,
    /// By `RowId`: what to look at when a row of the type has changed.
    watch: Vec<Watch>,
}

/// The alternatives that hang on one operand.
#[derive(Debug, Default)]
struct Values {
    points: HashMap<Key, Vec<QueryNumber>>,
    ranges: Ranges,
}

/// What changes of one row type may concern.
#[derive(Debug, Default)]
struct Watch {
    operands: Vec<(Operand, u32)>,
    places: Vec<(PlaceField, u32)>,
    scans: Vec<QueryNumber>,
    /// How many queries are about the type.
    queries: u32,
}

impl QueryIndex {
    /// An index without queries. Areas are kept in cells of side `cell_size` metres.
    pub fn new(cell_size: f32) -> Self {
        Self {
            cell_size,
            queries: HashMap::new(),
            values: HashMap::new(),
            cells: HashMap::new(),
            watch: Vec::new(),
        }
    }

    /// Takes a query in under a number that is not in use.
    ///
    /// # Panics
    ///
    /// When the number is in use.
    pub fn insert(&mut self, number: QueryNumber, query: Arc<Query>) {
        for row in rows(&query) {
            self.watch(row).queries += 1;
        }
        for all in &query.any {
            match all.access(self.cell_size) {
                Access::Hashed { operand, keys } => {
                    let points = &mut self.values.entry(operand.clone()).or_default().points;
                    for key in keys {
                        points.entry(key).or_default().push(number);
                    }
                    self.change(&query, |watch| count_up(&mut watch.operands, operand));
                }
                Access::Ranged { operand, intervals } => {
                    let ranges = &mut self.values.entry(operand.clone()).or_default().ranges;
                    intervals.iter().for_each(|interval| ranges.insert(interval.clone(), number));
                    self.change(&query, |watch| count_up(&mut watch.operands, operand));
                }
                Access::Cells { cells } => {
                    let place = place_of(&query);
                    for cell in cells {
                        self.cells.entry((place, cell)).or_default().push(number);
                    }
                    self.change(&query, |watch| count_up(&mut watch.places, &place));
                }
                Access::Scan => self.change(&query, |watch| watch.scans.push(number)),
            }
        }
        let known = self.queries.insert(number, query);
        assert!(known.is_none(), "query number {number} is in use");
    }

    /// Forgets a query; nothing happens if there is none of that number.
    pub fn remove(&mut self, number: QueryNumber) {
        let Some(query) = self.queries.remove(&number) else { return };
        for row in rows(&query) {
            self.watch(row).queries -= 1;
        }
        for all in &query.any {
            match all.access(self.cell_size) {
                Access::Hashed { operand, keys } => {
                    let values = self.values.get_mut(operand).expect("it was inserted");
                    for key in keys {
                        take_from(&mut values.points, &key, number);
                    }
                    self.drop_values(operand);
                    self.change(&query, |watch| count_down(&mut watch.operands, operand));
                }
                Access::Ranged { operand, intervals } => {
                    let values = self.values.get_mut(operand).expect("it was inserted");
                    intervals.iter().for_each(|interval| values.ranges.remove(interval, number));
                    self.drop_values(operand);
                    self.change(&query, |watch| count_down(&mut watch.operands, operand));
                }
                Access::Cells { cells } => {
                    let place = place_of(&query);
                    for cell in cells {
                        take_from(&mut self.cells, &(place, cell), number);
                    }
                    self.change(&query, |watch| count_down(&mut watch.places, &place));
                }
                Access::Scan => self.change(&query, |watch| take(&mut watch.scans, number)),
            }
        }
    }

    /// The query of that number.
    pub fn get(&self, number: QueryNumber) -> Option<&Arc<Query>> {
        self.queries.get(&number)
    }

    /// How many queries there are.
    pub fn len(&self) -> usize {
        self.queries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.queries.is_empty()
    }

    /// Whether any query is about rows of that type.
    pub fn concerns(&self, row: RowId) -> bool {
        self.watch.get(row.index()).is_some_and(|watch| watch.queries > 0)
    }

    /// Appends the queries about rows of type `changed` that `entity` matches now, ascending, each once. A
    /// query that it matched before and matches no longer is not among them: whoever keeps results knows which
    /// ones the entity is in.
    ///
    /// Cost: a look-up for each value that queries about the type are hashed or ranged by, and the candidates;
    /// besides, each query that nothing but a scan can find.
    pub fn matching(&self, world: &World, changed: RowId, entity: EntityId, out: &mut Vec<QueryNumber>) {
        let Some(watch) = self.watch.get(changed.index()).filter(|watch| watch.queries > 0) else { return };
        let start = out.len();
        for (operand, _) in &watch.operands {
            if let Some(values) = self.values.get(operand)
                && let Some(key) = operand.read(world, entity)
            {
                out.extend(values.points.get(&key).into_iter().flatten());
                values.ranges.stab(key, out);
            }
        }
        for (place, _) in &watch.places {
            if let Some(row) = world.get(place.row, entity) {
                let cell = cell_at(place.read(row), self.cell_size);
                out.extend(self.cells.get(&(*place, cell)).into_iter().flatten());
            }
        }
        out.extend(&watch.scans);
        out[start..].sort_unstable();
        let mut kept = start;
        for at in start..out.len() {
            let number = out[at];
            if kept > start && out[kept - 1] == number {
                continue;
            }
            let query = &self.queries[&number];
            if query.concerns(changed) && query.matches(world, entity) {
                out[kept] = number;
                kept += 1;
            }
        }
        out.truncate(kept);
    }

    fn watch(&mut self, row: RowId) -> &mut Watch {
        if row.index() >= self.watch.len() {
            self.watch.resize_with(row.index() + 1, Watch::default);
        }
        &mut self.watch[row.index()]
    }

    fn change(&mut self, query: &Query, mut of: impl FnMut(&mut Watch)) {
        for row in rows(query) {
            of(self.watch(row));
        }
    }

    fn drop_values(&mut self, operand: &Operand) {
        let unused = |values: &Values| values.points.is_empty() && values.ranges.is_empty();
        if self.values.get(operand).is_some_and(unused) {
            self.values.remove(operand);
        }
    }
}

fn rows(query: &Query) -> impl Iterator<Item = RowId> + use<'_> {
    std::iter::once(query.row).chain(query.joins.iter().copied())
}

fn place_of(query: &Query) -> PlaceField {
    query.place.expect("a query with areas knows its spatial row type")
}

fn count_up<T: Clone + PartialEq>(list: &mut Vec<(T, u32)>, of: &T) {
    match list.iter_mut().find(|(known, _)| known == of) {
        Some((_, count)) => *count += 1,
        None => list.push((of.clone(), 1)),
    }
}

fn count_down<T: PartialEq>(list: &mut Vec<(T, u32)>, of: &T) {
    let at = list.iter().position(|(known, _)| known == of).expect("it was counted up");
    list[at].1 -= 1;
    if list[at].1 == 0 {
        list.swap_remove(at);
    }
}

fn take(list: &mut Vec<QueryNumber>, number: QueryNumber) {
    if let Some(at) = list.iter().position(|known| *known == number) {
        list.swap_remove(at);
    }
}

fn take_from<K: std::hash::Hash + Eq>(
    lists: &mut HashMap<K, Vec<QueryNumber>>,
    key: &K,
    number: QueryNumber,
) {
    if let Some(list) = lists.get_mut(key) {
        take(list, number);
        if list.is_empty() {
            lists.remove(key);
        }
    }
}
