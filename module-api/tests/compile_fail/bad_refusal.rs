//! Refusals are enums with words for the player.
use evertick_module::prelude::*;

#[derive(Debug, Refusal)]
pub enum NoWords {
    Gone,
}

#[derive(Debug, Refusal)]
pub enum UnnamedField {
    #[refusal("too far")]
    TooFar(f32),
}

#[derive(Debug, Refusal)]
pub enum TwoMissing {
    #[refusal("gone", missing)]
    Gone,
    #[refusal("nowhere", missing)]
    Nowhere,
}

#[derive(Debug, Refusal)]
pub enum UnknownWord {
    #[refusal("gone", absent)]
    Gone,
}

#[reducer]
fn refuses_with_text(_ctx: &mut Ctx) -> Result<(), String> {
    Ok(())
}

fn main() {}
