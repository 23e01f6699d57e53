//! A system's parameters: which rows they name, which tables they match, what that means for bevy's access.

use bevy_ecs::query::{AccessConflicts, FilteredAccess, FilteredAccessSet};
use bevy_ecs::storage::TableId;
use evertick_schema::{Access, ParamDef};

use crate::columns::Rows;
use crate::compare::RowShape;
use crate::ids::Ids;
use crate::reads::Reads;
use crate::row::RowId;
use crate::store::Store;
use crate::sweep::Target;
use crate::view::{ColumnData, ColumnView, Grants, ParamView, TableKey, TableView};

/// A parameter: a query's terms, or nothing of a parameter that shows no tables.
#[derive(Debug, Default)]
pub(crate) struct Param {
    has_tables: bool,
    terms: Vec<Term>,
    required: Vec<RowId>,
    excluded: Vec<RowId>,
    /// The tables that match, as of the last [`Param::refresh`].
    tables: Vec<TableId>,
}

/// A term that has a column.
#[derive(Debug)]
struct Term {
    row: RowId,
    writes: bool,
    /// Of flat rows.
    shape: RowShape,
}

impl Param {
    fn new(terms: &[(RowId, Access)], store: &Store) -> Self {
        let mut param = Self { has_tables: true, ..Self::default() };
        for (row, access) in terms {
            if access.requires() {
                param.required.push(*row);
            }
            if *access == Access::Without {
                param.excluded.push(*row);
            }
            if access.has_column()
                && let Some((of, _)) = store.row(*row)
            {
                let sizes = of.layout.fields.iter().map(|field| field.size as usize);
                param.terms.push(Term { row: *row, writes: access.writes(), shape: RowShape::new(sizes) });
            }
        }
        param
    }

    /// Finds the tables that match now.
    pub(crate) fn refresh(&mut self, store: &Store) {
        if self.has_tables {
            self.tables = store.tables.matching(&self.required, &self.excluded);
            // Without any row type, entities may be bevy's own.
            self.tables.retain(|table| !store.tables.rows(*table).is_empty());
        }
    }

    /// What the system is shown.
    pub(crate) fn view<'w>(&'w self, reads: Reads<'w>) -> ParamView<'w> {
        ParamView { tables: self.tables.iter().filter_map(|table| self.table(*table, reads)).collect() }
    }

    fn table<'w>(&'w self, table: TableId, reads: Reads<'w>) -> Option<TableView<'w>> {
        let entities = reads.ecs.storages().tables.get(table)?.entities();
        let ids: &Ids = &reads.store.ids;
        let entities_version = reads.store.tables.structure(table);
        let columns = self.terms.iter().map(|term| term.column(table, entities_version, reads)).collect();
        Some(TableView { key: TableKey(table.as_u32()), entities_version, entities, ids, columns })
    }
}

impl Term {
    fn column<'w>(&'w self, table: TableId, structure: u64, reads: Reads<'w>) -> Option<ColumnView<'w>> {
        let (row, data) = (reads.store.registry.get(self.row)?, reads.column(table, self.row)?);
        let flat = matches!(data, Rows::Flat { .. });
        let version = reads.store.tables.version(table, self.row);
        let target = Target { row: self.row, table, structure, seen: version, shape: &self.shape };
        Some(ColumnView {
            row,
            version,
            continues: reads.store.tables.continues(table, self.row),
            writable: self.writes,
            data: match data {
                Rows::Flat { bytes, stride } => ColumnData::Flat { bytes, stride },
                Rows::Variable(rows) => ColumnData::Variable(rows),
            },
            target: (self.writes && flat).then_some(target),
        })
    }
}

/// All that follows from a system's parameters.
#[derive(Debug, Default)]
pub(crate) struct Params {
    pub(crate) params: Vec<Param>,
    pub(crate) grants: Grants,
    /// What bevy is told.
    pub(crate) access: FilteredAccessSet,
}

/// Two parameters of one system that can't be had together: their numbers, and the row types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Aliasing {
    pub(crate) first: usize,
    pub(crate) second: usize,
    pub(crate) rows: String,
}

