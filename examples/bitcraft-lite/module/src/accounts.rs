//! Who plays: an account for each identity, an avatar while it is connected.

use evertick_module::prelude::*;

use crate::gathering::Bag;
use crate::movement::{Position, Walk};
use crate::steering::{Body, Steering};
use crate::terrain::terrain;

/// How far a player sees, in metres.
pub const VIEW_METERS: f32 = 110.0;
/// The longest name, in characters.
pub const NAME_CHARS_MAX: usize = 16;

/// What is kept of a player who is away.
#[table(visible = owner(identity), key = identity)]
pub struct Account {
    pub identity: Identity,
    pub player: EntityId,
    /// Connected sessions.
    pub sessions: u32,
    /// Where the avatar was last.
    pub last: Vec2,
    #[unique]
    pub name: String,
}

/// How others see a player. It is made anew whenever one appears.
#[component(visible = near, transient)]
pub struct Avatar {
    /// 0xRRGGBB.
    pub color: u32,
    pub name: String,
}

/// Why one can't join.
#[derive(Debug, PartialEq, Refusal)]
pub enum JoinRefusal {
    #[refusal("a name has 1 to 16 letters, digits, spaces or hyphens")]
    BadName,
    #[refusal("somebody is called {name} already")]
    Taken { name: String },
}

/// Enters the world under a name. For an identity that has an account, the name it has stays.
#[reducer(rate = "5/s")]
fn join(ctx: &mut Ctx, name: String) -> Result<EntityId, JoinRefusal> {
    let identity = ctx.sender();
    if let Ok(account) = ctx.find::<Account>(identity) {
        return Ok(account.player);
    }
    let name = name.trim().to_owned();
    let allowed = |letter: char| letter.is_alphanumeric() || letter == ' ' || letter == '-';
    let length = name.chars().count();
    ensure!((1..=NAME_CHARS_MAX).contains(&length) && name.chars().all(allowed), JoinRefusal::BadName);

    let player = ctx.spawn((Player { identity }, Owner { identity }, Bag { wood: 0, stone: 0, berries: 0 }));
    let (angle, radius) = (ctx.rng().between(0.0..std::f32::consts::TAU), ctx.rng().between(0.0..12.0));
    let terrain = terrain(ctx);
    let shore = terrain.shore();
    let wanted = shore + Vec2::from_angle(angle) * radius;
    let last = if terrain.is_land(wanted) { wanted } else { shore };
    let account = Account { identity, player, sessions: 1, last, name: name.clone() };
    ensure!(ctx.insert(account.clone()).is_ok(), JoinRefusal::Taken { name });
    appear(ctx, &account);
    Ok(player)
}

/// A session of somebody who has an account: the avatar is back.
#[reducer(connect)]
fn connected(ctx: &mut Ctx) -> Result<(), NoRefusal> {
    if let Ok((entity, mut account)) = ctx.find_entity::<Account>(ctx.sender()) {
        account.sessions += 1;
        appear(ctx, &account);
        ctx.set(entity, account);
    }
    Ok(())
}

/// The last session is gone: so is the avatar, until the next.
#[reducer(disconnect)]
fn disconnected(ctx: &mut Ctx) -> Result<(), NoRefusal> {
    let Ok((entity, mut account)) = ctx.find_entity::<Account>(ctx.sender()) else { return Ok(()) };
    account.sessions = account.sessions.saturating_sub(1);
    if account.sessions == 0 {
        if let Ok(position) = ctx.get::<Position>(account.player) {
            account.last = position.at;
        }
        ctx.remove::<Position>(account.player);
        ctx.remove::<Avatar>(account.player);
        ctx.remove::<Walk>(account.player);
        ctx.remove::<Body>(account.player);
        ctx.remove::<Steering>(account.player);
    }
    ctx.set(entity, account);
    Ok(())
}

fn appear(ctx: &mut Ctx, account: &Account) {
    let player = account.player;
    if !ctx.has::<Position>(player) {
        let hue =
            u32::from_le_bytes([account.identity.0[0], account.identity.0[1], account.identity.0[2], 0]);
        let (seed, at) = (terrain(ctx).seed(), account.last);
        ctx.set(player, Body { seed, at });
        ctx.set(player, Position { at });
        ctx.set(player, Avatar { color: hue | 0x40_40_40, name: account.name.clone() });
    }
    ctx.focus(Focus::Entity { entity: player, radius: VIEW_METERS });
}

pub const PLUGIN: Plugin = plugin! {
    rows: [Account, Avatar],
    reducers: [join, connected, disconnected],
    systems: [],
};
