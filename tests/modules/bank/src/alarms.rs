//! Timers: each rings once, whatever happens in between.
use evertick_module::prelude::*;

use crate::progress::{StepRefusal, id, note};

#[table(visible = everyone, key = id)]
pub struct Alarm {
    pub id: u64,
    pub due: Timestamp,
    pub rung: u64,
}

#[reducer]
fn set_alarm(ctx: &mut Ctx, client: u32, step: u64, delay: Duration) -> Result<(), StepRefusal> {
    note(ctx, client, step)?;
    let (id, due) = (id(client, step), ctx.now() + delay);
    ctx.insert(Alarm { id, due, rung: 0 }).expect("a step is done once");
    ctx.after(delay, ring::call(id));
    Ok(())
}

#[reducer(private)]
fn ring(ctx: &mut Ctx, id: u64) -> Result<(), StepRefusal> {
    ctx.update_row(id, |alarm: &mut Alarm| alarm.rung += 1)?;
    Ok(())
}

pub const PLUGIN: Plugin = plugin! {
    rows: [Alarm],
    reducers: [set_alarm, ring],
};
