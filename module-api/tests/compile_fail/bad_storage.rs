//! What is stored, and what it was called before, is spelled out.
use evertick_module::prelude::*;

#[component(transient, checkpoint)]
pub struct TwoClasses {
    pub at: Vec2,
}

#[component(checkpoint = 5)]
pub struct NotText {
    pub at: Vec2,
}

#[component(checkpoint = "soon")]
pub struct NoTime {
    pub at: Vec2,
}

#[resource(durable = "5s")]
pub struct DurableEvery {
    pub rain: f32,
}

#[component(volatile)]
pub struct NoClass {
    pub at: Vec2,
}

#[event(to = everyone, transient)]
pub struct StoredEvent {
    pub by: EntityId,
}

#[event(to = everyone)]
#[was("Shout")]
pub struct RenamedEvent {
    pub by: EntityId,
}

#[event(to = everyone)]
pub struct DefaultOfEvent {
    #[default(1)]
    pub volume: u32,
}

#[component]
#[was(Sack)]
pub struct WasNoText {
    pub items: u32,
}

#[component(was = "Sack")]
#[was("Sack")]
pub struct WasTwice {
    pub items: u32,
}

#[component]
pub struct BadFields {
    #[was("no name")]
    pub one: u32,
    #[was]
    pub two: u32,
    #[default = 3]
    pub three: u32,
    #[default(4)]
    #[default(5)]
    pub four: u32,
}

#[component]
pub struct WrongDefaults {
    #[default(-1.5)]
    pub one: u32,
    #[default("two")]
    pub two: u32,
}

#[was("Sack")]
#[component]
pub struct WasAbove {
    pub items: u32,
}

#[reducer(upgrade, private)]
fn upgrade_is_called_by_nobody(_ctx: &mut Ctx) -> Result<(), NoRefusal> {
    Ok(())
}

#[reducer(upgrade)]
fn upgrade_takes_nothing(_ctx: &mut Ctx, _from: u32) -> Result<(), NoRefusal> {
    Ok(())
}

fn main() {}
