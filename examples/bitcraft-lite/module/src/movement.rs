//! Walking: a client names a goal, the server walks the avatar there in a straight line.

use evertick_module::prelude::*;

use crate::steering::{Body, Steering};
use crate::terrain::{in_world, terrain};

/// Where something is, in metres. After a crash, where it was a few seconds before.
#[component(visible = near, spatial, checkpoint = "5s")]
pub struct Position {
    #[wire(step = 0.015625)]
    pub at: Vec2,
}

/// A walk along a segment. Clients close by can draw the way. It ends with the process: nobody is connected then.
#[component(visible = near, detail, transient)]
pub struct Walk {
    pub from: Vec2,
    pub to: Vec2,
    pub started: Timestamp,
    pub arrives: Timestamp,
}

/// Metres a second.
pub const WALK_SPEED: f32 = 5.0;
/// The longest walk one call may ask for, in metres.
pub const WALK_METERS_MAX: f32 = 200.0;

/// Why one can't walk there.
#[derive(Debug, PartialEq, Refusal)]
pub enum WalkRefusal {
    #[refusal("join the world first", missing)]
    NotJoined,
    #[refusal("that is outside the world")]
    Outside,
    #[refusal("{meters:.0} m is too far for one walk")]
    TooFar { meters: f32 },
    #[refusal("there is water in the way")]
    Water,
}

/// Starts walking to a point, from wherever one is now; until one steers.
#[reducer(rate = "20/s")]
fn walk_to(ctx: &mut Ctx, x: f32, y: f32) -> Result<(), WalkRefusal> {
    let player = ctx.player()?;
    let (from, to) = (ctx.get::<Position>(player)?.at, Vec2::new(x, y));
    ensure!(in_world(to), WalkRefusal::Outside);
    let meters = from.distance(to);
    ensure!(meters <= WALK_METERS_MAX, WalkRefusal::TooFar { meters });
    ensure!(terrain(ctx).is_walkable(from, to), WalkRefusal::Water);
    let started = ctx.now();
    let arrives = started + Duration::from_secs_f32(meters / WALK_SPEED);
    ctx.remove::<Steering>(player);
    ctx.set(player, Walk { from, to, started, arrives });
    Ok(())
}

/// Stops where one is.
#[reducer]
fn stop(ctx: &mut Ctx) -> Result<(), WalkRefusal> {
    let player = ctx.player()?;
    ctx.remove::<Walk>(player);
    ctx.remove::<Steering>(player);
    Ok(())
}

/// Moves everyone who walks.
#[system]
fn walk(now: Now, mut commands: Commands, mut walkers: Query<(EntityId, &Walk, &mut Body, &mut Position)>) {
    for (entity, walk, body, position) in &mut walkers {
        if now.is_past(walk.arrives) {
            body.at = walk.to;
            commands.remove::<Walk>(entity);
        } else {
            let share = now.since(walk.started).as_secs_f32() / (walk.arrives - walk.started).as_secs_f32();
            body.at = walk.from.lerp(walk.to, share.clamp(0.0, 1.0));
        }
        position.at = body.at;
    }
}

pub const PLUGIN: Plugin = plugin! {
    rows: [Position, Walk],
    reducers: [walk_to, stop],
    systems: [walk],
};
