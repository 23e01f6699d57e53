//! The row types that queries may name.

use evertick_schema::{RowDef, RowLayout, Visibility};
use evertick_world::{RowId, World};

use crate::error::{At, QueryError};

/// The row types of a world that clients know, by name.
#[derive(Debug)]
pub struct Catalog {
    rows: Vec<CatalogRow>,
}

/// One row type.
#[derive(Debug)]
pub(crate) struct CatalogRow {
    pub(crate) id: RowId,
    /// `module.Row`
    pub(crate) name: String,
    pub(crate) def: RowDef,
    pub(crate) layout: RowLayout,
}

impl CatalogRow {
    /// The name without the module's.
    pub(crate) fn short_name(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(&self.name)
    }
}

impl Catalog {
    /// Row types of `world` that are stored and not hidden from all; events and others are left out.
    ///
    /// # Panics
    ///
    /// When one of `rows` is not of `world`.
    pub fn new(world: &World, rows: &[RowId]) -> Self {
        let stored = rows.iter().map(|id| world.row(*id)).filter(|row| {
            row.def.kind != evertick_schema::RowKind::Event && row.def.visible != Visibility::Nobody
        });
        let row = |row: &evertick_world::RowType| CatalogRow {
            id: row.id,
            name: row.name.clone(),
            def: row.def.clone(),
            layout: row.layout.clone(),
        };
        Self { rows: stored.map(row).collect() }
    }

    pub(crate) fn row(&self, id: RowId) -> &CatalogRow {
        self.rows.iter().find(|row| row.id == id).expect("a query's row types are from the catalog")
    }

    /// The row type called `name`: `module.Row`, or `Row` where no other module has one of that name.
    pub(crate) fn find(&self, name: &str, at: At) -> Result<&CatalogRow, QueryError> {
        let fits = |row: &&CatalogRow| row.name == name || row.short_name() == name;
        let found: Vec<_> = self.rows.iter().filter(fits).collect();
        match found.as_slice() {
            [one] => Ok(one),
            [] => {
                let known = some_of(self.rows.iter().map(CatalogRow::short_name));
                Err(QueryError::UnknownRow { at, name: name.into(), known })
            }
            several => {
                let candidates = some_of(several.iter().map(|row| row.name.as_str()));
                Err(QueryError::Ambiguous { at, name: name.into(), candidates })
            }
        }
    }

    /// Whether a row of `joined` may be used with one of `selected`: who sees the one may see the other.
    pub(crate) fn check_join(selected: &CatalogRow, joined: &CatalogRow, at: At) -> Result<(), QueryError> {
        let same =
            std::mem::discriminant(&selected.def.visible) == std::mem::discriminant(&joined.def.visible);
        if !joined.def.detail && (same || joined.def.visible == Visibility::Everyone) {
            return Ok(());
        }
        let name = |row: &CatalogRow| row.short_name().to_owned();
        Err(QueryError::Hidden { at, name: name(joined), selected: name(selected) })
    }
}

/// The most names that an error lists.
const NAMES_MAX: usize = 24;

/// Names for an error's text.
pub(crate) fn some_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<_> = names.collect();
    if names.is_empty() {
        return "none".into();
    }
    let more = names.len().saturating_sub(NAMES_MAX);
    names.truncate(NAMES_MAX);
    match more {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}
