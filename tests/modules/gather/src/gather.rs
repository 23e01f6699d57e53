//! Resource nodes: worked until empty, then left alone until they grow back.
use evertick_module::prelude::*;

use crate::movement::{Bag, Position};

#[component(visible = near)]
pub struct Node { pub kind: u32, pub charges: u32 }

#[component(visible = near)]
pub struct Regrowing { pub at: Timestamp }

#[table(visible = everyone, key = kind)]
pub struct NodeDef { pub kind: u32, pub item: u32, pub charges: u32, pub regrow_s: u32 }

#[event(to = near)]
pub struct Gathered { pub by: EntityId, pub node: EntityId }

#[derive(Debug, PartialEq, Refusal)]
pub enum GatherRefusal {
    #[refusal("that is no longer here", missing)]
    Gone,
    #[refusal("{meters:.1} m is out of reach")]
    TooFar { meters: f32 },
    #[refusal("nothing is left to gather")]
    Empty,
}

const REACH_METERS: f32 = 3.0;

#[reducer]
fn gather(ctx: &mut Ctx, node: EntityId) -> Result<(), GatherRefusal> {
    let player = ctx.player()?;
    let meters = ctx.get::<Position>(player)?.at.distance(ctx.get::<Position>(node)?.at);
    ensure!(meters <= REACH_METERS, GatherRefusal::TooFar { meters });

    let left = ctx.get::<Node>(node)?;
    ensure!(left.charges > 0, GatherRefusal::Empty);
    let def = ctx.find::<NodeDef>(left.kind)?;

    ctx.update(node, |node: &mut Node| node.charges -= 1)?;
    ctx.update(player, |bag: &mut Bag| bag.count += 1)?;
    if left.charges == 1 {
        ctx.set(node, Regrowing { at: ctx.now() + def.regrow_s.seconds() });
    }
    ctx.emit(Gathered { by: player, node });
    Ok(())
}

#[system(every = "1s")]
fn regrow(
    now: Now,
    defs: Table<NodeDef>,
    mut commands: Commands,
    mut nodes: Query<(EntityId, &Regrowing, &mut Node)>,
) {
    for (entity, regrowing, node) in &mut nodes {
        if now.is_past(regrowing.at)
            && let Some(def) = defs.find(node.kind)
        {
            node.charges = def.charges;
            commands.remove::<Regrowing>(entity);
        }
    }
}

pub const PLUGIN: Plugin = plugin! {
    rows: [Node, Regrowing, NodeDef, Gathered],
    reducers: [gather],
    systems: [regrow],
};
