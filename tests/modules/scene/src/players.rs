//! Those who look on: where they stand, how far they see, and which crew they are in.
use evertick_module::prelude::*;

use crate::props::Place;

pub const CREWS: u64 = 3;

/// What a session was set to, for itself: it comes with the frame in which that holds.
#[component(visible = owner)]
pub struct Look {
    pub of: Identity,
    pub at: Vec2,
    pub radius: f32,
    pub crew: u32,
}

/// Numbers that follow from a seed alone.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Stands somewhere and sees so far, at once; and is in a crew, and no other.
#[reducer]
fn look(ctx: &mut Ctx, at: Vec2, radius: f32, crew: u32) -> Result<EntityId, NoRefusal> {
    let of = ctx.sender();
    let row = Look { of, at, radius, crew };
    let me = match ctx.player() {
        Ok(me) => {
            ctx.set(me, Place { at });
            ctx.set(me, row);
            me
        }
        Err(Missing { .. }) => {
            ctx.spawn((Player { identity: of }, Owner { identity: of }, Place { at }, row))
        }
    };
    ctx.focus(Focus::Entity { entity: me, radius });
    (0..CREWS).filter(|other| *other != u64::from(crew)).for_each(|other| ctx.leave(other));
    ctx.join(crew.into());
    Ok(me)
}

pub const PLUGIN: Plugin = plugin! {
    rows: [Look],
    reducers: [look],
};