impl Params {
    /// Resolves `defs`, whose row numbers are positions in `rows`.
    pub(crate) fn new(defs: &[ParamDef], rows: &[RowId], store: &Store) -> Result<Self, Aliasing> {
        let mut params = Self::default();
        let mut accesses: Vec<FilteredAccess> = Vec::with_capacity(defs.len());
        for (number, def) in defs.iter().enumerate() {
            let terms = terms(def, rows);
            let access = access(&terms, store);
            for (other, before) in accesses.iter().enumerate() {
                let conflicts = before.get_conflicts(&access);
                if !conflicts.is_empty() {
                    return Err(Aliasing { first: other, second: number, rows: names(&conflicts, store) });
                }
            }
            params.access.add(access.clone());
            accesses.push(access);
            params.grant(def, &terms, store);
            let has_tables =
                matches!(def, ParamDef::Query { .. } | ParamDef::Res { .. } | ParamDef::ResMut { .. });
            params.params.push(if has_tables { Param::new(&terms, store) } else { Param::default() });
        }
        if params.grants.near {
            params.read_places(store);
        }
        Ok(params)
    }

    fn grant(&mut self, def: &ParamDef, terms: &[(RowId, Access)], store: &Store) {
        self.grants.near |= matches!(def, ParamDef::Near);
        self.grants.commands.all |= matches!(def, ParamDef::Commands);
        for (row, access) in terms {
            if access.has_column() {
                self.grants.reads.push(*row);
            }
            if access.writes() && store.row(*row).is_some_and(|(of, _)| !of.layout.flat) {
                self.grants.commands.set.push(*row);
            }
        }
    }

    /// The grid is asked with the places of all there are. The system's own writes come after its run, so they
    /// are no conflict with that.
    fn read_places(&mut self, store: &Store) {
        let mut access = FilteredAccess::default();
        for state in store.rows.iter().filter(|state| state.place.is_some()) {
            if !self.access.combined_access().has_write(state.column.component()) {
                access.access_mut().add_read(state.column.component());
            }
        }
        self.access.add(access);
    }

    /// Finds the tables that match now.
    pub(crate) fn refresh(&mut self, store: &Store) {
        self.params.iter_mut().for_each(|param| param.refresh(store));
    }

    /// What the system is shown.
    pub(crate) fn view<'w>(&'w self, reads: Reads<'w>) -> Vec<ParamView<'w>> {
        self.params.iter().map(|param| param.view(reads)).collect()
    }
}

/// The row types that a parameter names and what it does with them.
fn terms(def: &ParamDef, rows: &[RowId]) -> Vec<(RowId, Access)> {
    let row = |row: u32| rows[row as usize];
    match def {
        ParamDef::Query { terms } => terms.iter().map(|term| (row(term.row), term.access)).collect(),
        ParamDef::Table { row: table } => vec![(row(*table), Access::Read)],
        ParamDef::Res { row: resource } => vec![(row(*resource), Access::Read)],
        ParamDef::ResMut { row: resource } => vec![(row(*resource), Access::Write)],
        ParamDef::Near | ParamDef::Commands | ParamDef::Now | ParamDef::Rng => vec![],
    }
}

/// The same as bevy sees it.
fn access(terms: &[(RowId, Access)], store: &Store) -> FilteredAccess {
    let mut access = FilteredAccess::matches_everything();
    for (row, term) in terms {
        let Some((_, state)) = store.row(*row) else { continue };
        let component = state.column.component();
        match term {
            Access::Read => access.add_read(component),
            Access::Write => access.add_write(component),
            Access::OptionalRead => access.access_mut().add_read(component),
            Access::OptionalWrite => access.access_mut().add_write(component),
            Access::With => access.and_with(component),
            Access::Without => access.and_without(component),
        }
    }
    access
}

/// The row types of `conflicts`.
fn names(conflicts: &AccessConflicts, store: &Store) -> String {
    let AccessConflicts::Individual(components) = conflicts else { return "all rows".to_owned() };
    let of = |component| store.rows.iter().position(|state| state.column.component() == component);
    let names =
        components.iter().filter_map(|component| Some(store.registry.types()[of(component)?].name.as_str()));
    names.collect::<Vec<_>>().join(", ")
}

/// Whether two systems with these accesses can't run at the same time.
pub(crate) fn conflict(a: &FilteredAccessSet, b: &FilteredAccessSet) -> bool {
    !a.is_compatible(b)
}
