//! Finding all rows that match: the first result.

use std::ops::Bound;

use evertick_schema::{EntityId, IndexKind, RowDef};
use evertick_world::{Place, RowId, World};
use thiserror::Error;

use crate::RESULT_ROWS_MAX;
use crate::key::Key;
use crate::operand::{FieldPath, Operand};
use crate::query::{Conjunct, Query};
use crate::set::Interval;

/// A query's result is larger than a result may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "more than {RESULT_ROWS_MAX} rows match; narrow the condition, or ask for parts of it in several queries"
)]
pub struct TooManyRows;

/// Where the candidates of an alternative come from.
pub(crate) enum Source<'q> {
    /// They are named.
    Entities(Vec<Key>),
    /// An index of any kind.
    Lookup { path: &'q FieldPath, keys: Vec<Vec<u8>> },
    /// An ordered index.
    Range { path: &'q FieldPath, intervals: &'q [Interval] },
    /// The grid.
    Grid { row: RowId, center: Place, radius: f32 },
    /// All rows.
    Scan,
}

/// The most values that are looked up in an index one by one.
const LOOKUPS_MAX: usize = 512;

/// A query's result.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// All entities whose rows match, ascending; at most [`RESULT_ROWS_MAX`].
    pub entities: Result<Vec<EntityId>, TooManyRows>,
    /// How many entities were looked at: what it cost.
    pub looked_at: usize,
}

impl Query {
    /// Finds all entities whose rows match.
    ///
    /// Cost: the rows that the best index or the grid gives for each alternative, or all rows of the rarest
    /// type of the query where neither helps.
    pub fn evaluate(&self, world: &World) -> Evaluated {
        let mut found = Vec::new();
        let mut candidates = Vec::new();
        let mut looked_at = 0;
        for all in &self.any {
            candidates.clear();
            self.candidates(all, world, &mut candidates);
            looked_at += candidates.len();
            found.extend(candidates.iter().copied().filter(|entity| self.matches(world, *entity)));
            found.sort_unstable();
            found.dedup();
            if found.len() > RESULT_ROWS_MAX {
                return Evaluated { entities: Err(TooManyRows), looked_at };
            }
        }
        Evaluated { entities: Ok(found), looked_at }
    }

    /// Appends entities, among them all for which `all` holds.
    fn candidates(&self, all: &Conjunct, world: &World, out: &mut Vec<EntityId>) {
        match self.source(all, |row| &world.row(row).def) {
            Source::Entities(keys) => out.extend(keys.iter().map(|key| match key {
                Key::Number(id) => EntityId(*id),
                Key::Bytes(_) => EntityId::NONE,
            })),
            Source::Lookup { path, keys } => {
                keys.iter().for_each(|key| world.lookup(path.row, path.field, key, out));
            }
            Source::Range { path, intervals } => {
                let kind = Operand::Field(path.clone()).kind();
                let bytes = |key: &Key| kind.index_bytes(key).expect("ranges are not looked up on floats");
                for interval in intervals {
                    let lo = bytes(&interval.lo);
                    let hi = interval.hi.as_ref().map(bytes);
                    let hi = hi.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
                    world.range(path.row, path.field, Bound::Included(&lo), hi, out);
                }
            }
            Source::Grid { row, center, radius } => world.near(center, radius, Some(row), out),
            Source::Scan => {
                let types = std::iter::once(&self.row).chain(&self.joins);
                let rarest = types.min_by_key(|row| world.row_count(**row)).copied().unwrap_or(self.row);
                out.extend(world.scan(rarest).map(|(entity, _)| entity));
            }
        }
    }

    /// The best source for one alternative. Floats are not looked up: the world's indexes tell -0 from 0.
    pub(crate) fn source<'q, 'd>(
        &'q self,
        all: &'q Conjunct,
        def: impl Fn(RowId) -> &'d RowDef,
    ) -> Source<'q> {
        let index = |path: &FieldPath| {
            let on = |index: &&evertick_schema::IndexDef| index.field == path.field;
            let usable = path.whole && !Operand::Field(path.clone()).kind().is_float();
            def(path.row).indexes.iter().find(on).filter(|_| usable).map(|index| index.kind)
        };
        let mut range = None;
        for (operand, allowed) in all.fields.iter().filter(|(_, allowed)| !allowed.null) {
            let kind = operand.kind();
            let keys = allowed.set.list(kind, LOOKUPS_MAX);
            match (operand, keys) {
                (Operand::Entity, Some(keys)) => return Source::Entities(keys),
                (Operand::Field(path), Some(keys)) if index(path).is_some() => {
                    let keys = keys.iter().filter_map(|key| kind.index_bytes(key)).collect();
                    return Source::Lookup { path, keys };
                }
                (Operand::Field(path), None) if index(path) == Some(IndexKind::Ordered) => {
                    range = Some(Source::Range { path, intervals: allowed.set.intervals() });
                }
                _ => {}
            }
        }
        let area = all.places.iter().find(|(_, inside)| *inside);
        match (range, area, self.place) {
            (Some(range), ..) => range,
            (None, Some((area, _)), Some(place)) => {
                let (center, radius) = area.reach();
                Source::Grid { row: place.row, center, radius }
            }
            _ => Source::Scan,
        }
    }
}
