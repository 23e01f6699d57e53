//! Bindings of a module that has a bit of everything, compared with a file under review.
//!
//! The same file is compiled by `@evertick/client`'s tests, so what is generated is known to be TypeScript.
//! After an intended change: `UPDATE_GOLDEN=1 cargo test -p evertick-codegen`.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::fs;
use std::path::Path;

use evertick_codegen::{CodegenError, typescript};
use evertick_schema::{
    ABI_VERSION, EnumType, EnumVariant, FieldDef, IndexDef, IndexKind, ModuleDescription, PredictionDef,
    RateDef, ReducerDef, ReducerKind, RefusalDef, RowDef, RowKind, SpatialDef, StorageClass, StructType,
    Type, Visibility, WireDef, player_row,
};

fn field(name: &str, ty: Type) -> FieldDef {
    FieldDef::new(name, ty)
}

fn row(name: &str, kind: RowKind, visible: Visibility, fields: Vec<FieldDef>) -> RowDef {
    RowDef { visible, ..RowDef::new(name, kind, fields) }
}

fn reducer(name: &str, params: Vec<FieldDef>) -> ReducerDef {
    ReducerDef {
        name: name.into(),
        kind: ReducerKind::Call,
        private: false,
        role: None,
        rate: None,
        params,
        returns: None,
        refusals: vec![],
    }
}

fn biome() -> Type {
    let variants = [("Meadow", 0), ("Forest", 1), ("Water", 7)];
    let variants =
        variants.iter().map(|(name, value)| EnumVariant { name: (*name).into(), value: *value }).collect();
    Type::Enum(EnumType { name: "Biome".into(), size: 1, variants })
}

fn stack() -> Type {
    Type::Struct(StructType {
        name: "Stack".into(),
        fields: vec![field("item", Type::U32), field("count", Type::U32)],
    })
}

/// A bit of everything.
fn garden() -> ModuleDescription {
    let list = |of| Type::List(Box::new(of));
    let mut position = row("Position", RowKind::Component, Visibility::Near, vec![field("at", Type::Vec2)]);
    position.fields[0].wire = Some(WireDef { step: 1.0 / 64.0, bits: None, wrap: None });
    position.spatial = Some(SpatialDef { at: 0, space: None });
    let mut plot = row(
        "Plot",
        RowKind::Table { key: 0 },
        Visibility::Everyone,
        vec![
            field("key", Type::U64),
            field("biome", biome()),
            field("heights", list(Type::U8)),
            field("names", list(Type::String)),
            field("owner", Type::Option(Box::new(Type::Identity))),
        ],
    );
    plot.indexes = vec![IndexDef { field: 0, kind: IndexKind::Hash, unique: true }];
    let mut said = row(
        "Said",
        RowKind::Event,
        Visibility::Near,
        vec![field("by", Type::EntityId), field("text", Type::String), field("at", Type::Timestamp)],
    );
    said.origin = Some(0);
    let mut gather = reducer("gather", vec![field("node", Type::EntityId)]);
    gather.returns = Some(stack());
    gather.rate = Some(RateDef { calls: 5, per_us: 1_000_000 });
    gather.refusals = vec![
        RefusalDef { name: "Gone".into(), fields: vec![] },
        RefusalDef { name: "TooFar".into(), fields: vec![field("meters", Type::F32)] },
    ];
    let mut delete = reducer("delete", vec![]);
    delete.role = Some("Admin".into());
    let mut grow = reducer("grow_secretly", vec![field("by", Type::U32)]);
    grow.private = true;
    let mut steer = reducer("steer", vec![field("toward", Type::Vec2), field("run", Type::Bool)]);
    steer.kind = ReducerKind::Input;
    steer.refusals = vec![RefusalDef { name: "NotHere".into(), fields: vec![] }];
    let mut init = reducer("init", vec![]);
    init.kind = ReducerKind::Init;
    ModuleDescription {
        abi: ABI_VERSION,
        name: "garden".into(),
        rows: vec![
            player_row(),
            position,
            row("Secret", RowKind::Component, Visibility::Nobody, vec![field("hint", Type::U32)]),
            row(
                "Bag",
                RowKind::Component,
                Visibility::Owner { field: None },
                vec![field("stacks", Type::Array(Box::new(stack()), 4)), field("since", Type::Duration)],
            ),
            plot,
            row("WorldInfo", RowKind::Resource, Visibility::Everyone, vec![field("seed", Type::U64)]),
            said,
        ],
        reducers: vec![
            init,
            gather,
            delete,
            grow,
            reducer("say", vec![field("text", Type::String), field("loud", Type::Bool)]),
            steer,
        ],
        systems: vec![],
        predictions: vec![
            PredictionDef { name: "walk".into(), row: 1, reducer: 5 },
            PredictionDef { name: "guess".into(), row: 2, reducer: 5 }, // of what no client sees
        ],
    }
}

#[test]
fn garden_is_as_reviewed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/garden.ts");
    let source = typescript(&garden()).unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &source).unwrap();
    }
    assert_eq!(source, fs::read_to_string(&path).unwrap());
}

/// Storage is the server's business: bindings differ by the fingerprint alone.
#[test]
fn what_is_stored_is_not_in_the_bindings() {
    let hash = garden().hash().to_string();
    // Of the struct that stands in rows and in arguments alike.
    let count = r#"{"name":"count","type":"u32""#;
    let json = String::from_utf8(garden().to_json()).unwrap();
    assert!(json.matches(count).count() > 1, "{json}");
    let json = json.replace(count, &format!(r#"{count},"was":"number""#));
    let mut module = ModuleDescription::from_json(json.as_bytes()).unwrap();
    module.rows[1].storage = StorageClass::CHECKPOINT;
    module.rows[1].was = Some("Place".into());
    module.rows[1].fields[0].was = Some("where".into());
    module.rows[3].fields[1].default = Some(vec![0; 8]);
    let changed = typescript(&module).unwrap();
    assert!(!changed.contains(&hash));
    assert_eq!(changed.replace(&module.hash().to_string(), &hash), typescript(&garden()).unwrap());
}

#[test]
fn what_clients_may_not_use_leaves_no_name() {
    let source = typescript(&garden()).unwrap();
    for hidden in ["Secret", "hint", "grow_secretly", "init", "guess"] {
        assert!(!source.contains(hidden), "{hidden}");
    }
}

#[test]
fn an_option_of_an_option_is_refused_with_its_place() {
    let mut module = garden();
    let nested = Type::Option(Box::new(Type::Option(Box::new(Type::U8))));
    module.rows[6].fields.push(field("maybe", nested));
    let error = typescript(&module).unwrap_err();
    assert!(matches!(&error, CodegenError::NestedOption { place } if place == "Said.maybe"), "{error}");
}

#[test]
fn a_description_with_problems_is_refused() {
    let mut module = garden();
    module.rows[1].spatial = Some(SpatialDef { at: 9, space: None });
    assert!(matches!(typescript(&module), Err(CodegenError::Invalid(_))));
}
