//! What the macros say about how rows and inputs travel, and predictions run natively.
#![allow(
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "tests; reducers do not run here"
)]

use evertick_module::native::Instance;
use evertick_module::prelude::*;
use evertick_module::schema::{Call, PredictionDef, ReducerKind, Row};

#[component(visible = near, spatial)]
pub struct Body {
    pub at: Vec2,
}

#[component(visible = near, latest, detail)]
pub struct Pose {
    pub heading: f32,
}

#[component(visible = near, spatial, ordered)]
pub struct Stone {
    pub at: Vec2,
}

#[table(key = id, visible = everyone, on_demand)]
pub struct Offer {
    pub id: u32,
}

mod steering {
    use evertick_module::prelude::*;

    #[reducer(input, role = Driver)]
    fn steer(_ctx: &mut Ctx, toward: Vec2, run: bool, gear: u8) -> Result<(), NoRefusal> {
        let _ = (toward, run, gear);
        Ok(())
    }

    pub const PLUGIN: Plugin = plugin! { reducers: [steer] };
}

use steering::steer;

/// Takes some of the input's arguments, in an order of its own.
#[predict(input = self::steering::steer)]
pub fn walk(body: &mut Body, run: bool, toward: Vec2, seconds: f32) {
    body.at += toward * seconds * if run { 2.0 } else { 1.0 };
}

#[predict(input = steer)]
fn turn(pose: &mut Pose, seconds: f32) {
    assert!(pose.heading.is_finite(), "a heading of {}", pose.heading);
    pose.heading += seconds;
}

const PLUGIN: Plugin = plugin! { rows: [Body, Pose, Stone, Offer], predictions: [walk, turn] };

export_module! { name: "driving", plugins: [PLUGIN, steering::PLUGIN] }

#[test]
fn rows_say_how_their_changes_travel() {
    let description = module().description();
    description.check().unwrap();
    let of = |name| {
        let row = &description.rows[description.row(name).unwrap()];
        (row.latest, row.is_latest(), row.detail, row.on_demand)
    };
    assert_eq!(of("Body"), (None, true, false, false));
    assert_eq!(of("Pose"), (Some(true), true, true, false));
    assert_eq!(of("Stone"), (Some(false), false, false, false));
    assert_eq!(of("Offer"), (None, false, false, true));
}

#[test]
fn inputs_and_predictions_are_described() {
    let description = module().description();
    let reducer = &description.reducers[0];
    assert_eq!((reducer.kind, reducer.role.as_deref()), (ReducerKind::Input, Some("Driver")));
    let prediction = |name: &str, row| PredictionDef {
        name: name.into(),
        row: description.row(row).unwrap() as u32,
        reducer: 0,
    };
    assert_eq!(description.predictions, [prediction("walk", "Body"), prediction("turn", "Pose")]);
}

#[test]
fn a_prediction_changes_the_row_in_place() {
    let instance = Instance::new(&module()).unwrap();
    let mut args = Vec::new();
    steer::call(Vec2::new(3.0, -1.0), true, 7).encode(&mut args);
    let mut row = Vec::new();
    Body { at: Vec2::new(10.0, 10.0) }.encode(&mut row);
    instance.predict(0, &mut row, &args, 0.5);
    assert_eq!(Body::decode(&row), Ok(Body { at: Vec2::new(13.0, 9.0) }));
}

#[test]
#[should_panic(expected = "bad row or bad arguments")]
fn bad_arguments_panic() {
    let instance = Instance::new(&module()).unwrap();
    instance.predict(0, &mut [0; 8], &[1, 2, 3], 0.5);
}

mod unlisted {
    use evertick_module::prelude::*;

    use super::Body;

    #[reducer]
    fn hop(_ctx: &mut Ctx) -> Result<(), NoRefusal> {
        Ok(())
    }

    #[predict(input = hop)]
    fn fly(body: &mut Body, seconds: f32) {
        body.at.y += seconds;
    }

    const PLUGIN: Plugin = plugin! { reducers: [hop], predictions: [fly] };

    export_module! { name: "unlisted", plugins: [PLUGIN] }
}

#[test]
fn a_prediction_of_what_is_no_input_or_not_listed_is_a_problem() {
    let problems = Instance::new(&unlisted::module()).unwrap_err().join("\n");
    assert!(problems.contains("unlisted.fly: a prediction changes a component"), "{problems}");
    assert!(problems.contains("unlisted.fly: a prediction is of an input"), "{problems}");
}
