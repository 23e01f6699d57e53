//! Who is there: sessions that a crash cut off leave like all others.
use evertick_module::prelude::*;

#[table(visible = everyone, key = session)]
pub struct Presence {
    pub session: u64,
}

/// How often the door has opened, for those who came and for those who left.
#[resource(visible = everyone)]
pub struct Door {
    pub came: u64,
    pub left: u64,
}

fn door(ctx: &mut Ctx, count: impl FnOnce(&mut Door)) {
    let mut door = ctx.resource::<Door>().unwrap_or(Door { came: 0, left: 0 });
    count(&mut door);
    ctx.set_resource(door);
}

/// A session's number that comes twice is a duplicate key, and so a panic.
#[reducer(connect)]
fn come(ctx: &mut Ctx) -> Result<(), NoRefusal> {
    let session = ctx.session().0;
    ctx.insert(Presence { session }).expect("numbers of sessions are never used again");
    door(ctx, |door| door.came += 1);
    Ok(())
}

#[reducer(disconnect)]
fn leave(ctx: &mut Ctx) -> Result<(), NoRefusal> {
    ctx.remove_row::<Presence>(ctx.session().0);
    door(ctx, |door| door.left += 1);
    Ok(())
}

pub const PLUGIN: Plugin = plugin! {
    rows: [Presence, Door],
    reducers: [come, leave],
};
