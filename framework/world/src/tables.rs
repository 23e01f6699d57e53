//! What the world keeps about bevy's tables: which row types each has, and when its columns last changed.

use bevy_ecs::storage::TableId;

use crate::row::RowId;
use crate::store::RowState;

/// One table: all entities with the same set of row types.
#[derive(Debug)]
struct Known {
    /// The row types it has, ascending.
    rows: Vec<RowId>,
    /// The one of them that says where its entities are.
    spatial: Option<RowId>,
    /// When entities last came, went or changed places within the table.
    structure: u64,
    /// When rows were last written, by row type; missing ones are 0.
    columns: Vec<Written>,
}

/// The last write to a column.
#[derive(Clone, Copy, Debug, Default)]
struct Written {
    version: u64,
    /// The version that a system's run saw, if all that it wrote then made this one.
    continues: u64,
}

/// The tables. Versions count up over all of them, so no two states of a column have the same.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    known: Vec<Known>,
    /// The tables that have a row type, ascending.
    of_row: Vec<Vec<TableId>>,
    clock: u64,
}

impl Tables {
    /// Learns of tables that bevy has made since the last time.
    #[inline]
    pub(crate) fn learn(&mut self, ecs: &bevy_ecs::world::World, rows: &[RowState]) {
        if self.known.len() != ecs.storages().tables.len() {
            self.learn_new(ecs, rows);
        }
    }

    fn learn_new(&mut self, ecs: &bevy_ecs::world::World, rows: &[RowState]) {
        self.of_row.resize_with(rows.len(), Vec::new);
        for (index, table) in ecs.storages().tables.iter().enumerate().skip(self.known.len()) {
            let ids = (0..rows.len() as u16).map(RowId);
            let has: Vec<RowId> = ids.filter(|row| rows[row.index()].column.is_in(table)).collect();
            for row in &has {
                self.of_row[row.index()].push(TableId::from_usize(index));
            }
            let spatial = has.iter().copied().find(|row| rows[row.index()].place.is_some());
            self.clock += 1;
            self.known.push(Known { rows: has, spatial, structure: self.clock, columns: Vec::new() });
        }
    }

    /// How many tables are known: changes when a set of matching tables may have.
    pub(crate) fn generation(&self) -> usize {
        self.known.len()
    }

    /// The tables with rows of a type, in an order that only grows.
    pub(crate) fn with(&self, row: RowId) -> &[TableId] {
        self.of_row.get(row.index()).map_or(&[], Vec::as_slice)
    }

    /// The tables that have all of `required` and none of `excluded`, ascending.
    pub(crate) fn matching(&self, required: &[RowId], excluded: &[RowId]) -> Vec<TableId> {
        let has = |known: &Known, row: &RowId| known.rows.binary_search(row).is_ok();
        let fits = |known: &Known| {
            required.iter().all(|row| has(known, row)) && !excluded.iter().any(|row| has(known, row))
        };
        let ids = (0..self.known.len()).map(TableId::from_usize);
        ids.zip(&self.known).filter(|(_, known)| fits(known)).map(|(id, _)| id).collect()
    }

    /// The row types of a table.
    pub(crate) fn rows(&self, table: TableId) -> &[RowId] {
        self.known.get(table.as_usize()).map_or(&[], |known| known.rows.as_slice())
    }

    /// All tables with their row types, in the order in which they were made.
    pub(crate) fn all(&self) -> impl Iterator<Item = (TableId, &[RowId])> {
        self.known.iter().enumerate().map(|(table, known)| (TableId::from_usize(table), &known.rows[..]))
    }

    /// The row type that says where a table's entities are.
    #[inline]
    pub(crate) fn spatial(&self, table: TableId) -> Option<RowId> {
        self.known.get(table.as_usize())?.spatial
    }

    /// The version of a table's entities.
    pub(crate) fn structure(&self, table: TableId) -> u64 {
        self.known.get(table.as_usize()).map_or(0, |known| known.structure)
    }

    /// The version of a column: changes with its rows and with their order.
    pub(crate) fn version(&self, table: TableId, row: RowId) -> u64 {
        let Some(known) = self.known.get(table.as_usize()) else { return 0 };
        known.columns.get(row.index()).map_or(0, |written| written.version).max(known.structure)
    }

    /// The version from which a system's run made the present one, by all that it wrote; `None` if it came
    /// about otherwise.
    pub(crate) fn continues(&self, table: TableId, row: RowId) -> Option<u64> {
        let known = self.known.get(table.as_usize())?;
        let written = known.columns.get(row.index()).filter(|written| written.version > known.structure)?;
        (written.continues != 0).then_some(written.continues)
    }

    /// All that a system's run wrote to a column, which had the version `seen`, is in it.
    pub(crate) fn continued(&mut self, table: TableId, row: RowId, seen: u64) {
        let before = self.version(table, row);
        self.wrote(table, row);
        if before == seen
            && let Some(known) = self.known.get_mut(table.as_usize())
        {
            known.columns[row.index()].continues = seen;
        }
    }

    /// Entities came to or left a table.
    #[inline]
    pub(crate) fn restructured(&mut self, table: TableId) {
        self.clock += 1;
        if let Some(known) = self.known.get_mut(table.as_usize()) {
            known.structure = self.clock;
        }
    }

    /// Rows of a column were written. Returns the new version.
    #[inline]
    pub(crate) fn wrote(&mut self, table: TableId, row: RowId) -> u64 {
        self.clock += 1;
        if let Some(known) = self.known.get_mut(table.as_usize()) {
            if known.columns.len() <= row.index() {
                known.columns.resize(row.index() + 1, Written::default());
            }
            known.columns[row.index()] = Written { version: self.clock, continues: 0 };
        }
        self.clock
    }
}
