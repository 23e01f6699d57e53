//! What may not be said about how a row's changes travel.
use evertick_module::prelude::*;

#[component(visible = near, latest, ordered)]
pub struct Both {
    pub x: u32,
}

#[table(key = id, detail)]
pub struct NotNear {
    pub id: u32,
}

#[event(to = everyone, on_demand)]
pub struct Said {
    pub x: u32,
}

#[component(visible = near, latest = 3)]
pub struct Valued {
    pub x: u32,
}

fn main() {}
