//! Row types of every kind.

use evertick_module::prelude::*;

#[derive(Clone, Copy, Debug, PartialEq, Field)]
#[repr(u8)]
pub enum Mood {
    Calm,
    Angry = 3,
}

#[component(visible = near, spatial)]
#[derive(Copy)]
pub struct Position {
    pub at: Vec2,
}

#[component(spatial)]
pub struct Anchor {
    pub at: Vec3,
}

#[component(visible = near)]
#[derive(Copy)]
pub struct Creature {
    pub seen: EntityId,
    pub steps: u32,
    pub mood: Mood,
    pub awake: bool,
    pub reserved: [u8; 2],
}

impl Creature {
    pub fn new() -> Self {
        Self { seen: EntityId::NONE, steps: 0, mood: Mood::Calm, awake: true, reserved: [0; 2] }
    }
}

#[component]
pub struct Frozen {
    pub until: Timestamp,
}

#[component]
pub struct Diary {
    pub pages: Vec<String>,
    pub last: Option<Timestamp>,
}

#[component]
pub struct Item {
    #[index]
    pub owner: EntityId,
    #[index(ordered)]
    pub price: i32,
    #[unique]
    pub serial: u32,
}

#[table(key = name)]
pub struct Account {
    #[index(ordered)]
    pub name: String,
    pub gold: u64,
    #[unique]
    pub identity: Identity,
}

#[resource]
#[derive(Copy)]
pub struct Weather {
    pub rain: f32,
    pub days: u32,
}

#[resource]
pub struct Motto {
    pub text: String,
}

#[event(to = everyone)]
pub struct Said {
    pub words: String,
}

#[event(to = owner(whose))]
pub struct Noted {
    pub whose: Identity,
}

pub const PLUGIN: Plugin = plugin! {
    rows: [Position, Anchor, Creature, Frozen, Diary, Item, Account, Weather, Motto, Said, Noted],
};
