//! Things that move by themselves: rows of all three classes on one entity.
use evertick_module::prelude::*;

use crate::progress::{StepRefusal, note};

pub const MOVERS_AT_FIRST: u32 = 20;
/// How far a mover goes in a tick.
pub const STRIDE: f32 = 0.25;

/// What it is: kept with the commit that makes it.
#[component(visible = everyone)]
pub struct Mover {
    pub number: u64,
}

/// Where it is: kept now and then.
#[component(visible = near, spatial, checkpoint = "200ms")]
pub struct Position {
    pub at: Vec2,
}

/// How many ticks it has gone, and until when.
#[component(visible = everyone, checkpoint = "200ms")]
pub struct Odometer {
    pub ticks: u64,
    pub at: Timestamp,
}

/// What it has done since the server started: never kept.
#[component(visible = everyone, transient)]
pub struct Blur {
    pub ticks: u64,
}

/// An entity that has nothing but this does not come back.
#[component(transient)]
pub struct Ghost {
    pub number: u64,
}

pub(crate) fn populate(ctx: &mut Ctx) {
    for number in 0..MOVERS_AT_FIRST {
        spawn_one(ctx, number.into());
    }
}

fn spawn_one(ctx: &mut Ctx, number: u64) -> EntityId {
    ctx.spawn(Ghost { number });
    let (at, now) = (Vec2::new(0.0, number as f32), ctx.now());
    ctx.spawn((Mover { number }, Position { at }, Odometer { ticks: 0, at: now }, Blur { ticks: 0 }))
}

#[reducer]
fn build(ctx: &mut Ctx, client: u32, step: u64) -> Result<EntityId, StepRefusal> {
    note(ctx, client, step)?;
    Ok(spawn_one(ctx, crate::progress::id(client, step)))
}

/// Takes a mover out of the world, all of its rows.
#[reducer]
fn scrap(ctx: &mut Ctx, client: u32, step: u64, mover: EntityId) -> Result<(), StepRefusal> {
    note(ctx, client, step)?;
    ctx.get::<Mover>(mover)?;
    ctx.despawn(mover);
    Ok(())
}

#[system]
fn drive(now: Now, mut movers: Query<(&mut Position, &mut Odometer, Option<&mut Blur>)>) {
    for (position, odometer, blur) in &mut movers {
        position.at.x += STRIDE;
        odometer.ticks += 1;
        odometer.at = now.time();
        if let Some(blur) = blur {
            blur.ticks += 1;
        }
    }
}

pub const PLUGIN: Plugin = plugin! {
    rows: [Mover, Position, Odometer, Blur, Ghost],
    reducers: [build, scrap],
    systems: [drive],
};
