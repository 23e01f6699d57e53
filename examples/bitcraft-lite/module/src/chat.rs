//! Talk that is heard nearby.

use evertick_module::prelude::*;

/// Somebody said something.
#[event(to = near)]
pub struct Said {
    pub by: EntityId,
    pub text: String,
}

/// Why something can't be said.
#[derive(Debug, PartialEq, Refusal)]
pub enum SayRefusal {
    #[refusal("join the world first", missing)]
    NotJoined,
    #[refusal("say something of 1 to {max} characters")]
    Length { max: u32 },
}

/// The longest thing one can say, in characters.
pub const SAY_CHARS_MAX: usize = 200;

/// Says something to everyone near.
#[reducer(rate = "3/s")]
fn say(ctx: &mut Ctx, text: String) -> Result<(), SayRefusal> {
    let by = ctx.player()?;
    let text = text.trim();
    let fits = (1..=SAY_CHARS_MAX).contains(&text.chars().count());
    ensure!(fits, SayRefusal::Length { max: SAY_CHARS_MAX as u32 });
    ctx.emit(Said { by, text: text.to_owned() });
    Ok(())
}

pub const PLUGIN: Plugin = plugin! {
    rows: [Said],
    reducers: [say],
    systems: [],
};
