//! The check that no system is given a row twice at once, once to be written.

use evertick_schema::{Access, ModuleDescription, ParamDef, SystemDef, TermDef};

/// One use of a row type's columns by one parameter.
struct Use<'a> {
    param: usize,
    row: u32,
    writes: bool,
    /// The query's accesses: what else an entity must and must not have.
    terms: &'a [TermDef],
}

/// Every conflict in words.
pub(crate) fn find(module: &ModuleDescription) -> Vec<String> {
    module.systems.iter().flat_map(|system| of_system(module, system)).collect()
}

fn of_system(module: &ModuleDescription, system: &SystemDef) -> Vec<String> {
    let uses: Vec<_> = system.params.iter().enumerate().flat_map(|(param, def)| uses(param, def)).collect();
    let mut found = Vec::new();
    for (index, one) in uses.iter().enumerate() {
        for other in &uses[..index] {
            let same_entities = one.param == other.param || !disjoint(one.terms, other.terms);
            if one.row == other.row && (one.writes || other.writes) && same_entities {
                let row = module.rows.get(one.row as usize).map_or("a row type", |row| row.name.as_str());
                found.push(format!(
                    "system `{}` has {row} twice, once to write: make one query of it, or keep the queries apart \
                     with `With` and `Without`",
                    system.name
                ));
            }
        }
    }
    found.dedup();
    found
}

fn uses(param: usize, def: &ParamDef) -> Vec<Use<'_>> {
    let single = |row, writes| vec![Use { param, row, writes, terms: &[] }];
    match def {
        ParamDef::Query { terms } => {
            let columns = terms.iter().filter(|term| term.access.has_column());
            columns.map(|term| Use { param, row: term.row, writes: term.access.writes(), terms }).collect()
        }
        ParamDef::Res { row } => single(*row, false),
        ParamDef::ResMut { row } => single(*row, true),
        ParamDef::Table { .. } | ParamDef::Near | ParamDef::Commands | ParamDef::Now | ParamDef::Rng => {
            Vec::new()
        }
    }
}

/// Whether no entity can match both: one must have what the other must not have.
fn disjoint(one: &[TermDef], other: &[TermDef]) -> bool {
    let excludes = |with: &[TermDef], without: &[TermDef]| {
        with.iter().filter(|term| term.access.requires()).any(|term| {
            without.iter().any(|without| without.access == Access::Without && without.row == term.row)
        })
    };
    excludes(one, other) || excludes(other, one)
}
