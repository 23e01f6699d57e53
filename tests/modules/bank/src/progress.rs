//! How far each client has come.
use evertick_module::prelude::*;

/// The last step of a client that is in the books. It is written with whatever else the step changes.
#[table(key = client)]
pub struct Progress {
    pub step: u64,
    pub client: u32,
    pub reserved: u32,
}

#[derive(Debug, PartialEq, Refusal)]
pub enum StepRefusal {
    #[refusal("client {client} has done step {step} already")]
    Again { client: u32, step: u64 },
    #[refusal("there is no such thing", missing)]
    Missing,
    #[refusal("account {account} lacks {amount}")]
    Poor { account: u32, amount: i64 },
}

/// A step's number in all the world: what it makes is called by that.
pub fn id(client: u32, step: u64) -> u64 {
    u64::from(client) << 40 | step
}

/// Notes that `client` does `step`. Steps ascend, so a call that ran twice would be refused.
pub(crate) fn note(ctx: &mut Ctx, client: u32, step: u64) -> Result<(), StepRefusal> {
    let progress = Progress { step, client, reserved: 0 };
    match ctx.find_entity::<Progress>(client) {
        Ok((entity, known)) => {
            ensure!(step > known.step, StepRefusal::Again { client, step });
            ctx.set(entity, progress);
        }
        Err(Missing { .. }) => {
            ctx.insert(progress).expect("it is not there");
        }
    }
    Ok(())
}

pub const PLUGIN: Plugin = plugin! { rows: [Progress] };
