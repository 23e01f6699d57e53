//! `?` on a missing row needs a variant that stands for it.
use evertick_module::prelude::*;

#[table(key = name)]
pub struct Account {
    pub name: String,
    pub gold: u64,
}

#[derive(Debug, Refusal)]
pub enum PayRefusal {
    #[refusal("that is {gold} more than you have")]
    TooMuch { gold: u64 },
}

#[reducer]
fn pay(ctx: &mut Ctx, gold: u64) -> Result<(), PayRefusal> {
    let player = ctx.player()?;
    ctx.update(player, |account: &mut Account| account.gold -= gold)?;
    ctx.insert(Account { name: String::new(), gold })?;
    Ok(())
}

fn main() {}
