//! The game that is played: every class of rows, timers, random numbers, a system.

use evertick_schema::{Access, EntityId, ReducerDef, ReducerKind, RefusalDef, StorageClass, Timestamp, Type};
use evertick_world::{Config, GuestFault, Module, Outcome, RowId, Simulation, Tx};

use super::native::*;

/// The period of rows of checkpoint row types.
pub(super) const CHECKPOINT_US: i64 = 300_000;

pub(super) const REDUCERS: u64 = 8;
/// Accounts that transfers are between.
pub(super) const ACCOUNTS: u64 = 6;

fn number(args: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(args[at * 8..at * 8 + 8].try_into().unwrap())
}

/// An entity with a position, picked by a number.
fn pick(tx: &Tx<'_>, row: RowId, number: u64) -> Option<EntityId> {
    let mut all: Vec<EntityId> = tx.scan(row).map(|(entity, _)| entity).collect();
    all.sort();
    (!all.is_empty()).then(|| all[number as usize % all.len()])
}

fn transfer(tx: &mut Tx<'_>, rows: &[RowId], args: &[u8]) -> Result<Outcome, GuestFault> {
    let (from, to, amount) = (number(args, 0) % ACCOUNTS, number(args, 1) % ACCOUNTS, number(args, 2) % 50);
    for (id, amount) in [(from, -(amount as i64)), (to, amount as i64)] {
        let entity = tx.find(rows[ACCOUNT], 0, &id.to_le_bytes()).unwrap();
        let balance = i64::from_le_bytes(tx.get(rows[ACCOUNT], entity).unwrap()[8..].try_into().unwrap());
        tx.set(rows[ACCOUNT], entity, &account(id, balance + amount)).unwrap();
    }
    if amount == 13 { refused(13) } else { done() }
}

fn spawn(tx: &mut Tx<'_>, rows: &[RowId], args: &[u8]) -> Result<Outcome, GuestFault> {
    let entity = tx.spawn();
    let kinds = number(args, 0);
    if kinds & 1 == 1 {
        tx.set(rows[POSITION], entity, &vec2(number(args, 1) as u8 as f32, 0.0)).unwrap();
    }
    if kinds & 2 == 2 {
        tx.set(rows[VELOCITY], entity, &vec2(1.0, 0.0)).unwrap();
    }
    if kinds & 4 == 4 {
        tx.set(rows[HEALTH], entity, &health(5, true)).unwrap();
    }
    done()
}

fn change(tx: &mut Tx<'_>, rows: &[RowId], args: &[u8]) -> Result<Outcome, GuestFault> {
    let Some(entity) = pick(tx, rows[HEALTH], number(args, 0)) else { return done() };
    let points = number(args, 1) as u32 % 100;
    tx.set(rows[HEALTH], entity, &health(points, points.is_multiple_of(2))).unwrap();
    done()
}

fn relabel(tx: &mut Tx<'_>, rows: &[RowId], args: &[u8]) -> Result<Outcome, GuestFault> {
    let Some(entity) = pick(tx, rows[POSITION], number(args, 0)) else { return done() };
    match number(args, 1) % 4 {
        0 => drop(tx.remove(rows[LABEL], entity)),
        1 => drop(tx.despawn(entity)),
        2 => drop(tx.remove(rows[POSITION], entity)),
        // Now and then a record of several parts.
        _ => {
            let long = number(args, 2).is_multiple_of(2);
            let text = "x".repeat(if long { 3_000 } else { number(args, 2) as usize % 40 });
            tx.set(rows[LABEL], entity, &label(&text)).unwrap();
            if long {
                for _ in 0..3 {
                    let other = tx.spawn();
                    tx.set(rows[LABEL], other, &label(&text)).unwrap();
                }
            }
        }
    }
    done()
}

fn later(tx: &mut Tx<'_>, _: &[RowId], args: &[u8]) -> Result<Outcome, GuestFault> {
    let at = Timestamp(tx.now().0 + (number(args, 0) % 400_000) as i64);
    tx.after(at, 0, 0, args).unwrap();
    done()
}

fn draw(tx: &mut Tx<'_>, rows: &[RowId], args: &[u8]) -> Result<Outcome, GuestFault> {
    let drawn = tx.random() as u32;
    if number(args, 0).is_multiple_of(2) {
        tx.insert_row(rows[SEASON], &drawn.to_le_bytes()).unwrap();
    }
    done()
}

fn scratch(tx: &mut Tx<'_>, rows: &[RowId], _: &[u8]) -> Result<Outcome, GuestFault> {
    // Nothing of this is stored, and yet clients see the id.
    let entity = tx.spawn();
    tx.set(rows[VELOCITY], entity, &vec2(0.0, 1.0)).unwrap();
    done()
}

fn init(tx: &mut Tx<'_>, rows: &[RowId], _: &[u8]) -> Result<Outcome, GuestFault> {
    for id in 0..ACCOUNTS {
        tx.insert_row(rows[ACCOUNT], &account(id, 1000)).unwrap();
    }
    done()
}

fn module() -> Module {
    let args = [("a", Type::U64), ("b", Type::U64), ("c", Type::U64)];
    let game = Game::new("game")
        .reducer(call("transfer", &args), transfer)
        .reducer(call("spawn", &args), spawn)
        .reducer(call("change", &args), change)
        .reducer(call("relabel", &args), relabel)
        .reducer(call("later", &args), later)
        .reducer(call("draw", &args), draw)
        .reducer(call("scratch", &args), scratch)
        .reducer(call("transfer_again", &args), transfer)
        .reducer(
            ReducerDef { kind: ReducerKind::Init, refusals: Vec::<RefusalDef>::new(), ..call("init", &[]) },
            init,
        );
    let params = vec![query(&[(POSITION, Access::Write)])];
    let game = game.system(system("drift", params), |view| {
        let tables = view.params()[0].tables();
        for (number, table) in tables.iter().enumerate() {
            let positions = table.columns()[0].as_ref().unwrap().flat().unwrap();
            let mut moved = Vec::new();
            for (at, position) in positions.chunks(8).enumerate() {
                let (x, y) = read_vec2(position);
                let moves = (at as u64 + view.tick()).is_multiple_of(3);
                moved.extend(if moves { vec2(x, y + 1.0) } else { vec2(x, y) });
            }
            view.write_back(0, number, 0, &moved)?;
        }
        Ok(())
    });
    let mut module = game.module();
    module.description.rows[POSITION].storage = StorageClass::Checkpoint { every_us: CHECKPOINT_US };
    module.description.rows[VELOCITY].storage = StorageClass::Transient;
    module
}

/// A new simulation of the game.
pub(super) fn simulation(seed: u64) -> Simulation {
    Simulation::new(Config { seed, ..Config::default() }, TICK, vec![module()]).unwrap()
}
