//! The row types of the model test, and rows of them.

use evertick_schema::{
    Field, FieldDef, IndexDef, IndexKind, RowDef, RowKind, RowWriter, SpatialDef, StorageClass, Type,
};

pub(super) const POSITION: usize = 0;
pub(super) const BERTH: usize = 1;
pub(super) const BODY: usize = 2;
pub(super) const LABEL: usize = 3;
pub(super) const MARK: usize = 4;
pub(super) const ACCOUNT: usize = 5;
pub(super) const SEASON: usize = 6;
pub(super) const PING: usize = 7;

fn def(name: &str, kind: RowKind, fields: &[(&str, Type)], indexes: &[(u16, IndexKind, bool)]) -> RowDef {
    let fields = fields.iter().map(|(name, ty)| FieldDef::new(*name, ty.clone())).collect();
    RowDef {
        indexes: indexes
            .iter()
            .map(|(field, kind, unique)| IndexDef { field: *field, kind: *kind, unique: *unique })
            .collect(),
        ..RowDef::new(name, kind, fields)
    }
}

pub(super) fn defs() -> Vec<RowDef> {
    use IndexKind::{Dense, Hash, Ordered};
    let component = RowKind::Component;
    let mut position = def("Position", component, &[("at", Type::Vec2), ("space", Type::U32)], &[]);
    position.spatial = Some(SpatialDef { at: 0, space: Some(1) });
    let mut berth =
        def("Berth", component, &[("dock", Type::U16), ("deck", Type::U16), ("at", Type::Vec3)], &[]);
    berth.spatial = Some(SpatialDef { at: 2, space: None });
    berth.storage = StorageClass::Checkpoint { every_us: 5_000_000 };
    let mut mark = def("Mark", component, &[], &[]);
    mark.storage = StorageClass::Transient;
    let body = [("weight", Type::F32), ("kind", Type::U8), ("on", Type::Bool), ("tag", Type::U16)];
    let words = Type::List(Box::new(Type::String));
    vec![
        position,
        berth,
        def("Body", component, &body, &[(0, Ordered, false), (1, Hash, false), (3, Dense, true)]),
        def("Label", component, &[("name", Type::String), ("words", words)], &[(0, Hash, true)]),
        mark,
        def(
            "Account",
            RowKind::Table { key: 0 },
            &[("id", Type::U64), ("balance", Type::I64), ("owner", Type::Identity)],
            &[(0, Dense, true), (1, Ordered, false), (2, Hash, false)],
        ),
        def("Season", RowKind::Resource, &[("name", Type::String)], &[(0, Ordered, true)]),
        def("Ping", RowKind::Event, &[("number", Type::U32)], &[]),
    ]
}

/// A row of type `row` made of three small numbers.
pub(super) fn encode(row: usize, [a, b, c]: [u8; 3]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let number = |n: u8| f32::from(n) * 2.0 - 100.0;
    let text = |n: u8| "abcdefgh"[..usize::from(n % 8)].to_owned();
    match row {
        POSITION => {
            bytes.extend(number(a).to_le_bytes());
            bytes.extend(number(b).to_le_bytes());
            bytes.extend(u32::from(c % 2).to_le_bytes());
        }
        BERTH => {
            bytes.extend(u16::from(c).to_le_bytes());
            bytes.extend([0; 2]);
            bytes.extend([number(a), 7.0, number(b)].iter().flat_map(|n| n.to_le_bytes()));
        }
        BODY => {
            bytes.extend([number(a), f32::NAN, -0.0][usize::from(c % 3)].to_le_bytes());
            bytes.extend([b % 3, b % 2]);
            bytes.extend(if a % 7 == 0 { 60_000 } else { u16::from(b) }.to_le_bytes());
        }
        LABEL => {
            let mut row = RowWriter::new(&mut bytes, 16);
            format!("{}{}", text(a), text(b)).write(&mut row, 0);
            vec![text(c); usize::from(c % 3)].write(&mut row, 8);
        }
        MARK => {}
        ACCOUNT => {
            bytes.extend(if a % 5 == 0 { u64::MAX - u64::from(b) } else { u64::from(a) }.to_le_bytes());
            bytes.extend((i64::from(b) - 100).to_le_bytes());
            bytes.extend([c % 2; 32]);
        }
        SEASON => text(a).write(&mut RowWriter::new(&mut bytes, 8), 0),
        _ => bytes.extend([a, b, c, 0]),
    }
    bytes
}
