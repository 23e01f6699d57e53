//! Players: where they are, where they go, what they carry.
use evertick_module::prelude::*;

/// Where something stands, in meters.
#[component(visible = near, spatial)]
pub struct Position {
    #[wire(step = 0.01)]
    pub at: Vec2,
}

/// How fast it moves.
#[component(visible = near)]
pub struct Velocity {
    pub meters_per_s: Vec2,
}

/// What a player has gathered; only the owner sees it.
#[component(visible = owner)]
pub struct Bag {
    pub count: u32,
}

/// What a player is called.
#[component(visible = near)]
pub struct Name {
    #[index]
    pub text: String,
}

#[derive(Debug, PartialEq, Refusal)]
pub enum MoveRefusal {
    #[refusal("you are not in the world", missing)]
    NotHere,
    #[refusal("{meters_per_s:.1} m/s is too fast")]
    TooFast { meters_per_s: f32 },
}

const SPEED_MAX: f32 = 5.0;
const VIEW_METERS: f32 = 96.0;

/// Puts a new player at the origin; one who comes back is where they were.
#[reducer(connect)]
fn arrive(ctx: &mut Ctx) -> Result<(), NoRefusal> {
    let identity = ctx.sender();
    let player = match ctx.player() {
        Ok(player) => player,
        Err(Missing { .. }) => {
            let position = Position { at: Vec2::ZERO };
            let name = Name { text: format!("player {identity}") };
            ctx.spawn((Player { identity }, Owner { identity }, position, Bag { count: 0 }, name))
        }
    };
    ctx.focus(Focus::Entity { entity: player, radius: VIEW_METERS });
    Ok(())
}

/// Walks on, until told otherwise.
#[reducer(rate = "20/s")]
fn walk(ctx: &mut Ctx, meters_per_s: Vec2) -> Result<(), MoveRefusal> {
    let speed = meters_per_s.length();
    ensure!(speed <= SPEED_MAX, MoveRefusal::TooFast { meters_per_s: speed });
    let player = ctx.player()?;
    ctx.set(player, Velocity { meters_per_s });
    Ok(())
}

#[system]
fn travel(now: Now, mut moving: Query<(&mut Position, &Velocity)>) {
    let seconds = now.delta().as_secs_f32();
    moving.for_each(|(position, velocity)| position.at += velocity.meters_per_s * seconds);
}

pub const PLUGIN: Plugin = plugin! {
    rows: [Position, Velocity, Bag, Name],
    reducers: [arrive, walk],
    systems: [travel],
};
