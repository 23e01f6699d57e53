//! Creatures roam around their homes: a walk to somewhere near, a rest, and on.

use evertick_module::prelude::*;

use crate::movement::Position;
use crate::terrain::{CHUNK_METERS, Terrain, WorldInfo};

/// An animal.
#[component(visible = near)]
pub struct Creature {
    pub kind: u32,
}

/// What a creature is up to.
#[component(checkpoint = "30s")]
pub struct Roam {
    pub home: Vec2,
    pub goal: Vec2,
    /// Metres a second.
    pub speed: f32,
    /// Seconds of rest left once the goal is reached.
    pub rest: f32,
}

/// Kinds of creatures.
pub const KINDS: u32 = 4;
/// How far from home a creature goes, in metres.
const ROAM_METERS: f32 = 24.0;
/// Creatures for each chunk; those that would stand in water are left out.
const PER_CHUNK: u32 = 24;

/// Moves those that have somewhere to go; sends those that are rested somewhere new.
#[system]
fn roam(
    now: Now,
    info: Res<WorldInfo>,
    mut rng: Rng,
    mut creatures: Query<(&mut Roam, &mut Position), With<Creature>>,
) {
    let terrain = Terrain::new(info.seed);
    let seconds = now.delta().as_secs_f32();
    for (roam, position) in &mut creatures {
        let way = roam.goal - position.at;
        let (meters, step) = (way.length(), roam.speed * seconds);
        if meters > step {
            position.at += way * (step / meters);
        } else if meters > 0.0 {
            position.at = roam.goal;
        } else if roam.rest > 0.0 {
            roam.rest -= seconds;
        } else {
            let direction = Vec2::from_angle(rng.between(0.0..std::f32::consts::TAU));
            let goal = roam.home + direction * rng.between(2.0..ROAM_METERS);
            roam.rest = rng.between(1.0..8.0);
            if terrain.is_walkable(position.at, goal) {
                roam.goal = goal;
            }
        }
    }
}

/// Puts creatures into the chunk at `corner`.
pub fn scatter(ctx: &mut Ctx, terrain: &Terrain, corner: Vec2) {
    for _ in 0..PER_CHUNK {
        let at =
            corner + Vec2::new(ctx.rng().between(0.0..CHUNK_METERS), ctx.rng().between(0.0..CHUNK_METERS));
        if terrain.is_land(at) {
            let kind = ctx.rng().below(KINDS);
            let (speed, rest) = (ctx.rng().between(0.8..2.5), ctx.rng().between(0.0..8.0));
            ctx.spawn((Position { at }, Creature { kind }, Roam { home: at, goal: at, speed, rest }));
        }
    }
}

pub const PLUGIN: Plugin = plugin! {
    rows: [Creature, Roam],
    reducers: [],
    systems: [roam],
};
