//! Descriptions: their JSON, their hash, and what the check says of bad ones.
#![allow(clippy::unwrap_used, reason = "tests")]

use evertick_schema::{
    ABI_VERSION, Access, FieldDef, IndexDef, IndexKind, ModuleDescription, ParamDef, RateDef, ReducerDef,
    ReducerKind, RowDef, RowKind, SpatialDef, StorageClass, SystemDef, TermDef, Type, Visibility, WireDef,
    owner_row, player_row,
};

fn row(name: &str, kind: RowKind, fields: Vec<FieldDef>) -> RowDef {
    RowDef::new(name, kind, fields)
}

fn module() -> ModuleDescription {
    let mut position = row("Position", RowKind::Component, vec![FieldDef::new("at", Type::Vec2)]);
    position.spatial = Some(SpatialDef { at: 0, space: None });
    position.visible = Visibility::Near;
    position.fields[0].wire = Some(WireDef { step: 0.02, bits: None, wrap: None });
    let mut def = row("NodeDef", RowKind::Table { key: 0 }, vec![FieldDef::new("kind", Type::U32)]);
    def.indexes.push(IndexDef { field: 0, kind: IndexKind::Dense, unique: true });
    ModuleDescription {
        abi: ABI_VERSION,
        name: "bitcraft".into(),
        rows: vec![position, def, player_row(), owner_row()],
        reducers: vec![ReducerDef {
            name: "gather".into(),
            kind: ReducerKind::Call,
            private: false,
            role: None,
            rate: Some(RateDef { calls: 5, per_us: 1_000_000 }),
            params: vec![FieldDef::new("node", Type::EntityId)],
            returns: None,
            refusals: vec![],
        }],
        systems: vec![SystemDef {
            name: "drift".into(),
            every_us: None,
            before: vec![],
            after: vec![],
            params: vec![
                ParamDef::Query { terms: vec![TermDef { row: 0, access: Access::Write }] },
                ParamDef::Table { row: 1 },
            ],
        }],
        predictions: vec![],
    }
}

