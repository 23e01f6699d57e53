//! Hash indexes have no ranges, and only unique ones give a single row.
use evertick_module::prelude::*;

#[component]
pub struct Item {
    #[index]
    pub owner: EntityId,
    #[index(ordered)]
    pub price: u32,
    pub count: u32,
}

fn look(ctx: &Ctx, owner: EntityId) {
    let _ = ctx.range(Item::OWNER, owner..);
    let _ = ctx.find_by(Item::PRICE, &3);
    let _ = ctx.scan_by(Item::COUNT, &3);
}

fn main() {
    let _ = look;
}
