//! Guests written by hand, in the text format, around a description.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test")]

pub mod bench;
pub mod sim;

use evertick_schema::{
    Access, EnumType, EnumVariant, FieldDef, IndexDef, IndexKind, ModuleDescription, ParamDef, ReducerDef,
    ReducerKind, RefusalDef, RowDef, RowKind, SpatialDef, SystemDef, TermDef, Type,
};

/// Row numbers of [`description`].
pub const POSITION: u32 = 0;
pub const VELOCITY: u32 = 1;
pub const FLAG: u32 = 2;
pub const ACCOUNT: u32 = 3;
pub const NOTE: u32 = 4;
pub const PING: u32 = 5;
pub const RULES: u32 = 6;

/// Where the description stands in guest memory; the heap starts well behind it.
const DESCRIPTION_AT: u32 = 1024;
const HEAP_AT: u32 = 128 << 10;

pub fn row(name: &str, kind: RowKind, fields: &[(&str, Type)]) -> RowDef {
    RowDef::new(name, kind, fields.iter().map(|(name, ty)| FieldDef::new(*name, ty.clone())).collect())
}

pub fn reducer(name: &str, params: &[(&str, Type)]) -> ReducerDef {
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

pub fn system(name: &str, params: Vec<ParamDef>) -> SystemDef {
    SystemDef { name: name.into(), every_us: None, before: vec![], after: vec![], params }
}

pub fn query(terms: &[(u32, Access)]) -> ParamDef {
    ParamDef::Query { terms: terms.iter().map(|&(row, access)| TermDef { row, access }).collect() }
}

/// A module with one row type of each kind, reducers `act(n: u32)` and `give() -> u32`, and no system.
pub fn description() -> ModuleDescription {
    let kind = EnumType {
        name: "Kind".into(),
        size: 1,
        variants: vec![
            EnumVariant { name: "A".into(), value: 0 },
            EnumVariant { name: "B".into(), value: 7 },
        ],
    };
    let mut position = row("Position", RowKind::Component, &[("at", Type::Vec2)]);
    position.spatial = Some(SpatialDef { at: 0, space: None });
    let mut account = row(
        "Account",
        RowKind::Table { key: 0 },
        &[("id", Type::U32), ("group", Type::U32), ("balance", Type::I64)],
    );
    account.indexes = vec![
        IndexDef { field: 0, kind: IndexKind::Ordered, unique: true },
        IndexDef { field: 1, kind: IndexKind::Hash, unique: false },
    ];
    let mut act = reducer("act", &[("n", Type::U32)]);
    act.refusals = vec![RefusalDef { name: "No".into(), fields: vec![FieldDef::new("why", Type::U16)] }];
    let mut give = reducer("give", &[]);
    give.returns = Some(Type::U32);
    ModuleDescription {
        abi: 1,
        name: "hand".into(),
        rows: vec![
            position,
            row("Velocity", RowKind::Component, &[("by", Type::Vec2)]),
            row("Flag", RowKind::Component, &[("on", Type::Bool), ("kind", Type::Enum(kind))]),
            account,
            row("Note", RowKind::Component, &[("text", Type::String)]),
            row("Ping", RowKind::Event, &[("n", Type::U32)]),
            row("Rules", RowKind::Resource, &[("speed", Type::F32)]),
        ],
        reducers: vec![act, give],
        systems: vec![],
        predictions: vec![],
    }
}

/// The imports of the ABI, each as `$name`.
pub const IMPORTS: &str = r#"
    (import "evertick_1" "get" (func $get (param i32 i64 i32 i32) (result i32)))
    (import "evertick_1" "put" (func $put (param i32 i64 i32 i32 i32) (result i32)))
    (import "evertick_1" "insert" (func $insert (param i32 i32 i32) (result i64)))
    (import "evertick_1" "remove" (func $remove (param i32 i64) (result i32)))
    (import "evertick_1" "spawn" (func $spawn (result i64)))
    (import "evertick_1" "despawn" (func $despawn (param i64) (result i32)))
    (import "evertick_1" "find" (func $find (param i32 i32 i32 i32 i32 i32) (result i32)))
    (import "evertick_1" "scan" (func $scan (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "evertick_1" "near" (func $near (param i32 f32 f32 f32 i32 i32 i32) (result i32)))
    (import "evertick_1" "emit" (func $emit (param i32 i32 i32)))
    (import "evertick_1" "after" (func $after (param i64 i32 i32 i32) (result i64)))
    (import "evertick_1" "cancel" (func $cancel (param i64) (result i32)))
    (import "evertick_1" "detached" (func $detached (param i32 i32 i32)))
    (import "evertick_1" "focus" (func $focus (param i32 i64 i32 f32 f32 f32)))
    (import "evertick_1" "join" (func $join (param i64 i32)))
    (import "evertick_1" "log" (func $log (param i32 i32 i32)))
    (import "evertick_1" "random" (func $random (result i64)))
"#;

/// A guest with this description; `body` has `evertick_call` and `evertick_run` or gets ones that return 0.
pub fn guest(description: &ModuleDescription, body: &str) -> Vec<u8> {
    guest_with_json(&description.to_json(), body)
}

/// As [`guest`], with any bytes for a description.
pub fn guest_with_json(json: &[u8], body: &str) -> Vec<u8> {
    assert!(json.len() < (HEAP_AT - DESCRIPTION_AT) as usize);
    let mut wat = format!("(module {IMPORTS}\n(memory (export \"memory\") 4)\n");
    let escaped: String = json.iter().map(|byte| format!("\\{byte:02x}")).collect();
    wat += &format!("(data (i32.const {DESCRIPTION_AT}) \"{escaped}\")\n");
    wat += &format!("(global $heap (mut i32) (i32.const {HEAP_AT}))\n");
    let packed = u64::from(DESCRIPTION_AT) << 32 | json.len() as u64;
    for (name, default) in [
        ("evertick_abi", "(result i32) i32.const 1".to_owned()),
        ("evertick_describe", format!("(result i64) i64.const {packed}")),
        ("evertick_alloc", ALLOC.to_owned()),
        ("evertick_call", "(param i32 i32 i32) (result i64) i64.const 0".to_owned()),
        ("evertick_run", "(param i32 i32) (result i64) i64.const 0".to_owned()),
    ] {
        if !body.contains(&format!("\"{name}\"")) {
            wat += &format!("(func (export \"{name}\") {default})\n");
        }
    }
    wat += body;
    wat += ")";
    wat::parse_str(&wat).unwrap()
}

/// Bumps `$heap` and grows memory to where it then ends.
const ALLOC: &str = r#"(param $len i32) (result i32) (local $at i32)
    global.get $heap
    local.tee $at
    local.get $len
    i32.add
    i32.const 15
    i32.add
    i32.const -16
    i32.and
    global.set $heap
    (block $fits
        (loop $more
            (br_if $fits (i32.le_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536))))
            (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))
            unreachable))
    local.get $at"#;