fn problems(change: impl FnOnce(&mut ModuleDescription)) -> Vec<String> {
    let mut module = module();
    change(&mut module);
    module.check().unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn json_is_stable() {
    let module = module();
    module.check().unwrap();
    let json = module.to_json();
    assert_eq!(ModuleDescription::from_json(&json).unwrap(), module);
    let text = String::from_utf8(json).unwrap();
    assert!(text.starts_with(
        r#"{"abi":1,"name":"bitcraft","rows":[{"name":"Position","kind":"component","fields":[{"name":"at","type":"vec2","wire":{"step":0.02}}],"visible":"near","spatial":{"at":0}}"#
    ), "{text}");
    // A change of this value breaks every client that was generated before it.
    assert_eq!(module.hash().to_string(), "95d9600129066ccb0c008126486f7a4b93d2c9631d91fd532da8a914099af25e");
    assert!(ModuleDescription::from_json(b"{}").unwrap_err().to_string().contains("same Evertick version"));
}

#[test]
fn problems_name_module_row_and_field() {
    assert_eq!(
        problems(|module| module.rows[0].fields[0].ty = Type::U64),
        [
            "bitcraft.Position.at: only float fields can be quantized",
            "bitcraft.Position: a spatial component needs a Vec2 or Vec3 field that says where"
        ]
    );
    assert!(problems(|module| module.abi = 9)[0].contains("ABI 9"));
    assert!(problems(|module| module.rows[1].indexes.clear())[0].contains("no unique index"));
    assert!(
        problems(|module| module.rows[1].name = "Position".into())[0]
            .contains("two rows are called Position")
    );
    assert!(
        problems(|module| module.rows[1].fields.insert(0, FieldDef::new("flag", Type::Bool)))[0]
            .contains("padding")
    );
    assert!(
        problems(|module| module.reducers[0].rate = Some(RateDef { calls: 0, per_us: 1 }))[0]
            .starts_with("bitcraft.gather(): the rate")
    );
    assert!(problems(|module| module.systems[0].every_us = Some(0))[0].starts_with("bitcraft.drift"));
    assert!(
        problems(|module| module.systems[0].params.push(ParamDef::Res { row: 77 }))[0].contains("not there")
    );
    assert!(problems(|module| module.name = "a b".into())[0].contains("not an identifier"));
    let nested = (0..9).fold(Type::U8, |ty, _| Type::List(Box::new(ty)));
    assert!(problems(|module| module.rows[1].fields[0].ty = nested.clone())[0].contains("nested"));
}

#[test]
fn what_is_stored_has_keys_of_its_own() {
    let mut module = module();
    module.rows[0].storage = StorageClass::Checkpoint { every_us: 5_000_000 };
    module.rows[0].was = Some("Place".into());
    module.rows[1].storage = StorageClass::Transient;
    module.rows[1].fields[0].was = Some("number".into());
    module.rows[1].fields[0].default = Some(vec![0x0a, 0, 0, 0xff]);
    module.check().unwrap();
    let json = module.to_json();
    let text = String::from_utf8(json.clone()).unwrap();
    for part in [
        r#""spatial":{"at":0},"storage":{"checkpoint":{"every_us":5000000}},"was":"Place"}"#,
        r#""fields":[{"name":"kind","type":"u32","was":"number","default":"0a0000ff"}]"#,
        r#""storage":"transient"}"#,
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(ModuleDescription::from_json(&json).unwrap(), module);
    for (good, bad) in [("0a0000ff", "0a0000f"), ("0a0000ff", "0a0000fg"), (":5000000", ":\"5s\"")] {
        let error = ModuleDescription::from_json(text.replace(good, bad).as_bytes()).unwrap_err();
        assert!(error.to_string().contains("not valid JSON of a description"), "{error}");
    }
}

#[test]
fn problems_of_what_is_stored() {
    let event = |module: &mut ModuleDescription| {
        module.rows.push(row("Ping", RowKind::Event, vec![FieldDef::new("x", Type::U8)]));
        module.rows.len() - 1
    };
    let every_0 = StorageClass::Checkpoint { every_us: 0 };
    assert_eq!(
        problems(|module| module.rows[0].storage = every_0),
        ["bitcraft.Position: a checkpoint can't be written every 0 seconds"]
    );
    assert_eq!(
        problems(|module| {
            let ping = event(module);
            module.rows[ping].storage = StorageClass::Transient;
            module.rows[ping].was = Some("Pong".into());
        }),
        [
            "bitcraft.Ping: an event is not stored and has no storage class",
            "bitcraft.Ping: a former name is for stored row types, in the module that owns them"
        ]
    );
    assert!(problems(|module| module.rows[2].was = Some("Gamer".into()))[0].contains("the module that owns"));
    assert!(
        problems(|module| module.rows[0].was = Some("other.Place".into()))[0].contains("without its module")
    );
    assert_eq!(
        problems(|module| module.rows[1].was = Some("NodeDef".into())),
        [
            "bitcraft.NodeDef: its former names lead back to itself; to swap names, rename one to a third name first"
        ]
    );
    assert_eq!(
        problems(|module| {
            module.rows[0].was = Some("Thing".into());
            module.rows[1].was = Some("Thing".into());
        }),
        ["bitcraft.NodeDef: two row types were called Thing"]
    );
    assert_eq!(
        problems(|module| module.rows[1].fields[0].default = Some(vec![1])),
        [
            "bitcraft.NodeDef.kind: the default is not a value of the field's type: 1 bytes where the row needs 4"
        ]
    );
    assert_eq!(
        problems(|module| module.reducers[0].params[0].default = Some(vec![0; 8])),
        [
            "bitcraft.gather().node: former names and defaults are for fields of rows, not for arguments and refusals"
        ]
    );
    assert_eq!(
        problems(|module| {
            module.reducers[0].kind = ReducerKind::Upgrade;
            module.reducers[0].rate = None;
            let another = ReducerDef { name: "again".into(), params: vec![], ..module.reducers[0].clone() };
            module.reducers.push(another);
        }),
        [
            "bitcraft: there is more than one Upgrade reducer; keep one and call the others from it",
            "bitcraft.gather(): Upgrade reducers take no arguments"
        ]
    );
}
