//! Reducers that do one thing each.

use evertick_module::prelude::*;

use crate::rows::{Account, Anchor, Creature, Item, Motto, Noted, Position, Said, Weather};

#[derive(Debug, PartialEq, Refusal)]
pub enum No {
    #[refusal("that is not there", missing)]
    Gone,
    #[refusal("that is taken", duplicate)]
    Taken,
    #[refusal("{short} is missing")]
    Poor { short: u64 },
}

#[reducer(init)]
fn begin(ctx: &mut Ctx) -> Result<(), NoRefusal> {
    ctx.set_resource(Weather { rain: 0.25, days: 0 });
    ctx.set_resource(Motto { text: "begin".to_owned() });
    Ok(())
}

#[reducer(connect)]
fn arrive(ctx: &mut Ctx) -> Result<(), No> {
    let identity = ctx.sender();
    let name = format!("{identity}");
    ctx.insert(Account { name, gold: 100, identity })?;
    ctx.spawn((Player { identity }, Position { at: Vec2::ZERO }));
    ctx.join(7);
    ctx.join(8);
    ctx.leave(7);
    Ok(())
}

#[reducer(disconnect)]
fn depart(ctx: &mut Ctx) -> Result<(), No> {
    let player = ctx.player()?;
    ctx.despawn(player);
    Ok(())
}

/// Moves gold between accounts: two look-ups, two reads, two writes.
#[reducer]
fn transfer(ctx: &mut Ctx, from: String, to: String, gold: u64) -> Result<u64, No> {
    let left = ctx.update_row(from, |account: &mut Account| {
        let left = account.gold.checked_sub(gold).ok_or_else(|| No::Poor { short: gold - account.gold })?;
        account.gold = left;
        Ok::<_, No>(left)
    })??;
    ctx.update_row(to, |account: &mut Account| account.gold += gold)?;
    Ok(left)
}

#[reducer]
fn rename(ctx: &mut Ctx, name: String) -> Result<(), No> {
    let (_, own) = ctx.find_by(Account::IDENTITY, &ctx.sender())?;
    ctx.remove_row::<Account>(own.name.clone());
    ctx.insert(Account { name, ..own })?;
    Ok(())
}

#[reducer]
fn make(ctx: &mut Ctx, prices: Vec<i32>) -> Result<Vec<EntityId>, No> {
    let owner = ctx.player()?;
    Ok(prices.into_iter().zip(1..).map(|(price, serial)| ctx.spawn(Item { owner, price, serial })).collect())
}

/// Prices of the caller's items, of all between 10 and 20 without 20, and of all above 15.
#[reducer]
fn prices(ctx: &mut Ctx) -> Result<Vec<i32>, No> {
    let owner = ctx.player()?;
    let own = ctx.scan_by(Item::OWNER, &owner).count() as i32;
    let between = ctx.range(Item::PRICE, 10..20).map(|(_, item)| item.price);
    let above = ctx.range(Item::PRICE, 16..).map(|(_, item)| item.price);
    let first = ctx.find_by(Item::SERIAL, &1)?.1.price;
    Ok([own, first].into_iter().chain(between).chain(above).collect())
}

#[reducer]
fn count_all(ctx: &mut Ctx) -> Result<u32, NoRefusal> {
    let mut all = 0;
    for (entity, creature) in ctx.scan::<Creature>() {
        ctx.set(entity, Creature { steps: creature.steps + 1, ..creature });
        all += 1;
    }
    Ok(all)
}

#[reducer]
fn around(ctx: &mut Ctx, at: Vec2, radius: f32) -> Result<Vec<EntityId>, NoRefusal> {
    let mut all = ctx.near(at, radius);
    all.extend(ctx.near_with::<Creature>(at, radius));
    Ok(all)
}

#[reducer]
fn say(ctx: &mut Ctx, words: String) -> Result<(), NoRefusal> {
    info!("{words}");
    let whose = ctx.sender();
    ctx.emit(Said { words });
    ctx.emit(Noted { whose });
    Ok(())
}

/// Every way a write can fail, as text.
#[reducer]
fn writes(ctx: &mut Ctx, gone: EntityId) -> Result<Vec<String>, No> {
    let player = ctx.player()?;
    let item = |serial| Item { owner: player, price: 1, serial };
    ctx.set(player, item(1));
    let other = ctx.spawn(());
    let failures = [
        ctx.try_set(gone, item(2)).unwrap_err().to_string(),
        ctx.try_set(other, item(1)).unwrap_err().to_string(),
        ctx.try_set(player, Anchor { at: Vec3::ZERO }).unwrap_err().to_string(),
        ctx.get::<Item>(other).unwrap_err().to_string(),
        ctx.update(other, |item: &mut Item| item.price = 2).unwrap_err().to_string(),
    ];
    assert!(ctx.has::<Item>(player) && !ctx.has::<Item>(other));
    assert!(ctx.remove::<Item>(player) && !ctx.remove::<Item>(player));
    assert!(ctx.despawn(other) && !ctx.despawn(other));
    Ok(failures.to_vec())
}

#[reducer(private)]
fn storm(ctx: &mut Ctx) -> Result<f32, No> {
    let weather = ctx.resource::<Weather>()?;
    ctx.set_resource(Weather { rain: weather.rain * 2.0, ..weather });
    Ok(ctx.resource::<Weather>()?.rain)
}

#[reducer(role = Admin)]
fn proclaim(ctx: &mut Ctx, text: String) -> Result<String, No> {
    let before = ctx.resource::<Motto>()?.text;
    ctx.set_resource(Motto { text });
    Ok(before)
}

#[reducer]
fn roll(ctx: &mut Ctx) -> Result<[u32; 4], NoRefusal> {
    let rng = ctx.rng();
    Ok(std::array::from_fn(|_| rng.u32()))
}

pub const PLUGIN: Plugin = plugin! {
    reducers: [
        begin, arrive, depart, transfer, rename, make, prices, count_all, around, say, writes, storm, proclaim, roll,
    ],
};
