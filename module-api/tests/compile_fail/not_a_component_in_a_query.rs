//! A plain struct has no columns.
use evertick_module::prelude::*;

pub struct Bag {
    pub count: u32,
}

#[system]
fn sweep(mut bags: Query<(EntityId, &mut Bag)>) {
    let _ = &mut bags;
}

fn main() {}
