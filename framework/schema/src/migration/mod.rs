//! From one version of a module to the next: what happens to the rows that are stored.
//!
//! [`Migration::plan`] compares two descriptions. What loses nothing but what the author removed is planned, row
//! type by row type; anything else is refused as a whole, with every reason. A plan changes nothing by itself:
//! whoever holds the rows runs [`RowMigration::convert`] over each.
//!
//! A row type or field is the one of the same name, or the one that its `was` names. `was` may stay in the source
//! for good: it says nothing once the new name is stored.

mod convert;
mod display;
mod fields;
mod names;
mod rows;
mod value;

use crate::codec::RowError;
use crate::description::{ModuleDescription, ReducerKind, RowDef, RowKind};
use crate::migration::convert::Fields;
use crate::migration::fields::Notes;

pub use display::MigrationRefused;
pub(crate) use names::cycle;

/// What becomes of a module's stored rows and pending calls when a new version of it is loaded. Printed, it is the
/// plan, a line for each change.
#[derive(Clone, Debug, PartialEq)]
pub struct Migration {
    /// Where the rows of each of the new module's row types come from, by position in its `rows`.
    pub rows: Vec<RowMigration>,
    /// Positions in the old module's `rows` of the stored row types that the new one has no more: their rows are
    /// dropped.
    pub dropped: Vec<u32>,
    /// By the old number of a reducer, its new number; `None` when it is gone or takes other arguments. Then the
    /// plan can't be carried out while a timer waits for it.
    pub reducers: Vec<Option<u32>>,
    module: String,
    changes: Vec<String>,
    empty: bool,
}

/// Where the rows of one row type come from.
#[derive(Clone, Debug, PartialEq)]
pub enum RowMigration {
    /// From nowhere: the row type is new, or rows of the old one were never stored.
    New,
    /// From the old row type at this position, byte for byte. Row types of other modules are always kept: the
    /// module that owns them plans for them.
    Keep {
        /// Its position in the old module's `rows`.
        from: u32,
    },
    /// From the old row type at this position, each row converted.
    Convert {
        /// Its position in the old module's `rows`.
        from: u32,
        /// How.
        conversion: RowConversion,
    },
}

/// How a row's bytes become those of another shape.
#[derive(Clone, Debug, PartialEq)]
pub struct RowConversion(Fields);

impl Migration {
    /// Plans the way from `old` to `new`, both of which have passed their check. Cost: linear in the descriptions
    /// but for name look-ups among the fields of a row; nothing is touched.
    pub fn plan(old: &ModuleDescription, new: &ModuleDescription) -> Result<Self, MigrationRefused> {
        let mut notes = Notes::default();
        let sources = names::sources(
            old.rows.iter().map(|row| row.name.as_str()),
            new.rows.iter().map(|row| (row.name.as_str(), row.was.as_deref())),
        );
        let mut rows = Vec::with_capacity(new.rows.len());
        for (new_row, source) in new.rows.iter().zip(&sources) {
            let from = source.filter(|from| is_stored(&old.rows[*from]));
            rows.push(match from {
                None if is_foreign(new_row) => RowMigration::New,
                None => {
                    // Rows that live only in memory start out empty whether their type is new or not.
                    if is_stored(new_row) || source.is_none() {
                        notes.change(format!("+ {}: new", new_row.name));
                    }
                    RowMigration::New
                }
                Some(from) if is_foreign(new_row) => RowMigration::Keep { from: from as u32 },
                Some(from) => match rows::plan(&old.rows[from], new_row, &mut notes) {
                    None => RowMigration::Keep { from: from as u32 },
                    Some(fields) => {
                        RowMigration::Convert { from: from as u32, conversion: RowConversion(fields) }
                    }
                },
            });
        }
        let mut dropped = Vec::new();
        for (position, row) in old.rows.iter().enumerate() {
            if is_stored(row) && !is_foreign(row) && !sources.contains(&Some(position)) {
                notes.change(format!("- {}: removed, its rows are dropped", row.name));
                dropped.push(position as u32);
            }
        }
        let reducers = reducers(old, new, &mut notes);
        if !notes.problems.is_empty() {
            return Err(MigrationRefused::new(&new.name, notes));
        }
        let empty = rows_stay(old, new, &rows)
            && dropped.is_empty()
            && reducers.iter().enumerate().all(|(old, new)| *new == Some(old as u32));
        Ok(Self { rows, dropped, reducers, module: new.name.clone(), changes: notes.changes, empty })
    }

