//! Flat rows have no padding; the error names the order that has none.
use evertick_module::prelude::*;

#[component]
pub struct Node {
    pub kind: u8,
    pub grows_at: Timestamp,
    pub charges: u32,
}

#[component]
pub struct Door {
    pub at: EntityId,
    pub open: bool,
}

#[derive(Clone, Debug, PartialEq, Field)]
#[repr(C)]
pub struct Slot {
    pub count: u8,
    pub item: u32,
}

fn main() {}
