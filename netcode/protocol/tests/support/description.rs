//! A module with every kind of row and field. Positions of its rows are the constants here.

use std::f64::consts::TAU;

use evertick_schema::{
    ABI_VERSION, EnumType, EnumVariant, FieldDef, IndexDef, IndexKind, ModuleDescription, RowDef, RowKind,
    SpatialDef, StructType, Type, Visibility, WireDef,
};

pub const POSITION: u32 = 0;
pub const SCALARS: u32 = 1;
pub const TEXTS: u32 = 2;
pub const TAG: u32 = 3;
pub const DEF: u32 = 4;
pub const CLOCK: u32 = 5;
pub const SAID: u32 = 6;
pub const HIT: u32 = 7;
pub const FLOATS: u32 = 8;
pub const SHAPES: u32 = 9;

pub fn kinds() -> ModuleDescription {
    let component = |name: &str, fields| def(name, RowKind::Component, Visibility::Near, fields);
    let mut position = component(
        "Position",
        vec![
            quantized("at", Type::Vec2, 0.02, None, None),
            quantized("facing", Type::F32, TAU / 256.0, None, Some(TAU)),
        ],
    );
    position.spatial = Some(SpatialDef { at: 0, space: None });
    let mut table = def(
        "Def",
        RowKind::Table { key: 0 },
        Visibility::Everyone,
        vec![plain("kind", Type::U32), plain("name", Type::String)],
    );
    table.indexes.push(IndexDef { field: 0, kind: IndexKind::Hash, unique: true });
    let mut said = def(
        "Said",
        RowKind::Event,
        Visibility::Near,
        vec![plain("by", Type::EntityId), plain("text", Type::String)],
    );
    said.origin = Some(0);
    let hit = def(
        "Hit",
        RowKind::Event,
        Visibility::Everyone,
        vec![plain("at", Type::IVec2), plain("much", Type::F64)],
    );
    let description = ModuleDescription {
        abi: ABI_VERSION,
        name: "kinds".into(),
        rows: vec![
            position,
            component("Scalars", scalars()),
            component("Texts", texts()),
            component("Tag", vec![]),
            table,
            def("Clock", RowKind::Resource, Visibility::Everyone, vec![plain("hour", Type::F32)]),
            said,
            hit,
            component("Floats", floats()),
            component("Shapes", shapes()),
        ],
        reducers: vec![],
        systems: vec![],
        predictions: vec![],
    };
    description.check().unwrap();
    description
}

fn scalars() -> Vec<FieldDef> {
    vec![
        plain("u64", Type::U64),
        plain("i64", Type::I64),
        plain("target", Type::EntityId),
        plain("since", Type::Timestamp),
        plain("every", Type::Duration),
        plain("u32", Type::U32),
        plain("i32", Type::I32),
        plain("mood", Type::Enum(variants("Mood", 4, &[1, 70_000]))),
        plain("u16", Type::U16),
        plain("i16", Type::I16),
        plain("biome", Type::Enum(variants("Biome", 2, &[0, 300]))),
        plain("color", Type::Enum(variants("Color", 1, &[0, 1, 2, 9]))),
        plain("u8", Type::U8),
        plain("i8", Type::I8),
        plain("alive", Type::Bool),
        plain("spare", Type::Array(Box::new(Type::U8), 2)),
    ]
}

fn texts() -> Vec<FieldDef> {
    let list = |of| Type::List(Box::new(of));
    let option = |of| Type::Option(Box::new(of));
    vec![
        plain("name", Type::String),
        plain("tags", list(Type::String)),
        plain("note", option(Type::String)),
        plain("level", Type::U32),
        plain("path", list(Type::Vec2)),
        plain("blob", list(Type::U8)),
        plain("deep", list(list(option(Type::String)))),
        plain("target", option(Type::EntityId)),
        plain("flags", list(Type::Bool)),
    ]
}

fn floats() -> Vec<FieldDef> {
    vec![
        quantized("wide", Type::F64, 0.001, None, None),
        quantized("wide_turn", Type::F64, 1.0, None, Some(360.0)),
        quantized("byte", Type::F32, 0.5, Some(8), None),
        plain("exact", Type::F32),
        quantized("place", Type::Vec3, 0.25, Some(16), None),
        quantized("turn", Type::Quat, 1.0 / 511.0, Some(10), None),
        plain("pad", Type::F32),
    ]
}

fn shapes() -> Vec<FieldDef> {
    let pair = Type::Struct(StructType {
        name: "Pair".into(),
        fields: vec![plain("left", Type::U16), plain("lit", Type::Bool), plain("right", Type::I8)],
    });
    vec![
        plain("cell", Type::IVec2),
        plain("box", Type::UVec3),
        plain("color", Type::Vec4),
        plain("corner", Type::IVec3),
        plain("mask", Type::UVec4),
        plain("pairs", Type::Array(Box::new(pair.clone()), 2)),
        plain("pair", pair),
        plain("owner", Type::Identity),
    ]
}

pub fn plain(name: &str, ty: Type) -> FieldDef {
    FieldDef::new(name, ty)
}

fn quantized(name: &str, ty: Type, step: f64, bits: Option<u8>, wrap: Option<f64>) -> FieldDef {
    FieldDef { wire: Some(WireDef { step, bits, wrap }), ..FieldDef::new(name, ty) }
}

fn variants(name: &str, size: u8, values: &[u32]) -> EnumType {
    let variants = values.iter().map(|value| EnumVariant { name: format!("V{value}"), value: *value });
    EnumType { name: name.into(), size, variants: variants.collect() }
}

fn def(name: &str, kind: RowKind, visible: Visibility, fields: Vec<FieldDef>) -> RowDef {
    RowDef { visible, ..RowDef::new(name, kind, fields) }
}
