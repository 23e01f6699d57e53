//! What a system sees of the world while it runs, and where it leaves what it wrote.
//!
//! A view shows whole columns, as they were when the run started. Nothing that the system hands over changes
//! them during the run: changed rows are kept beside ([`crate::sweep`]) and go into the world after it, when
//! all of it turned out well. That is why the columns can be plain shared slices here, why several systems can
//! run at once, and why a failed run has nothing to undo.

use std::ops::Bound;

use bevy_ecs::entity::Entity;
use evertick_schema::{Duration, EntityId, Timestamp, check_row};
use thiserror::Error;

use crate::columns::VariableColumn;
use crate::commands::{CommandRights, CommandRules};
use crate::compare::RowShape;
use crate::guest::GuestFault;
use crate::ids::Ids;
use crate::place::Place;
use crate::random::Stream;
use crate::reads::Reads;
use crate::row::{RowId, RowType};
use crate::sweep::{RunOutput, Target};

/// Names one table for as long as the world lives: all entities that have the same set of row types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableKey(pub u32);

/// One parameter's tables, in an order that only grows; none for parameters without columns.
#[derive(Debug, Default)]
pub struct ParamView<'w> {
    pub(crate) tables: Vec<TableView<'w>>,
}

impl<'w> ParamView<'w> {
    /// The tables whose entities match. Of a resource one with at most one row, or none.
    pub fn tables(&self) -> &[TableView<'w>] {
        &self.tables
    }
}

/// Some of a table's columns.
#[derive(Debug)]
pub struct TableView<'w> {
    pub(crate) key: TableKey,
    pub(crate) entities_version: u64,
    pub(crate) entities: &'w [Entity],
    pub(crate) ids: &'w Ids,
    pub(crate) columns: Vec<Option<ColumnView<'w>>>,
}

impl<'w> TableView<'w> {
    /// The table's name, the same in every run.
    pub fn key(&self) -> TableKey {
        self.key
    }

    /// Changes whenever the table's entities or their order do: a copy of them with the same version is current.
    pub fn entities_version(&self) -> u64 {
        self.entities_version
    }

    /// The entities, one per row. Cost: one look-up each.
    pub fn entities(&self) -> impl ExactSizeIterator<Item = EntityId> + use<'w> {
        let ids = self.ids;
        self.entities.iter().map(move |entity| ids.name(entity.index()))
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.entities.len()
    }

    /// The columns of the query's terms, in their order, but for `With` and `Without`. `None` where an optional
    /// row type is not in this table.
    pub fn columns(&self) -> &[Option<ColumnView<'w>>] {
        &self.columns
    }
}

/// One column: the rows of one type, one per entity of the table.
#[derive(Debug)]
pub struct ColumnView<'w> {
    pub(crate) row: &'w RowType,
    pub(crate) version: u64,
    pub(crate) continues: Option<u64>,
    pub(crate) writable: bool,
    pub(crate) data: ColumnData<'w>,
    /// Of flat columns that may be written.
    pub(crate) target: Option<Target<'w>>,
}

impl<'w> ColumnView<'w> {
    /// The rows' type.
    pub fn row(&self) -> RowId {
        self.row.id
    }

    /// Changes whenever any row or their order does: a copy with the same version is current.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The version that a system's run saw when all that it wrote back made the present one: then the copy
    /// that it worked on, and nobody else's of that version, is current. `None` if the present version came about
    /// otherwise.
    pub fn continues(&self) -> Option<u64> {
        self.continues
    }

    /// Whether the system may write it: a flat column with [`SystemView::write_back`], a variable one with
    /// `set` commands.
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// The rows.
    pub fn data(&self) -> ColumnData<'w> {
        self.data
    }

    /// The rows' bytes one behind the other; `None` when the rows are of variable length.
    pub fn flat(&self) -> Option<&'w [u8]> {
        match self.data {
            ColumnData::Flat { bytes, .. } => Some(bytes),
            ColumnData::Variable(_) => None,
        }
    }

    /// The rows of a column of variable length.
    pub fn variable(&self) -> Option<VariableColumn<'w>> {
        match self.data {
            ColumnData::Flat { .. } => None,
            ColumnData::Variable(rows) => Some(rows),
        }
    }
}

