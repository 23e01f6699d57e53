//! How rows and inputs travel: the keys in the description, their defaults, and what the check says of bad ones.
#![allow(clippy::unwrap_used, reason = "tests")]

use evertick_schema::{
    ABI_VERSION, FieldDef, INPUT_REDUCERS_MAX, Migration, ModuleDescription, PredictionDef, RateDef,
    ReducerDef, ReducerKind, RowDef, RowKind, SpatialDef, Type, Visibility,
};

const BODY: usize = 0;
const MOOD: usize = 1;
const MAIL: usize = 2;
const PING: usize = 3;

fn row(name: &str, kind: RowKind, visible: Visibility, fields: Vec<FieldDef>) -> RowDef {
    RowDef { visible, ..RowDef::new(name, kind, fields) }
}

fn input(name: &str) -> ReducerDef {
    ReducerDef {
        name: name.into(),
        kind: ReducerKind::Input,
        private: false,
        role: None,
        rate: None,
        params: vec![FieldDef::new("toward", Type::Vec2)],
        returns: None,
        refusals: vec![],
    }
}

fn module() -> ModuleDescription {
    let component = RowKind::Component;
    let mut body = row("Body", component, Visibility::Near, vec![FieldDef::new("at", Type::Vec2)]);
    body.spatial = Some(SpatialDef { at: 0, space: None });
    ModuleDescription {
        abi: ABI_VERSION,
        name: "game".into(),
        rows: vec![
            body,
            row("Mood", component, Visibility::Near, vec![FieldDef::new("joy", Type::F32)]),
            row("Mail", component, Visibility::Everyone, vec![FieldDef::new("text", Type::String)]),
            row("Ping", RowKind::Event, Visibility::Everyone, vec![FieldDef::new("x", Type::U8)]),
        ],
        reducers: vec![input("steer")],
        systems: vec![],
        predictions: vec![PredictionDef { name: "walk".into(), row: 0, reducer: 0 }],
    }
}

/// The one problem of a module so changed.
fn problem(change: impl FnOnce(&mut ModuleDescription)) -> String {
    let mut module = module();
    change(&mut module);
    let problems = module.check().unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems[0].to_string()
}

#[test]
fn keys_stand_only_where_they_say_something() {
    let plain = ModuleDescription { predictions: vec![], reducers: vec![], ..module() };
    let text = String::from_utf8(plain.to_json()).unwrap();
    for key in ["latest", "detail", "on_demand", "predictions"] {
        assert!(!text.contains(key), "{key} in {text}");
    }
    let mut module = module();
    module.rows[BODY].latest = Some(false);
    module.rows[MOOD].latest = Some(true);
    module.rows[MOOD].detail = true;
    module.rows[MAIL].on_demand = true;
    module.check().unwrap();
    let json = module.to_json();
    let text = String::from_utf8(json.clone()).unwrap();
    for part in [
        r#""spatial":{"at":0},"latest":false}"#,
        r#""visible":"near","latest":true,"detail":true}"#,
        r#""visible":"everyone","on_demand":true}"#,
        r#"{"name":"steer","kind":"input","private":false,"#,
        r#""systems":[],"predictions":[{"name":"walk","row":0,"reducer":0}]}"#,
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(ModuleDescription::from_json(&json).unwrap(), module);
}

#[test]
fn spatial_rows_are_latest_unless_they_say_otherwise() {
    let module = module();
    let latest = |row: usize, latest| RowDef { latest, ..module.rows[row].clone() }.is_latest();
    let all = |row| [None, Some(false), Some(true)].map(|said| latest(row, said));
    assert_eq!(all(BODY), [true, false, true]);
    assert_eq!(all(MOOD), [false, false, true]);
    assert_eq!(all(MAIL), [false; 3], "a text has no fixed size");
    assert_eq!(all(PING), [false; 3], "an event is sent once");
}

#[test]
fn problems_of_rows() {
    assert!(
        problem(|module| module.rows[MAIL].latest = Some(true)).contains("game.Mail: only rows of fixed")
    );
    assert!(problem(|module| module.rows[BODY].detail = true).contains("game.Body: detail is for"));
    assert!(problem(|module| module.rows[MAIL].detail = true).contains("game.Mail: detail is for"));
    assert!(
        problem(|module| module.rows[PING].on_demand = true).contains("game.Ping: an event is sent once")
    );
    assert!(problem(|module| module.rows[PING].latest = Some(false)).contains("game.Ping: an event is sent"));
    let both = |module: &mut ModuleDescription| {
        module.rows[MOOD].detail = true;
        module.rows[MOOD].on_demand = true;
    };
    assert!(problem(both).contains("game.Mood: rows that are on_demand"));
    let hidden = |module: &mut ModuleDescription| {
        module.rows[MAIL].visible = Visibility::Nobody;
        module.rows[MAIL].on_demand = true;
    };
    assert!(problem(hidden).contains("game.Mail: nobody may see"));
}

#[test]
fn problems_of_inputs_and_predictions() {
    let name = FieldDef::new("name", Type::String);
    assert!(problem(|module| module.reducers[0].params.push(name)).contains("game.steer().name: an input's"));
    assert!(problem(|module| module.reducers[0].returns = Some(Type::U8)).contains("returns nothing"));
    assert!(problem(|module| module.reducers[0].private = true).contains("can't be private"));
    let rate = Some(RateDef { calls: 1, per_us: 1 });
    assert!(problem(|module| module.reducers[0].rate = rate).contains("leave the rate out"));
    let many = |module: &mut ModuleDescription| {
        let more = (0..INPUT_REDUCERS_MAX).map(|number| input(&format!("more{number}")));
        module.reducers.extend(more);
    };
    assert!(problem(many).contains("game: 9 input reducers, more than 8"));
    assert!(
        problem(|module| module.reducers[0].kind = ReducerKind::Call).contains("game.walk: a prediction is")
    );
    for row in [MAIL, PING, 77] {
        let changed = |module: &mut ModuleDescription| module.predictions[0].row = row as u32;
        assert!(problem(changed).contains("game.walk: a prediction changes a component"));
    }
    let twice = |module: &mut ModuleDescription| module.predictions.push(module.predictions[0].clone());
    assert!(problem(twice).contains("two predictions are called walk"));
}

#[test]
fn a_migration_has_nothing_to_do_with_lanes() {
    let (old, mut new) = (module(), module());
    new.rows[BODY].latest = Some(false);
    new.rows[MOOD].detail = true;
    new.rows[MAIL].on_demand = true;
    new.predictions.clear();
    let plan = Migration::plan(&old, &new).unwrap();
    assert!(plan.is_empty() && plan.changes().is_empty(), "{plan}");
}