    /// Whether what is stored can stay as it is: no byte of a stored row changes, each keeps its row number, the
    /// same row types are stored, and reducers keep their numbers. There may still be changes that only concern
    /// what is in memory: visibility, indexes, systems, names.
    pub const fn is_empty(&self) -> bool {
        self.empty
    }

    /// The changes, a line for each, in the order of the new module's row types. Lines start with `+` for what is
    /// new, `-` for what goes and `~` for what changes.
    pub fn changes(&self) -> &[String] {
        &self.changes
    }
}

impl RowMigration {
    /// The position in the old module's `rows` that the rows come from.
    pub const fn from(&self) -> Option<u32> {
        match self {
            Self::New => None,
            Self::Keep { from } | Self::Convert { from, .. } => Some(*from),
        }
    }

    /// Appends the new row that the old row `old` becomes to `out`. Fails when `old` is not a row of the old shape
    /// (values are checked as far as they are read) or the new row would be longer than a row may be; `out` then
    /// holds part of a row. Cost: one step per field, plus the elements of lists whose elements change.
    ///
    /// # Panics
    ///
    /// For [`RowMigration::New`], which no rows come from.
    pub fn convert(&self, old: &[u8], out: &mut Vec<u8>) -> Result<(), RowError> {
        match self {
            Self::New => panic!("a row type that is new has no old rows to convert"),
            Self::Keep { .. } => {
                out.extend_from_slice(old);
                Ok(())
            }
            Self::Convert { conversion, .. } => conversion.0.row(old, out),
        }
    }
}

fn is_foreign(row: &RowDef) -> bool {
    row.name.contains('.')
}

fn is_stored(row: &RowDef) -> bool {
    row.kind != RowKind::Event && row.storage.is_stored()
}

/// Whether every stored row type keeps its number, its bytes and being stored.
fn rows_stay(old: &ModuleDescription, new: &ModuleDescription, rows: &[RowMigration]) -> bool {
    let kept = |position: usize| rows.get(position) == Some(&RowMigration::Keep { from: position as u32 });
    let old_stay = old
        .rows
        .iter()
        .enumerate()
        .filter(|(_, row)| is_stored(row))
        .all(|(position, _)| kept(position) && new.rows.get(position).is_some_and(is_stored));
    // Only behind the old ones is there room for more.
    let others = new.rows.iter().take(old.rows.len()).enumerate().filter(|(_, row)| is_stored(row));
    old_stay && others.into_iter().all(|(position, _)| kept(position))
}

/// The new number of each old reducer.
fn reducers(old: &ModuleDescription, new: &ModuleDescription, notes: &mut Notes) -> Vec<Option<u32>> {
    let find = |reducer: &crate::ReducerDef| {
        let number = new.reducer(&reducer.name)?;
        let other = &new.reducers[number];
        let same = other.kind == reducer.kind && fields::same_arguments(&reducer.params, &other.params);
        same.then_some(number as u32)
    };
    let mut numbers = Vec::with_capacity(old.reducers.len());
    for reducer in &old.reducers {
        let number = find(reducer);
        if number.is_none() && reducer.kind == ReducerKind::Call {
            let what = if new.reducer(&reducer.name).is_some() { "takes other arguments" } else { "removed" };
            notes.change(format!("- {}(): {what}; no timer may wait for it", reducer.name));
        }
        numbers.push(number);
    }
    numbers
}