/// A column's rows.
#[derive(Clone, Copy, Debug)]
pub enum ColumnData<'w> {
    /// All of one length.
    Flat {
        /// The rows one behind the other. Aligned no better than the row type.
        bytes: &'w [u8],
        /// Bytes of one row.
        stride: usize,
    },
    /// Each of its own length.
    Variable(VariableColumn<'w>),
}

/// A system reads what it did not declare.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Undeclared {
    /// Rows of a type that none of its parameters names.
    #[error("the system reads {row}, which none of its parameters names")]
    Row {
        /// The row type's name.
        row: String,
    },
    /// A row type that does not exist.
    #[error("there is no {0}")]
    NoRow(RowId),
    /// The space grid.
    #[error("the system asks what is near without a `Near` parameter")]
    Near,
}

/// What a system's run may do beside its columns.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    /// Row types that it may read.
    pub(crate) reads: Vec<RowId>,
    /// Whether it may ask the space grid.
    pub(crate) near: bool,
    pub(crate) commands: CommandRights,
}

/// The world as one run of one system sees it.
pub struct SystemView<'w> {
    pub(crate) now: Timestamp,
    pub(crate) delta_time: Duration,
    pub(crate) tick: u64,
    pub(crate) params: &'w [ParamView<'w>],
    pub(crate) rows: &'w [RowId],
    pub(crate) reads: Reads<'w>,
    pub(crate) rules: &'w CommandRules,
    pub(crate) grants: &'w Grants,
    pub(crate) random: Stream,
    pub(crate) output: &'w mut RunOutput,
}

impl std::fmt::Debug for SystemView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SystemView")
            .field("tick", &self.tick)
            .field("params", &self.params)
            .finish_non_exhaustive()
    }
}

impl<'w> SystemView<'w> {
    /// The tick's time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Simulated time since the system's last run; of a system that runs each tick, the length of a tick.
    pub fn delta_time(&self) -> Duration {
        self.delta_time
    }

    /// The tick's number.
    pub fn tick(&self) -> u64 {
        self.tick
    }

