//! Accounts, and a ledger of all that moved between them.
use evertick_module::prelude::*;

use crate::progress::{StepRefusal, id, note};
use crate::rounding::FEE;

pub const ACCOUNTS: u32 = 32;
pub const BALANCE_AT_FIRST: i64 = 1_000;

/// Account 0 is the bank's own. The sum of all balances never changes.
#[table(visible = everyone, key = number)]
pub struct Account {
    pub balance: i64,
    pub number: u32,
    /// How many entries of the ledger name it.
    pub entries: u32,
}

/// A transfer that took place.
#[table(key = id)]
pub struct Entry {
    pub id: u64,
    pub amount: i64,
    pub at: Timestamp,
    #[index]
    pub from: u32,
    #[index]
    pub to: u32,
}

#[reducer(init)]
fn found(ctx: &mut Ctx) -> Result<(), NoRefusal> {
    for number in 0..ACCOUNTS {
        let account = Account { balance: BALANCE_AT_FIRST, number, entries: 0 };
        ctx.insert(account).expect("the numbers differ");
    }
    crate::movers::populate(ctx);
    Ok(())
}

/// Everything is written first and checked last: a refusal has something to undo.
#[reducer]
fn transfer(
    ctx: &mut Ctx,
    client: u32,
    step: u64,
    from: u32,
    to: u32,
    amount: i64,
) -> Result<i64, StepRefusal> {
    note(ctx, client, step)?;
    let at = ctx.now();
    let entry = Entry { id: id(client, step), amount, at, from, to };
    ctx.insert(entry).expect("a step is done once");
    let book = |ctx: &mut Ctx, number: u32, amount: i64, entries: u32| {
        ctx.update_row(number, |account: &mut Account| {
            account.balance += amount;
            account.entries += entries;
            account.balance
        })
    };
    let left = book(ctx, from, -(amount + FEE), 1)?;
    book(ctx, to, amount, 1)?;
    book(ctx, 0, FEE, 0)?;
    ensure!(left >= 0, StepRefusal::Poor { account: from, amount: -left });
    Ok(left)
}

/// Writes into the books and then panics.
#[reducer]
fn rob(ctx: &mut Ctx, client: u32, step: u64, from: u32) -> Result<(), StepRefusal> {
    note(ctx, client, step)?;
    ctx.update_row(from, |account: &mut Account| account.balance = 0)?;
    panic!("the alarm goes off");
}

pub const PLUGIN: Plugin = plugin! {
    rows: [Account, Entry],
    reducers: [found, transfer, rob],
};
