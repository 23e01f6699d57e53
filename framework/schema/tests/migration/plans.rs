//! What is planned, and how a plan reads.

use evertick_schema::{
    EnumType, EnumVariant, FieldDef, IndexDef, IndexKind, Migration, ReducerDef, ReducerKind, RowDef,
    RowKind, RowMigration, StorageClass, Type, Visibility, player_row,
};

use crate::{component, module, plan, reducer, table};

fn with_default(name: &str, ty: Type, default: &[u8]) -> FieldDef {
    FieldDef { default: Some(default.to_vec()), ..FieldDef::new(name, ty) }
}

#[test]
fn a_plan_reads_line_by_line() {
    let kind = |variants: &[(&str, u32)]| {
        let variants =
            variants.iter().map(|(name, value)| EnumVariant { name: (*name).into(), value: *value });
        Type::Enum(EnumType { name: "Kind".into(), size: 1, variants: variants.collect() })
    };
    let mut node = component(
        "Node",
        &[
            ("charges", Type::U32),
            ("kind", kind(&[("Tree", 0), ("Rock", 1)])),
            ("pad", Type::Array(Box::new(Type::U8), 3)),
        ],
    );
    node.indexes = vec![IndexDef { field: 0, kind: IndexKind::Hash, unique: false }];
    let old = [
        node.clone(),
        table("Account", &[("name", Type::String), ("gold", Type::I32)]),
        component("Sack", &[("count", Type::U32)]),
        component("Legacy", &[("x", Type::F32)]),
        player_row(),
    ];

    node.fields[0].ty = Type::I64;
    node.fields[1].ty = kind(&[("Tree", 0), ("Rock", 1), ("Ore", 2)]);
    node.fields[2] = with_default("level", Type::Array(Box::new(Type::U8), 7), &[1, 0, 0, 0, 0, 0, 0]);
    node.indexes = vec![IndexDef { field: 1, kind: IndexKind::Hash, unique: false }];
    node.visible = Visibility::Near;
    let mut account =
        table("Account", &[("name", Type::String), ("gold", Type::I32), ("note", Type::String)]);
    account.fields[2].default = Some(b"\x08\0\0\0\x02\0\0\0hi".to_vec());
    account.fields.swap(1, 2);
    let mut bag = component("Bag", &[("items", Type::U32)]);
    bag.was = Some("Sack".into());
    bag.fields[0].was = Some("count".into());
    bag.storage = StorageClass::Checkpoint { every_us: 2_500_000 };
    let new = [bag, node, account, component("Regrowing", &[]), player_row()];

    let plan = plan(&old, &new);
    assert_eq!(
        plan.to_string(),
        "module game:
  ~ Bag: was called Sack
  ~ Bag.items: was called count
  ~ Bag: checkpoint every 2.5 s, was durable
  ~ Node.charges: u32 becomes i64
  ~ Node.kind: enum Kind gets the variant Ore
  + Node.level: new, a [u8; 7] by default
  - Node.pad: removed, its values are dropped
  ~ Node.kind: gets a Hash index
  ~ Node: no index on what was charges any more
  ~ Node: visible to Near, was Nobody
  + Account.note: new, \"hi\" by default
  + Regrowing: new
  - Legacy: removed, its rows are dropped"
    );
    assert!(!plan.is_empty());
    assert_eq!(plan.dropped, [3]);
    let from: Vec<_> = plan.rows.iter().map(RowMigration::from).collect();
    assert_eq!(from, [Some(2), Some(0), Some(1), None, Some(4)]);
    assert_eq!(plan.rows[0], RowMigration::Keep { from: 2 });

    let mut out = Vec::new();
    plan.rows[1].convert(&[9, 0, 0, 0x80, 1, 5, 5, 5], &mut out).unwrap();
    assert_eq!(out, [9, 0, 0, 0x80, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0]);
    out.clear();
    plan.rows[2].convert(b"\x0c\0\0\0\x02\0\0\0\xff\xff\xff\xffme", &mut out).unwrap();
    assert_eq!(out, b"\x14\0\0\0\x02\0\0\0\x16\0\0\0\x02\0\0\0\xff\xff\xff\xffmehi");
}

