//! Attributes are spelled out.
use evertick_module::prelude::*;

#[component(visble = near)]
pub struct Typo {
    pub at: Vec2,
}

#[component(visible = nearby)]
pub struct Unknown {
    pub at: Vec2,
}

#[component(visible = group(guild))]
pub struct NoField {
    pub clan: u64,
}

#[component]
pub struct BadIndex {
    #[index(sorted)]
    pub level: u32,
}

#[component]
pub struct BadWire {
    #[wire(bits = 8)]
    pub angle: f32,
}

#[table(visible = everyone)]
pub struct NoKey {
    pub name: String,
}

#[event]
pub struct NoTarget {
    pub by: EntityId,
}

#[component]
pub struct Unnamed(pub u32);

#[component]
pub struct Generic<T> {
    pub value: T,
}

fn main() {}
