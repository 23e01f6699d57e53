//! Steering: a client says for each tick which way its player goes. A step is written once: the server takes it, and so does the
//! player's own client, which does not wait to be told.

use evertick_module::prelude::*;

use crate::movement::{Position, WALK_SPEED, Walk, WalkRefusal};
use crate::terrain::Terrain;

/// Where a player is, exactly, with all else that a step depends on. Its owner foretells it; others see [`Position`].
#[component(visible = owner, latest, transient)]
pub struct Body {
    /// The seed of the island one stands on.
    pub seed: u64,
    pub at: Vec2,
}

/// Which way a player goes.
#[component(transient)]
pub struct Steering {
    /// Of length 1 at most.
    pub toward: Vec2,
    pub until: Timestamp,
}

/// For how long one goes on after an input: it rides out lost ones, and ends when the client is gone.
const HOLD: Duration = Duration::from_millis(250);

/// Goes `toward` some place, the longer the faster. Whoever walked to a goal gives that up; zero stops steering, and nothing else.
#[reducer(input)]
fn steer(ctx: &mut Ctx, toward: Vec2) -> Result<(), WalkRefusal> {
    let player = ctx.player()?;
    let toward = heading(toward);
    if toward == Vec2::ZERO {
        ctx.remove::<Steering>(player);
        return Ok(());
    }
    ctx.remove::<Walk>(player);
    ctx.set(player, Steering { toward, until: ctx.now() + HOLD });
    Ok(())
}

/// What a client may ask for, cut to a length of 1.
fn heading(toward: Vec2) -> Vec2 {
    if !toward.is_finite() {
        return Vec2::ZERO;
    }
    // Made smaller first, as the length of a very long one is infinite.
    (toward / toward.abs().max_element().max(1.0)).clamp_length_max(1.0)
}

/// A step of `seconds`, with dry feet: where water is in the way, along the shore.
#[predict(input = steer)]
pub fn stride(body: &mut Body, toward: Vec2, seconds: f32) {
    let step = heading(toward) * (WALK_SPEED * seconds);
    if step == Vec2::ZERO {
        return;
    }
    let terrain = Terrain::new(body.seed);
    let ways = [step, Vec2::new(step.x, 0.0), Vec2::new(0.0, step.y)].map(|way| body.at + way);
    if let Some(to) = ways.into_iter().find(|to| terrain.is_walkable(body.at, *to)) {
        body.at = to;
    }
}

/// Moves everyone who steers.
#[system]
fn go(now: Now, mut commands: Commands, mut players: Query<(EntityId, &Steering, &mut Body, &mut Position)>) {
    let seconds = now.delta().as_secs_f32();
    for (entity, steering, body, position) in &mut players {
        stride(body, steering.toward, seconds);
        position.at = body.at;
        if now.is_past(steering.until) {
            commands.remove::<Steering>(entity);
        }
    }
}

pub const PLUGIN: Plugin = plugin! {
    rows: [Body, Steering],
    reducers: [steer],
    systems: [go],
    predictions: [stride],
};
