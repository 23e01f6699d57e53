//! A reducer or system that no plugin lists is never used.
#![deny(dead_code)]
use evertick_module::prelude::*;

#[component]
pub struct Bag {
    pub count: u32,
}

#[reducer]
fn gather(_ctx: &mut Ctx, _node: EntityId) -> Result<(), NoRefusal> {
    Ok(())
}

#[system]
fn decay(mut bags: Query<&mut Bag>) {
    bags.for_each(|bag| bag.count /= 2);
}

pub const PLUGIN: Plugin = plugin! { rows: [Bag] };
export_module! { name: "game", plugins: [PLUGIN] }

fn main() {
    module();
}