    /// The parameters, in the order of the system's description. They outlive the borrow of the view, so they can be
    /// looked at while results are handed over.
    pub fn params(&self) -> &'w [ParamView<'w>] {
        self.params
    }

    /// The world's numbers of the module's row types.
    pub fn rows(&self) -> &'w [RowId] {
        self.rows
    }

    /// The next random number of this run. Same seed, system and tick: same numbers.
    pub fn random(&mut self) -> u64 {
        self.random.next()
    }

    /// Hands over a flat column as the system left it, all rows of it. Rows that differ from what they were go
    /// into the world after the run, with the mask of fields that differ. A second time replaces the first. Returns whether
    /// any row differs.
    ///
    /// # Errors
    ///
    /// When the column is not there or not to be written so, is not of its length, or holds a bool or enum that
    /// is none. The run then fails, whatever it says itself.
    pub fn write_back(
        &mut self,
        param: usize,
        table: usize,
        column: usize,
        bytes: &[u8],
    ) -> Result<bool, GuestFault> {
        let kept = self.try_write_back([param, table, column], bytes);
        kept.inspect_err(|fault| self.output.fault = Some(fault.clone()))
    }

    fn try_write_back(&mut self, slot: [usize; 3], bytes: &[u8]) -> Result<bool, GuestFault> {
        let [param, table, column] = slot;
        let found = self.params.get(param).and_then(|param| param.tables.get(table));
        let found = found.and_then(|table| table.columns.get(column)?.as_ref());
        let Some(ColumnView { row, target: Some(target), data: ColumnData::Flat { bytes: old, .. }, .. }) =
            found
        else {
            return Err(GuestFault::bad_output(format!(
                "column {column} of table {table} of parameter {param} is none that can be written back"
            )));
        };
        if bytes.len() != old.len() {
            let (want, got) = (old.len(), bytes.len());
            return Err(GuestFault::bad_output(format!(
                "a column of {} with {got} bytes where it has {want}",
                row.name
            )));
        }
        let changed = self.output.keep(slot, target, old, bytes);
        if !row.layout.plain {
            check_rows(row, target.shape, &changed.bytes)?;
        }
        Ok(!changed.bytes.is_empty())
    }

    /// Hands over the run's command buffer, which is applied after the run. A second time replaces the first.
    ///
    /// # Errors
    ///
    /// When there is anything wrong with it. The run then fails, whatever it says itself.
    pub fn commands(&mut self, buffer: &[u8]) -> Result<(), GuestFault> {
        let checked = self.rules.check(buffer, &self.grants.commands).map_err(GuestFault::from);
        checked.inspect_err(|fault| self.output.fault = Some(fault.clone()))?;
        self.output.commands.clear();
        self.output.commands.extend_from_slice(buffer);
        Ok(())
    }

    fn declared(&self, row: RowId) -> Result<Reads<'w>, Undeclared> {
        if self.grants.reads.contains(&row) {
            return Ok(self.reads);
        }
        Err(match self.reads.store.registry.get(row) {
            Some(row) => Undeclared::Row { row: row.name.clone() },
            None => Undeclared::NoRow(row),
        })
    }

    /// What the world knows of a row type that the system declares.
    pub fn row_type(&self, row: RowId) -> Result<&'w RowType, Undeclared> {
        self.declared(row)?.store.registry.get(row).ok_or(Undeclared::NoRow(row))
    }

    /// The entity's row, as it was when the run started.
    pub fn get(&self, row: RowId, entity: EntityId) -> Result<Option<&'w [u8]>, Undeclared> {
        Ok(self.declared(row)?.get(row, entity))
    }

    /// The first entity whose row has `key` in an indexed field.
    pub fn find(&self, row: RowId, field: u16, key: &[u8]) -> Result<Option<EntityId>, Undeclared> {
        Ok(self.declared(row)?.find(row, field, key))
    }

    /// Appends all entities whose rows have `key` in an indexed field, ascending.
    pub fn lookup(
        &self,
        row: RowId,
        field: u16,
        key: &[u8],
        out: &mut Vec<EntityId>,
    ) -> Result<(), Undeclared> {
        self.declared(row)?.lookup(row, field, key, out);
        Ok(())
    }

    /// Appends the entities whose rows are within the bounds of an ordered index, by key, then entity.
    pub fn range(
        &self,
        row: RowId,
        field: u16,
        lo: Bound<&[u8]>,
        hi: Bound<&[u8]>,
        out: &mut Vec<EntityId>,
    ) -> Result<(), Undeclared> {
        self.declared(row)?.range(row, field, lo, hi, out);
        Ok(())
    }

    /// Calls `visit` with up to `max` rows of a type from `cursor` on, which starts at 0, and moves the cursor behind them.
    pub fn scan_from(
        &self,
        row: RowId,
        cursor: &mut u64,
        max: usize,
        visit: impl FnMut(EntityId, &'w [u8]),
    ) -> Result<(), Undeclared> {
        self.declared(row)?.scan_from(row, cursor, max, visit);
        Ok(())
    }

    /// All rows of a type.
    pub fn scan(&self, row: RowId) -> Result<impl Iterator<Item = (EntityId, &'w [u8])>, Undeclared> {
        Ok(self.declared(row)?.scan(row))
    }

    /// Appends the entities within `radius` metres of `place`, those with a row of type `with` if one is given,
    /// by distance, then id.
    pub fn near(
        &self,
        place: Place,
        radius: f32,
        with: Option<RowId>,
        out: &mut Vec<EntityId>,
    ) -> Result<(), Undeclared> {
        if !self.grants.near {
            return Err(Undeclared::Near);
        }
        self.reads.near(place, radius, with, out);
        Ok(())
    }
}

fn check_rows(row: &RowType, shape: &RowShape, rows: &[u8]) -> Result<(), GuestFault> {
    let mut rows = rows.chunks_exact(shape.stride().max(1));
    rows.try_for_each(|bytes| check_row(&row.layout, bytes)).map_err(|error| {
        GuestFault::bad_output(format!("a row of {} that the system wrote: {error}", row.name))
    })
}