#[test]
fn changes_in_memory_leave_a_plan_empty() {
    let old = component("Node", &[("charges", Type::U32)]);
    let new = RowDef {
        visible: Visibility::Everyone,
        indexes: vec![IndexDef { field: 0, kind: IndexKind::Ordered, unique: true }],
        storage: StorageClass::Checkpoint { every_us: 1_000_000 },
        ..old.clone()
    };
    let more = [new, component("Later", &[("x", Type::U8)])];
    let plan = plan(std::slice::from_ref(&old), &more);
    assert!(plan.is_empty());
    assert_eq!(
        plan.changes(),
        [
            "~ Node: checkpoint every 1 s, was durable",
            "~ Node.charges: gets a unique Ordered index",
            "~ Node: visible to Everyone, was Nobody",
            "+ Later: new",
        ]
    );
    let same = crate::plan(std::slice::from_ref(&old), std::slice::from_ref(&old));
    assert_eq!(same.to_string(), "module game: stored rows stay as they are");
}

#[test]
fn what_moves_or_stops_being_stored_is_not_empty() {
    let a = component("A", &[("x", Type::U32)]);
    let b = component("B", &[("x", Type::U32)]);
    let transient = RowDef { storage: StorageClass::Transient, ..a.clone() };
    let empty = |old: &[RowDef], new: &[RowDef]| plan(old, new).is_empty();
    assert!(!empty(&[a.clone(), b.clone()], &[b.clone(), a.clone()]));
    assert!(!empty(std::slice::from_ref(&a), &[b.clone(), a.clone()]));
    assert!(!empty(&[a.clone(), b.clone()], std::slice::from_ref(&a)));
    assert!(!empty(std::slice::from_ref(&a), std::slice::from_ref(&transient)));
    assert!(!empty(std::slice::from_ref(&transient), std::slice::from_ref(&a)));
    assert!(empty(&[transient.clone(), b.clone()], &[transient, b]));
}

#[test]
fn rows_in_memory_and_events_change_as_they_like() {
    let scratch = |ty| RowDef { storage: StorageClass::Transient, ..component("Scratch", &[("x", ty)]) };
    let ping = |ty| RowDef { kind: RowKind::Event, ..component("Ping", &[("x", ty)]) };
    let plan = plan(&[scratch(Type::String), ping(Type::U64)], &[scratch(Type::U8), ping(Type::Bool)]);
    assert_eq!(plan.rows, [RowMigration::New, RowMigration::New]);
    assert!(plan.is_empty() && plan.changes().is_empty(), "{plan}");
    let stored = component("Scratch", &[("x", Type::U8)]);
    assert_eq!(crate::plan(&[scratch(Type::U8)], &[stored]).rows, [RowMigration::New]);
}

#[test]
fn an_old_shape_under_another_name_takes_the_rows() {
    let old = [component("Bag", &[("items", Type::List(Box::new(Type::U32)))])];
    let before = RowDef { name: "BagBefore".into(), was: Some("Bag".into()), ..old[0].clone() };
    let new = [component("Bag", &[("gold", Type::U32)]), before];
    let upgrade = plan(&old, &new);
    assert_eq!(upgrade.rows, [RowMigration::New, RowMigration::Keep { from: 0 }]);
    assert_eq!(upgrade.changes(), ["+ Bag: new", "~ BagBefore: was called Bag"]);
    // The former name may stay in the source.
    assert!(plan(&new, &new).is_empty());
}

#[test]
fn reducers_keep_timers_only_with_the_same_arguments() {
    let lifecycle = ReducerDef { kind: ReducerKind::Init, ..reducer("begin", &[]) };
    let old = [
        lifecycle,
        reducer("respawn", &[("node", Type::EntityId)]),
        reducer("heal", &[("by", Type::U16)]),
        reducer("gone", &[]),
    ];
    let new = [reducer("heal", &[("by", Type::U32)]), old[1].clone()];
    let plan = Migration::plan(&module(&[], &old), &module(&[], &new)).unwrap();
    assert_eq!(plan.reducers, [None, Some(1), None, None]);
    assert!(!plan.is_empty());
    assert_eq!(
        plan.changes(),
        [
            "- heal(): takes other arguments; no timer may wait for it",
            "- gone(): removed; no timer may wait for it",
        ]
    );
}
