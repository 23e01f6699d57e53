//! Gliders: steered by inputs, predicted by clients. Each player has one from its first input on.
use evertick_module::prelude::*;

/// A player's glider.
#[component(visible = near, latest)]
pub struct Glider {
    pub at: Vec3,
    pub velocity: Vec3,
    /// Radians.
    pub heading: f32,
    /// Inputs that it has had.
    pub inputs: u32,
}

const ACCELERATION: f32 = 8.0;
const SPEED_MAX: f32 = 12.0;

/// Steers for one tick.
#[reducer(input)]
fn steer(ctx: &mut Ctx, toward: Vec3, turn: f32, dive: bool) -> Result<(), NoRefusal> {
    let Ok(player) = ctx.player() else { return Ok(()) };
    let mut glider = ctx.get::<Glider>(player).unwrap_or(Glider {
        at: Vec3::ZERO,
        velocity: Vec3::ZERO,
        heading: 0.0,
        inputs: 0,
    });
    glide(&mut glider, toward, turn, dive, 0.05);
    ctx.set(player, glider);
    Ok(())
}

/// What an input of one tick does to a glider.
#[predict(input = steer)]
pub fn glide(glider: &mut Glider, toward: Vec3, turn: f32, dive: bool, seconds: f32) {
    glider.heading = (glider.heading + turn.clamp(-1.0, 1.0) * seconds).rem_euclid(std::f32::consts::TAU);
    let pull = toward.clamp_length_max(1.0) * ACCELERATION - Vec3::Y * if dive { 3.0 } else { 0.5 };
    glider.velocity = (glider.velocity + pull * seconds).clamp_length_max(SPEED_MAX);
    glider.at += glider.velocity * seconds;
    if glider.at.y < 0.0 {
        (glider.at.y, glider.velocity.y) = (0.0, glider.velocity.y.abs() * 0.5);
    }
    glider.inputs = glider.inputs.wrapping_add(1);
}

pub const PLUGIN: Plugin = plugin! {
    rows: [Glider],
    reducers: [steer],
    predictions: [glide],
};
