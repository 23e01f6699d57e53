//! Rows with text that come, change and go; random numbers that never come again.
use evertick_module::prelude::*;

use crate::progress::{StepRefusal, id, note};

#[table(key = id)]
pub struct Note {
    pub id: u64,
    pub text: String,
    pub tags: Vec<u32>,
}

/// A random number that somebody was told.
#[table(key = id)]
pub struct Roll {
    pub id: u64,
    #[unique]
    pub value: u64,
}

/// Writes the client's note of this number, in place of what is there.
#[reducer]
fn write(ctx: &mut Ctx, client: u32, step: u64, slot: u32, text: String) -> Result<(), StepRefusal> {
    note(ctx, client, step)?;
    let tags = vec![slot; text.len() % 4];
    let note = Note { id: id(client, slot.into()), text, tags };
    match ctx.find_entity::<Note>(note.id) {
        Ok((entity, _)) => ctx.set(entity, note),
        Err(Missing { .. }) => {
            ctx.insert(note).expect("nobody has it");
        }
    }
    Ok(())
}

/// Removes the client's note of this number, if there is one.
#[reducer]
fn erase(ctx: &mut Ctx, client: u32, step: u64, slot: u32) -> Result<(), StepRefusal> {
    note(ctx, client, step)?;
    ctx.remove_row::<Note>(id(client, slot.into()));
    Ok(())
}

#[reducer]
fn roll(ctx: &mut Ctx, client: u32, step: u64) -> Result<u64, StepRefusal> {
    note(ctx, client, step)?;
    let value = ctx.rng().u64();
    ctx.insert(Roll { id: id(client, step), value }).expect("a generator that goes on gives other numbers");
    Ok(value)
}

pub const PLUGIN: Plugin = plugin! {
    rows: [Note, Roll],
    reducers: [write, erase, roll],
};
