//! What a prediction may not be.
use evertick_module::prelude::*;

#[component(visible = near, spatial)]
pub struct Body {
    pub at: Vec2,
}

#[component(visible = near)]
pub struct Named {
    pub name: String,
}

pub struct NotARow;

#[reducer(input)]
fn steer(_ctx: &mut Ctx, _toward: Vec2) -> Result<(), NoRefusal> {
    Ok(())
}

#[predict]
fn of_nothing(body: &mut Body, seconds: f32) {
    body.at.x += seconds;
}

#[predict(input = "steer")]
fn of_a_text(body: &mut Body, seconds: f32) {
    body.at.x += seconds;
}

#[predict(input = steer)]
fn without_seconds(body: &mut Body) {
    body.at.x += 1.0;
}

#[predict(input = steer)]
fn with_the_world(ctx: &mut Ctx, seconds: f32) {
    let _ = (ctx, seconds);
}

#[predict(input = steer)]
fn of_a_value(body: Body, seconds: f32) {
    let _ = (body, seconds);
}

#[predict(input = steer)]
fn returns(body: &mut Body, seconds: f32) -> f32 {
    body.at.x * seconds
}

#[predict(input = steer)]
fn of_a_text_row(named: &mut Named, seconds: f32) {
    let _ = (named, seconds);
}

#[predict(input = steer)]
fn of_no_row(row: &mut NotARow, seconds: f32) {
    let _ = (row, seconds);
}

#[predict(input = steer)]
fn of_another_argument(body: &mut Body, speed: f32, seconds: f32) {
    body.at.x += speed * seconds;
}

#[predict(input = steer)]
fn of_another_type(body: &mut Body, _toward: Vec3, seconds: f32) {
    body.at.x += seconds;
}

fn main() {}
