//! How a query is matched, and saying it in words.

use std::fmt::Write;

use evertick_world::Cell;

use crate::area::Area;
use crate::catalog::Catalog;
use crate::evaluate::Source;
use crate::key::Key;
use crate::operand::Operand;
use crate::query::{Conjunct, Query};
use crate::set::Interval;

/// The most values by which one alternative is hashed, and the most intervals by which it is ranged.
const VALUES_MAX: usize = 64;
/// The most cells of one alternative.
const CELLS_MAX: usize = 256;

/// What a changed row must be like to concern an alternative: where the index keeps it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Access<'q> {
    /// A value is one of few.
    Hashed { operand: &'q Operand, keys: Vec<Key> },
    /// The place is in one of few cells.
    Cells { cells: Vec<Cell> },
    /// A value is in one of few intervals.
    Ranged { operand: &'q Operand, intervals: &'q [Interval] },
    /// Nothing is known of it.
    Scan,
}

impl Conjunct {
    /// The most selective way that the conditions allow, as far as one can say without looking at rows: one
    /// entity, then the fewest values, then cells of side `cell_size`, then the fewest intervals.
    pub(crate) fn access(&self, cell_size: f32) -> Access<'_> {
        let there = || self.fields.iter().filter(|(_, allowed)| !allowed.null);
        let hashed = there().filter_map(|(operand, allowed)| {
            let keys = allowed.set.list(operand.kind(), VALUES_MAX)?;
            Some((*operand != Operand::Entity, keys.len(), Access::Hashed { operand, keys }))
        });
        if let Some((.., access)) = hashed.min_by_key(|(not_entity, values, _)| (*not_entity, *values)) {
            return access;
        }
        let inside = self.places.iter().filter(|(_, inside)| *inside);
        let cells = inside.filter_map(|(area, _): &(Area, bool)| area.cells(cell_size, CELLS_MAX));
        if let Some(cells) = cells.min_by_key(Vec::len) {
            return Access::Cells { cells };
        }
        let ranged = there().filter(|(operand, allowed)| {
            !allowed.set.is_full(operand.kind()) && allowed.set.intervals().len() <= VALUES_MAX
        });
        match ranged.min_by_key(|(_, allowed)| allowed.set.intervals().len()) {
            Some((operand, allowed)) => Access::Ranged { operand, intervals: allowed.set.intervals() },
            None => Access::Scan,
        }
    }
}

impl Query {
    /// How the query is answered, in words for whoever wrote it: for each alternative, by what a changed row
    /// finds it, and where the first result comes from. `cell_size` is the index's.
    pub fn explain(&self, catalog: &Catalog, cell_size: f32) -> String {
        let mut text = format!("rows of {}", catalog.row(self.row).short_name());
        for join in &self.joins {
            let _ = write!(text, ", joined with {}", catalog.row(*join).short_name());
        }
        if self.any.is_empty() {
            text.push_str("\nnothing can meet the condition");
        }
        for (index, all) in self.any.iter().enumerate() {
            let number = index + 1;
            let changes = match all.access(cell_size) {
                Access::Hashed { operand, keys } => {
                    format!("hashed by {}, {}", self.name(operand, catalog), count(keys.len(), "value"))
                }
                Access::Cells { cells } => {
                    format!("by cells, {} of {cell_size} m", count(cells.len(), "cell"))
                }
                Access::Ranged { operand, intervals } => {
                    format!(
                        "ranged by {}, {}",
                        self.name(operand, catalog),
                        count(intervals.len(), "interval")
                    )
                }
                Access::Scan => "scan: every changed row is tried".to_owned(),
            };
            let first = match self.source(all, |row| &catalog.row(row).def) {
                Source::Entities(_) => "the entities themselves".to_owned(),
                Source::Lookup { path, .. } | Source::Range { path, .. } => {
                    format!("the index on {}", self.name(&Operand::Field(path.clone()), catalog))
                }
                Source::Grid { .. } => "the grid".to_owned(),
                Source::Scan => "all rows".to_owned(),
            };
            let _ = write!(text, "\n{number}. changes: {changes}; first result: from {first}");
        }
        text
    }

    fn name(&self, operand: &Operand, catalog: &Catalog) -> String {
        match operand {
            Operand::Entity => "entity".into(),
            Operand::Field(path) => {
                let row = catalog.row(path.row);
                format!("{}.{}", row.short_name(), row.def.fields[usize::from(path.field)].name)
            }
        }
    }
}

fn count(count: usize, of: &str) -> String {
    if count == 1 { format!("1 {of}") } else { format!("{count} {of}s") }
}
