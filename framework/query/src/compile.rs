//! From text to a query.

use evertick_schema::Identity;

use crate::area::PlaceField;
use crate::catalog::{Catalog, CatalogRow};
use crate::error::QueryError;
use crate::lower::Lower;
use crate::normal::{Joiner, always};
use crate::query::Query;
use crate::text::{Named, Parts, parse};
use crate::{JOINS_MAX, TEXT_BYTES_MAX};

/// A checked text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiled {
    /// What it asks for.
    pub query: Query,
    /// Whether it only asks how it would be answered: it began with `EXPLAIN`.
    pub explain: bool,
}

/// What came of a text.
#[derive(Clone, Debug)]
pub struct Compilation {
    /// The query, or what is wrong with it.
    pub result: Result<Compiled, QueryError>,
    /// What it took, in rows that a query might have looked at in that time.
    pub cost: usize,
}

/// What texts cost, in rows: always, for each byte, and for each step of bringing the condition into its normal
/// form. Measured.
const ROWS_PER_TEXT: usize = 50;
const ROWS_PER_BYTE: usize = 2;
const ROWS_PER_STEP: usize = 4;

/// Checks a query's text against the row types of `catalog`, and brings it into its normal form. `me` is what
/// `:me` stands for.
///
/// Cost: bounded by the crate's constants; a few microseconds for a common query, a few milliseconds for the worst.
pub fn compile(text: &str, catalog: &Catalog, me: &Identity) -> Compilation {
    let mut joiner = Joiner::default();
    let result = checked(text, catalog, me, &mut joiner);
    let bytes = text.len().min(TEXT_BYTES_MAX);
    let cost = ROWS_PER_TEXT + bytes * ROWS_PER_BYTE + joiner.steps * ROWS_PER_STEP;
    Compilation { result, cost }
}

fn checked(
    text: &str,
    catalog: &Catalog,
    me: &Identity,
    joiner: &mut Joiner,
) -> Result<Compiled, QueryError> {
    let Parts { explain, select, from, joins, filter } = parse(text)?;
    let selected = catalog.find(&from.name, from.at)?;
    if !selected.def.on_demand {
        return Err(QueryError::NotOnDemand { at: from.at, name: selected.short_name().into() });
    }
    if let Some(Named { name, at }) = select
        && catalog.find(&name, at)?.id != selected.id
    {
        let instead = "the rows asked for are those behind FROM: write their type there and join the others";
        return Err(QueryError::Unsupported {
            at,
            what: format!("SELECT {name}.* from another type"),
            instead,
        });
    }
    let joined = joined(catalog, selected, &joins)?;
    let rows: Vec<_> = std::iter::once(selected).chain(joined.iter().copied()).collect();
    let place = rows.iter().find_map(|row| PlaceField::of(row));
    let any = match &filter {
        None => always(),
        Some(expr) => {
            Lower { rows: &rows, place, me, terms: 0, constants: 0, joiner }.condition(expr, false)?
        }
    };
    let place = place.filter(|_| any.iter().any(|all| !all.places.is_empty()));
    let mut joins: Vec<_> = joined.iter().map(|row| row.id).collect();
    joins.sort_unstable();
    Ok(Compiled { query: Query { row: selected.id, joins, place, any }, explain })
}

fn joined<'a>(
    catalog: &'a Catalog,
    selected: &CatalogRow,
    joins: &[Named],
) -> Result<Vec<&'a CatalogRow>, QueryError> {
    if joins.len() > JOINS_MAX {
        let instead = "keep what is asked for in fewer row types";
        return Err(QueryError::Limit { what: "a query joins row types,", max: JOINS_MAX, instead });
    }
    let mut rows: Vec<&CatalogRow> = Vec::with_capacity(joins.len());
    for Named { name, at } in joins {
        let row = catalog.find(name, *at)?;
        Catalog::check_join(selected, row, *at)?;
        // A row joined with itself, or twice, is the same row: one entity has one of a type.
        if row.id != selected.id && rows.iter().all(|known| known.id != row.id) {
            rows.push(row);
        }
    }
    Ok(rows)
}
