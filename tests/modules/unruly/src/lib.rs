//! What modules must not do, written in Rust with the module API: what it costs, and what the log then says.
#![allow(missing_docs, reason = "modules are written for players")]

use evertick_module::prelude::*;

#[component]
pub struct Pile {
    pub stones: u32,
}

#[derive(Debug, PartialEq, Refusal)]
pub enum PileRefusal {
    #[refusal("there is no such pile", missing)]
    Gone,
}

/// A new pile of stones; with none it panics, after it has made it.
#[reducer]
fn heap(ctx: &mut Ctx, stones: u32) -> Result<EntityId, NoRefusal> {
    let pile = ctx.spawn((Pile { stones },));
    Ok(check(pile, stones))
}

#[inline(never)]
fn check(pile: EntityId, stones: u32) -> EntityId {
    assert!(stones > 0, "a pile of no stones"); // the tests name this line
    pile
}

/// Never comes back.
#[reducer]
fn count(ctx: &mut Ctx) -> Result<(), NoRefusal> {
    loop {
        ctx.rng().u64();
    }
}

/// Wants all the memory there is.
#[reducer]
fn hoard(ctx: &mut Ctx) -> Result<(), NoRefusal> {
    let mut hoard: Vec<Vec<u64>> = Vec::new();
    loop {
        hoard.push(vec![ctx.rng().u64(); 1 << 16]);
    }
}

/// A sweep that panics in the middle when it comes upon a pile of 13.
#[system]
fn grow(mut piles: Query<&mut Pile>) {
    piles.for_each(|pile| {
        pile.stones += 1;
        assert_ne!(pile.stones, 14, "thirteen stones and one more");
    });
}

pub const PLUGIN: Plugin = plugin! {
    rows: [Pile],
    reducers: [heap, count, hoard],
    systems: [grow],
};

evertick_module::export_module! {
    name: "unruly",
    plugins: [PLUGIN],
}
