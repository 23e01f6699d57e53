//! Things in the world, always in pairs at one place, and what befalls them: all of it decided by a seed.
use evertick_module::prelude::*;

use crate::players::{CREWS, Dice};

/// Where it is, on the lane that may lose.
#[component(visible = near, spatial)]
pub struct Place {
    #[wire(step = 0.125)]
    pub at: Vec2,
}

/// The same on the lane that may not, and the other of the pair.
#[component(visible = near, ordered)]
pub struct Spot {
    pub at: Vec2,
    pub twin: EntityId,
}

/// How far it goes in each of the coming ticks.
#[component]
pub struct Walk {
    pub per_tick: Vec2,
    pub ticks: u32,
}

/// With [`Right`] it always comes to nothing.
#[component(visible = near, ordered)]
pub struct Left {
    pub units: i64,
}

#[component(visible = near, ordered)]
pub struct Right {
    pub units: i64,
}

/// Where it is, for those close by.
#[component(visible = near, detail, ordered)]
pub struct Face {
    pub at: Vec2,
}

/// Whose it is, for them alone.
#[component(visible = owner)]
pub struct Deed {
    pub of: Identity,
    pub coins: u64,
}

/// For one crew.
#[component(visible = group(crew))]
pub struct Badge {
    pub crew: u32,
    pub number: u32,
}

/// For those who ask.
#[component(visible = everyone, on_demand)]
pub struct Offer {
    pub price: u32,
    pub of: Identity,
}

/// For nobody.
#[component]
pub struct Hidden {
    pub number: u64,
}

/// The sum of all never changes.
#[table(visible = everyone, key = number)]
pub struct Account {
    pub balance: i64,
    pub number: u64,
}

/// Changes with every tick.
#[component(visible = everyone, transient)]
pub struct Beat {
    pub ticks: u64,
}

pub const PAIRS: usize = 60;
pub const ACCOUNTS: u64 = 8;
pub const BALANCE: i64 = 100;
/// Things are within so many meters of the middle, on either axis.
pub const EXTENT: f32 = 200.0;
const EIGHTHS: u64 = 8;

#[reducer(init)]
fn furnish(ctx: &mut Ctx) -> Result<(), NoRefusal> {
    ctx.spawn(Beat { ticks: 0 });
    for number in 0..ACCOUNTS {
        ctx.insert(Account { balance: BALANCE, number }).expect("the numbers differ");
    }
    let mut dice = Dice(1);
    (0..PAIRS).for_each(|_| spawn_pair(ctx, &mut dice));
    Ok(())
}

fn anywhere(dice: &mut Dice) -> Vec2 {
    let mut axis = || dice.below(2 * EXTENT as u64 * EIGHTHS) as f32 / EIGHTHS as f32 - EXTENT;
    Vec2::new(axis(), axis())
}

fn spawn_pair(ctx: &mut Ctx, dice: &mut Dice) {
    let (at, units) = (anywhere(dice), dice.below(100) as i64);
    let [one, other] = [(); 2].map(|()| {
        let number = dice.below(1 << 40);
        ctx.spawn((Place { at }, Left { units }, Right { units: -units }, Face { at }, Hidden { number }))
    });
    ctx.set(one, Spot { at, twin: other });
    ctx.set(other, Spot { at, twin: one });
}

fn each_of_pair(ctx: &mut Ctx, one: EntityId, mut change: impl FnMut(&mut Ctx, EntityId)) {
    let Ok(spot) = ctx.get::<Spot>(one) else { return };
    change(ctx, one);
    change(ctx, spot.twin);
}

