//! Resource nodes: worked until empty, then left alone until they grow back.

use evertick_module::prelude::*;

use crate::movement::Position;
use crate::terrain::{Biome, CHUNK_METERS, Terrain};

/// Something to gather from. Without charges it is bare until it has grown back.
#[component(visible = near)]
pub struct Node {
    pub kind: u32,
    pub charges: u32,
}

/// When a bare node has grown back: of interest to who stands near.
#[component(visible = near, detail)]
pub struct Regrowing {
    pub at: Timestamp,
}

/// What a kind of node gives.
#[table(visible = everyone, key = kind)]
pub struct NodeDef {
    pub kind: u32,
    /// An [`item`] number.
    pub item: u32,
    pub charges: u32,
    pub regrow_s: u32,
}

/// What a player carries; nobody else sees it.
#[component(visible = owner)]
pub struct Bag {
    pub wood: u32,
    pub stone: u32,
    pub berries: u32,
}

/// Somebody took something from a node.
#[event(to = near)]
pub struct Gathered {
    pub by: EntityId,
    pub node: EntityId,
    pub item: u32,
    pub count: u32,
}

/// Item numbers.
pub mod item {
    pub const WOOD: u32 = 0;
    pub const STONE: u32 = 1;
    pub const BERRIES: u32 = 2;
}

/// Kinds of nodes.
pub mod kind {
    pub const TREE: u32 = 0;
    pub const BOULDER: u32 = 1;
    pub const BUSH: u32 = 2;
}

/// Why one can't gather there.
#[derive(Debug, PartialEq, Refusal)]
pub enum GatherRefusal {
    #[refusal("that is no longer here", missing)]
    Gone,
    #[refusal("{meters:.1} m is out of reach")]
    TooFar { meters: f32 },
    #[refusal("nothing is left to gather")]
    Empty,
}

/// How far an arm reaches, in metres.
pub const REACH_METERS: f32 = 3.0;

/// Takes one charge of a node.
#[reducer(rate = "5/s")]
fn gather(ctx: &mut Ctx, node: EntityId) -> Result<(), GatherRefusal> {
    let player = ctx.player()?;
    let meters = ctx.get::<Position>(player)?.at.distance(ctx.get::<Position>(node)?.at);
    ensure!(meters <= REACH_METERS, GatherRefusal::TooFar { meters });

    let left = ctx.get::<Node>(node)?;
    ensure!(left.charges > 0, GatherRefusal::Empty);
    let def = ctx.find::<NodeDef>(left.kind)?;

    ctx.update(node, |node: &mut Node| node.charges -= 1)?;
    ctx.update(player, |bag: &mut Bag| match def.item {
        item::WOOD => bag.wood += 1,
        item::STONE => bag.stone += 1,
        _ => bag.berries += 1,
    })?;
    if left.charges == 1 {
        ctx.set(node, Regrowing { at: ctx.now() + def.regrow_s.seconds() });
    }
    ctx.emit(Gathered { by: player, node, item: def.item, count: 1 });
    Ok(())
}

/// Gives nodes that have grown back their charges.
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

const DEFS: [NodeDef; 3] = [
    NodeDef { kind: kind::TREE, item: item::WOOD, charges: 5, regrow_s: 30 },
    NodeDef { kind: kind::BOULDER, item: item::STONE, charges: 8, regrow_s: 60 },
    NodeDef { kind: kind::BUSH, item: item::BERRIES, charges: 3, regrow_s: 15 },
];

/// Fills the table of kinds.
pub fn define(ctx: &mut Ctx) {
    for def in DEFS {
        let kind = def.kind;
        if ctx.insert(def).is_err() {
            warn!("two definitions of node kind {kind}; the first counts");
        }
    }
}

/// Attempts at a node in each chunk; what falls into water is left out.
const NODES_PER_CHUNK: u32 = 14;

/// Puts nodes into the chunk at `corner`, as its biomes have it.
pub fn scatter(ctx: &mut Ctx, terrain: &Terrain, corner: Vec2) {
    for _ in 0..NODES_PER_CHUNK {
        let at =
            corner + Vec2::new(ctx.rng().between(0.0..CHUNK_METERS), ctx.rng().between(0.0..CHUNK_METERS));
        let lot = ctx.rng().between(0.0..1.0);
        let kind = match terrain.biome(at) {
            Biome::Forest => kind::TREE,
            Biome::Meadow if lot < 0.3 => kind::TREE,
            Biome::Meadow if lot < 0.8 => kind::BUSH,
            Biome::Rock => kind::BOULDER,
            Biome::Snow if lot < 0.5 => kind::BOULDER,
            Biome::Beach if lot < 0.25 => kind::BOULDER,
            _ => continue,
        };
        ctx.spawn((Position { at }, Node { kind, charges: DEFS[kind as usize].charges }));
    }
}

pub const PLUGIN: Plugin = plugin! {
    rows: [Node, Regrowing, NodeDef, Bag, Gathered],
    reducers: [gather],
    systems: [regrow],
};
