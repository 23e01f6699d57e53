//! What can't be a field.
use std::collections::HashMap;

use evertick_module::prelude::*;

#[component]
pub struct Bag {
    pub items: HashMap<u32, u32>,
}

#[derive(Clone, Debug, PartialEq, Field)]
pub enum NoRepr {
    One,
    Two,
}

#[derive(Clone, Debug, PartialEq, Field)]
#[repr(u8)]
pub enum Carries {
    One(u32),
    Two,
}

#[derive(Clone, Debug, PartialEq, Field)]
pub struct NoReprC {
    pub item: u32,
}

fn main() {}