/// So much happens, all of it in one commit.
#[reducer]
fn churn(ctx: &mut Ctx, seed: u64, count: u32) -> Result<(), NoRefusal> {
    let mut dice = Dice(seed);
    let players: Vec<Identity> = ctx.scan::<Player>().map(|(_, player)| player.identity).collect();
    for _ in 0..count {
        let mut all: Vec<EntityId> = ctx.scan::<Hidden>().map(|(entity, _)| entity).collect();
        all.sort_unstable();
        let Some(&one) = all.get(dice.below(all.len().max(1) as u64) as usize) else {
            spawn_pair(ctx, &mut dice);
            continue;
        };
        let who = players.get(dice.below(players.len().max(1) as u64) as usize).copied();
        match dice.below(16) {
            0 | 1 => {
                each_of_pair(ctx, one, |ctx, entity| {
                    ctx.despawn(entity);
                });
                spawn_pair(ctx, &mut dice);
            }
            2..=4 => {
                let at = anywhere(&mut dice);
                each_of_pair(ctx, one, |ctx, entity| {
                    ctx.set(entity, Place { at });
                    ctx.set(entity, Face { at });
                    let _there = ctx.update(entity, |spot: &mut Spot| spot.at = at);
                });
            }
            5..=8 => {
                let mut axis = || dice.below(33) as f32 / EIGHTHS as f32 - 2.0;
                let (per_tick, ticks) = (Vec2::new(axis(), axis()), dice.below(40) as u32);
                each_of_pair(ctx, one, |ctx, entity| ctx.set(entity, Walk { per_tick, ticks }));
            }
            9 | 10 => {
                let units = dice.below(1000) as i64;
                ctx.set(one, Left { units });
                ctx.set(one, Right { units: -units });
            }
            11 => {
                let (from, to) = (dice.below(ACCOUNTS), dice.below(ACCOUNTS));
                let amount = dice.below(50) as i64;
                let _there = ctx.update_row(from, |account: &mut Account| account.balance -= amount);
                let _there = ctx.update_row(to, |account: &mut Account| account.balance += amount);
            }
            12 => {
                if let Some(identity) = who {
                    ctx.set(one, Owner { identity });
                    ctx.set(one, Deed { of: identity, coins: dice.below(1000) });
                }
            }
            13 => {
                let (crew, number) = (dice.below(CREWS) as u32, dice.below(1 << 30) as u32);
                ctx.set(one, Badge { crew, number });
            }
            14 => {
                if let Some(of) = who {
                    ctx.set(one, Offer { price: dice.below(100) as u32, of });
                }
            }
            _ => {
                ctx.remove::<Owner>(one);
                ctx.remove::<Deed>(one);
                ctx.remove::<Badge>(one);
                ctx.remove::<Offer>(one);
            }
        }
    }
    Ok(())
}

/// Well inside of the cell that it is in: which cell something has near a border depends on where it came from.
pub fn inside(at: Vec2) -> Vec2 {
    const CELL: f32 = 64.0;
    let low = (at / CELL).floor() * CELL;
    low + (at - low).clamp(Vec2::splat(CELL / 8.0), Vec2::splat(CELL * 7.0 / 8.0))
}

/// Everything comes to rest.
#[reducer]
fn halt(ctx: &mut Ctx) -> Result<(), NoRefusal> {
    let all: Vec<(EntityId, Spot)> = ctx.scan::<Spot>().collect();
    for (entity, spot) in all {
        let at = inside(spot.at);
        ctx.remove::<Walk>(entity);
        ctx.set(entity, Place { at });
        ctx.set(entity, Face { at });
        let _there = ctx.update(entity, |spot: &mut Spot| spot.at = at);
    }
    Ok(())
}

#[system]
fn go(mut walkers: Query<(&mut Place, &mut Spot, &mut Face, &mut Walk)>) {
    for (place, spot, face, walk) in &mut walkers {
        if walk.ticks > 0 {
            walk.ticks -= 1;
            place.at = (place.at + walk.per_tick).clamp(Vec2::splat(-EXTENT), Vec2::splat(EXTENT));
            spot.at = place.at;
            face.at = place.at;
        }
    }
}

#[system]
fn beat(mut beats: Query<&mut Beat>) {
    beats.for_each(|beat| beat.ticks += 1);
}

pub const PLUGIN: Plugin = plugin! {
    rows: [Place, Spot, Walk, Left, Right, Face, Deed, Badge, Offer, Hidden, Account, Beat],
    reducers: [furnish, churn, halt],
    systems: [go, beat],
};
