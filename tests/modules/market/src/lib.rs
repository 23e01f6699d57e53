//! The module of the tests of client SDKs: stalls, listings that are asked for by queries, carts that drive.
#![allow(missing_docs, reason = "modules are written for players")]

use evertick_module::prelude::*;

/// Where a stall or cart stands, in metres.
#[component(visible = everyone, spatial)]
pub struct Place {
    pub at: Vec2,
}

/// How a cart drives, and for how long yet.
#[component(visible = everyone)]
pub struct Driving {
    pub meters_per_s: Vec2,
    pub ticks: u32,
}

/// A place where things are sold.
#[component(visible = everyone)]
pub struct Stall {
    pub open: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Field)]
#[repr(u8)]
pub enum ItemKind {
    Sword,
    Bow,
}

/// What a stall has to sell.
#[component(visible = everyone, on_demand)]
pub struct Listing {
    pub seller: Identity,
    pub price: u32,
    pub kind: ItemKind,
    pub note: Option<String>,
}

/// Somebody called.
#[event(to = everyone)]
pub struct Heard {
    pub text: String,
}

#[derive(Debug, PartialEq, Refusal)]
pub enum MarketRefusal {
    #[refusal("there is nothing for sale", missing)]
    Gone,
}

/// A stall with its listing.
#[reducer]
fn offer(ctx: &mut Ctx, at: Vec2, price: u32, kind: ItemKind) -> Result<EntityId, NoRefusal> {
    let listing = Listing { seller: ctx.sender(), price, kind, note: None };
    Ok(ctx.spawn((Place { at }, Stall { open: true }, listing)))
}

#[reducer]
fn set_price(ctx: &mut Ctx, stall: EntityId, price: u32) -> Result<(), MarketRefusal> {
    ctx.update(stall, |listing: &mut Listing| listing.price = price)?;
    Ok(())
}

#[reducer]
fn set_open(ctx: &mut Ctx, stall: EntityId, open: bool) -> Result<(), NoRefusal> {
    ctx.set(stall, Stall { open });
    Ok(())
}

#[reducer]
fn tear_down(ctx: &mut Ctx, stall: EntityId) -> Result<(), NoRefusal> {
    ctx.despawn(stall);
    Ok(())
}

/// A cart that drives for so many ticks.
#[reducer]
fn drive(ctx: &mut Ctx, meters_per_s: Vec2, ticks: u32) -> Result<EntityId, NoRefusal> {
    Ok(ctx.spawn((Place { at: Vec2::ZERO }, Driving { meters_per_s, ticks })))
}

#[reducer]
fn shout(ctx: &mut Ctx, text: String) -> Result<(), NoRefusal> {
    ctx.emit(Heard { text });
    Ok(())
}

#[system]
fn travel(now: Now, mut carts: Query<(&mut Place, &mut Driving)>) {
    let seconds = now.delta().as_secs_f32();
    carts.for_each(|(place, driving)| {
        if driving.ticks > 0 {
            driving.ticks -= 1;
            place.at += driving.meters_per_s * seconds;
        }
    });
}

pub const PLUGIN: Plugin = plugin! {
    rows: [Place, Driving, Stall, Listing, Heard],
    reducers: [offer, set_price, set_open, tear_down, drive, shout],
    systems: [travel],
};

evertick_module::export_module! {
    name: "market",
    plugins: [PLUGIN],
}
