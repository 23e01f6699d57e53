//! What is refused, and in what words.

use std::slice::from_ref;

use evertick_schema::{
    EnumType, EnumVariant, IndexDef, IndexKind, Migration, RowDef, RowError, RowKind, RowMigration,
    StructType, Type,
};

use crate::{component, module, plan, table};

fn refused(old: &RowDef, new: &RowDef) -> Vec<String> {
    let refused = Migration::plan(&module(from_ref(old), &[]), &module(from_ref(new), &[])).unwrap_err();
    refused.problems().to_vec()
}

fn types(old: Type, new: Type) -> String {
    refused(&component("Bag", &[("of", old)]), &component("Bag", &[("of", new)])).concat()
}

#[test]
fn a_refusal_says_what_to_do() {
    let old = [component("Bag", &[("count", Type::String)]), component("Gone", &[("x", Type::U8)])];
    let new = [component("Bag", &[("count", Type::U32), ("level", Type::U32)])];
    let refused = Migration::plan(&module(&old, &[]), &module(&new, &[])).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "what is stored does not fit the new version of module game:
  ! Bag.count: String can't become u32
  ! Bag.level: is new and has no default; add `#[default(..)]`, or `#[was(\"..\")]` when it had another name
the rest of the plan:
  - Gone: removed, its rows are dropped
nothing was changed, and the old module still runs on what is stored. An upgrade reducer can do it: keep the old \
shape under another name (`#[was(\"Bag\")] struct BagBefore`), let the new shape have the name Bag, and make rows of \
the one from rows of the other in `#[reducer(upgrade)]`"
    );
}

#[test]
fn values_that_might_not_fit() {
    use Type::*;
    for (old, new) in [
        (U32, U16),
        (I32, U64),
        (I32, U32),
        (U32, I32),
        (U64, I64),
        (F64, F32),
        (U32, F32),
        (U8, Bool),
        (U64, EntityId),
        (I64, Timestamp),
        (Vec2, Vec3),
        (String, List(Box::new(U8))),
        (U32, Option(Box::new(U32))),
        (Array(Box::new(U8), 4), Array(Box::new(U8), 8)),
    ] {
        let text = types(old.clone(), new.clone());
        assert!(text.starts_with("Bag.of: ") && text.contains(" can't become "), "{old:?} {new:?} {text}");
    }
    let list = |of| List(Box::new(of));
    assert_eq!(types(list(U64), list(U32)), "Bag.of[]: u64 can't become u32");
    assert_eq!(types(list(Timestamp), list(Duration)), "Bag.of[]: Timestamp can't become Duration");
    let part = |ty| {
        Struct(StructType { name: "Part".into(), fields: vec![evertick_schema::FieldDef::new("x", ty)] })
    };
    assert_eq!(types(part(U32), part(F32)), "Bag.of.x: u32 can't become f32");
    assert_eq!(types(part(U32), U32), "Bag.of: struct Part can't become u32");
}

#[test]
fn variants_that_rows_may_have() {
    let kind = |variants: &[&str]| {
        let variants = (0..).zip(variants).map(|(value, name)| EnumVariant { name: (*name).into(), value });
        Type::Enum(EnumType { name: "Kind".into(), size: 1, variants: variants.collect() })
    };
    assert_eq!(
        types(kind(&["Tree", "Rock"]), kind(&["Tree", "Stone"])),
        "Bag.of: enum Kind has no variant Rock any more, which rows may have"
    );
    // Values may move: variants go by name.
    let moved = plan(
        &[component("Bag", &[("of", kind(&["Tree", "Rock"]))])],
        &[component("Bag", &[("of", kind(&["Ore", "Rock", "Tree"]))])],
    );
    let mut out = Vec::new();
    moved.rows[0].convert(&[0], &mut out).unwrap();
    moved.rows[0].convert(&[1], &mut out).unwrap();
    assert_eq!(out, [2, 1]);
    let error = moved.rows[0].convert(&[2], &mut out).unwrap_err();
    assert_eq!(error, RowError::Enum { at: 0, name: "Kind".into(), value: 2 });
}

#[test]
fn another_kind_or_key() {
    let fields = [("id", Type::U32), ("other", Type::U32)];
    let old = table("Account", &fields);
    assert_eq!(refused(&old, &component("Account", &fields)), ["Account: was a table and is a component"]);
    let resource = RowDef { kind: RowKind::Resource, ..component("Account", &fields) };
    assert_eq!(refused(&resource, &old), ["Account: was a resource and is a table"]);
    let mut other = old.clone();
    other.kind = RowKind::Table { key: 1 };
    other.indexes = vec![IndexDef { field: 1, kind: IndexKind::Hash, unique: true }];
    assert_eq!(refused(&old, &other), ["Account: was a table by id and is one by other"]);
    // The same key elsewhere, under another name and wider, is the same key.
    other.fields = vec![old.fields[1].clone(), old.fields[0].clone()];
    other.fields[1].name = "number".into();
    other.fields[1].was = Some("id".into());
    other.fields[1].ty = Type::U64;
    other.fields.swap(0, 1);
    other.kind = RowKind::Table { key: 0 };
    other.indexes[0].field = 0;
    other.fields[1].ty = Type::U64;
    let plan = plan(&[old], &[other]);
    assert!(matches!(plan.rows[..], [RowMigration::Convert { from: 0, .. }]));
}

#[test]
fn a_row_that_grows_too_long() {
    let list = |of| component("Bag", &[("of", Type::List(Box::new(of)))]);
    let plan = plan(&[list(Type::U8)], &[list(Type::U64)]);
    let len = (evertick_schema::ROW_BYTES_MAX / 8) as u32;
    let row = |len: u32| [&8u32.to_le_bytes()[..], &len.to_le_bytes(), &vec![1; len as usize]].concat();
    let mut out = Vec::new();
    plan.rows[0].convert(&row(len - 1), &mut out).unwrap();
    assert_eq!(out.len(), evertick_schema::ROW_BYTES_MAX);
    let error = plan.rows[0].convert(&row(len), &mut Vec::new()).unwrap_err();
    assert_eq!(error, RowError::TooLong { max: evertick_schema::ROW_BYTES_MAX });
}
