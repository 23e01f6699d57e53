//! Compares a recovered world with what was promised.

mod steps;

use std::collections::{BTreeMap, BTreeSet};

use bank_module::accounts::{ACCOUNTS, Account, BALANCE_AT_FIRST, Entry};
use bank_module::alarms::Alarm;
use bank_module::movers::{Blur, Ghost, MOVERS_AT_FIRST, Mover, Odometer, Position};
use bank_module::presence::{Door, Presence};
use bank_module::rounding::FEE;
use evertick_schema::{Duration, EntityId, SessionId};
use evertick_world::World;

use crate::bank::book::Books;
use crate::bank::read::{all, resource};

/// How far behind what was seen a row of the checkpoint class may be: its 200 ms, the 200 ms in which an awaited
/// record is synced, and a second in which the machine had other things to do.
const CHECKPOINT_LAG_MAX: Duration = Duration::from_millis(1_400);

/// A condition that has to hold, with words for when it does not.
macro_rules! hold {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err(format!($($words)+));
        }
    };
}
use hold;

/// Whether the world is what the books say; the books then begin anew from it. `open` are the sessions that the
/// log says were open.
///
/// # Errors
///
/// The first thing that is lost, torn, or there without reason.
pub fn audit(world: &World, open: &[SessionId], books: &mut Books) -> Result<(), String> {
    consistent(world)?;
    seen(world, books)?;
    steps::Traces::of(world).compare(books)?;
    alarms(world, books)?;
    movers(world, books)?;
    presence(world, open)
}

/// Whether the world is one that could have been: indexes, grid and counts are what the rows say, balances are the
/// sums of the ledger, and no coin is made or lost.
///
/// # Errors
///
/// The first thing that does not fit.
pub fn consistent(world: &World) -> Result<(), String> {
    world.check().map_err(|error| error.to_string())?;
    let mut sums: BTreeMap<u32, (i64, u32)> =
        (0..ACCOUNTS).map(|number| (number, (BALANCE_AT_FIRST, 0))).collect();
    let mut book = |number: u32, amount: i64, entries: u32| {
        let sum = sums.entry(number).or_default();
        *sum = (sum.0 + amount, sum.1 + entries);
    };
    for (_, entry) in all::<Entry>(world) {
        book(entry.from, -(entry.amount + FEE), 1);
        book(entry.to, entry.amount, 1);
        book(0, FEE, 0);
    }
    let found: BTreeMap<u32, (i64, u32)> = all(world)
        .into_iter()
        .map(|(_, account): (_, Account)| (account.number, (account.balance, account.entries)))
        .collect();
    hold!(found == sums, "accounts say {found:?}, the ledger {sums:?}");
    let total: i64 = found.values().map(|(balance, _)| balance).sum();
    hold!(total == BALANCE_AT_FIRST * i64::from(ACCOUNTS), "the balances' sum is {total}");
    Ok(())
}

/// Clients are shown only what is synced.
fn seen(world: &World, books: &Books) -> Result<(), String> {
    for (_, account) in all::<Account>(world) {
        let seen = books.seen.entries.get(&account.number).copied().unwrap_or(0);
        hold!(account.entries >= seen, "a client saw {seen} entries of {account:?}");
    }
    Ok(())
}

/// Each alarm that was set rings once: it has rung, or its timer waits.
fn alarms(world: &World, books: &Books) -> Result<(), String> {
    let waiting: Vec<u64> = world
        .timers()
        .filter_map(|(_, _, call)| call.args.get(..8)?.try_into().ok().map(u64::from_le_bytes))
        .collect();
    let alarms = all::<Alarm>(world);
    hold!(
        alarms.len() == books.alarms.len()
            && alarms.iter().all(|(_, alarm)| books.alarms.contains(&alarm.id)),
        "{} alarms instead of {}, or others",
        alarms.len(),
        books.alarms.len()
    );
    for (_, alarm) in alarms {
        let timers = waiting.iter().filter(|id| **id == alarm.id).count() as u64;
        hold!(alarm.rung + timers == 1, "{alarm:?} has {timers} timers");
    }
    Ok(())
}

/// Movers are those that were built and not scrapped, with the rows that their classes say.
fn movers(world: &World, books: &Books) -> Result<(), String> {
    let movers = all::<Mover>(world);
    let mut expected: BTreeSet<EntityId> =
        books.clients.iter().flat_map(|book| book.movers.values().copied()).collect();
    for (entity, mover) in &movers {
        hold!(
            mover.number < MOVERS_AT_FIRST.into() || expected.remove(entity),
            "mover {mover:?} {entity} was scrapped or never built"
        );
    }
    hold!(expected.is_empty(), "movers are lost: {expected:?}");
    hold!(
        movers.iter().filter(|(_, mover)| mover.number < MOVERS_AT_FIRST.into()).count()
            == MOVERS_AT_FIRST as usize,
        "a mover of the beginning is lost"
    );
    let positions: BTreeMap<EntityId, Position> = all(world).into_iter().collect();
    let odometers: BTreeMap<EntityId, Odometer> = all(world).into_iter().collect();
    hold!(
        (positions.len(), odometers.len()) == (movers.len(), movers.len()),
        "{} movers, {} positions, {} odometers",
        movers.len(),
        positions.len(),
        odometers.len()
    );
    for (entity, _) in &movers {
        hold!(
            positions.contains_key(entity) && odometers.contains_key(entity),
            "mover {entity} has lost a row"
        );
    }
    let moved = odometers.values().map(|odometer| odometer.at).max();
    if let (Some(seen), Some(moved)) = (books.seen.moved, moved) {
        hold!(seen - moved <= CHECKPOINT_LAG_MAX, "movers were seen at {seen:?} and are as of {moved:?}");
    }
    hold!(all::<Blur>(world).is_empty() && all::<Ghost>(world).is_empty(), "transient rows came back");
    Ok(())
}

/// Those who are there are those whose sessions are open.
fn presence(world: &World, open: &[SessionId]) -> Result<(), String> {
    let there: BTreeSet<u64> =
        all(world).into_iter().map(|(_, presence): (_, Presence)| presence.session).collect();
    let open: BTreeSet<u64> = open.iter().map(|session| session.0).collect();
    hold!(there == open, "present are {there:?}, open {open:?}");
    let Door { came, left } = resource(world).unwrap_or(Door { came: 0, left: 0 });
    hold!(came - left == there.len() as u64, "{came} came, {left} left, {} are there", there.len());
    Ok(())
}
