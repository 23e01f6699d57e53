//! Migrations: what is planned, what is refused, and that rows come out as an obvious conversion makes them.
#![allow(clippy::unwrap_used, reason = "tests")]

mod arbitrary;
mod model;
mod plans;
mod property;
mod refusals;

use evertick_schema::{
    ABI_VERSION, FieldDef, IndexDef, IndexKind, Migration, ModuleDescription, ReducerDef, ReducerKind,
    RowDef, RowKind, Type,
};

/// A component with these fields.
fn component(name: &str, fields: &[(&str, Type)]) -> RowDef {
    let fields = fields.iter().map(|(name, ty)| FieldDef::new(*name, ty.clone()));
    RowDef::new(name, RowKind::Component, fields.collect())
}

/// A table keyed by its first field.
fn table(name: &str, fields: &[(&str, Type)]) -> RowDef {
    RowDef {
        kind: RowKind::Table { key: 0 },
        indexes: vec![IndexDef { field: 0, kind: IndexKind::Hash, unique: true }],
        ..component(name, fields)
    }
}

fn reducer(name: &str, params: &[(&str, Type)]) -> ReducerDef {
    ReducerDef {
        name: name.into(),
        kind: ReducerKind::Call,
        private: false,
        role: None,
        rate: None,
        params: params.iter().map(|(name, ty)| FieldDef::new(*name, ty.clone())).collect(),
        returns: None,
        refusals: vec![],
    }
}

/// A module of these parts, which pass its check.
fn module(rows: &[RowDef], reducers: &[ReducerDef]) -> ModuleDescription {
    let module = ModuleDescription {
        abi: ABI_VERSION,
        name: "game".into(),
        rows: rows.to_vec(),
        reducers: reducers.to_vec(),
        systems: vec![],
        predictions: vec![],
    };
    module.check().unwrap();
    module
}

/// The plan from one set of row types to another.
fn plan(old: &[RowDef], new: &[RowDef]) -> Migration {
    Migration::plan(&module(old, &[]), &module(new, &[])).unwrap()
}
