//! A plain struct is not a component, a component not a table, a table not an event.
use evertick_module::prelude::*;

pub struct Bag {
    pub count: u32,
}

#[component]
pub struct Name {
    pub text: String,
}

#[derive(Debug, Refusal)]
pub enum No {
    #[refusal("nothing there", missing)]
    Missing,
}

#[reducer]
fn count(ctx: &mut Ctx, player: EntityId) -> Result<u32, No> {
    ctx.emit(Name { text: String::new() });
    ctx.find::<Name>(3)?;
    Ok(ctx.get::<Bag>(player)?.count)
}

pub const PLUGIN: Plugin = plugin! { rows: [Bag] };

fn main() {}
