//! Transfers between accounts, each a transaction of a WASM reducer.

use std::collections::HashMap;
use std::hint::black_box;
use std::path::Path;

use bench_module::accounts::{fill, transfer};
use evertick_schema::Timestamp;
use evertick_world::{Call, CallResult, Caller};
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::fixture::{call, encode, seconds, simulation};
use crate::report::{Measure, median};
use crate::{RUNS, Result};

const ACCOUNTS: u64 = 100_000;
/// Accounts made by one call.
const FILL: u64 = 10_000;
/// Transfers of one run.
const CALLS: usize = 400_000;
/// Transfers committed together, as a host does when its inbox is full.
const GROUP: usize = 256;

/// Two look-ups by key, two reads and two writes; without sockets, log and clients.
pub(crate) fn run(module: &Path) -> Result<Vec<Measure>> {
    let (mut simulation, description) = simulation(module, |guest| guest)?;
    for from in (0..ACCOUNTS).step_by(FILL as usize) {
        call(&mut simulation, &description, &fill::call(from, from + FILL))?;
    }
    let mut dice = Pcg64Mcg::seed_from_u64(7);
    let mut account = || dice.next_u64() % ACCOUNTS;
    let pairs: Vec<(u64, u64)> = (0..CALLS)
        .map(|_| {
            let from = account();
            (from, (from + 1 + account() % (ACCOUNTS - 1)) % ACCOUNTS)
        })
        .collect();
    let calls = pairs.iter().map(|(from, to)| encode(&description, &transfer::call(*from, *to, 1)));
    let calls = calls.collect::<Result<Vec<_>>>()?;
    let caller = Caller::default();

    let (mut rates, mut native) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let mut done = 0;
        let took = seconds(|| {
            for group in calls.chunks(GROUP) {
                for (reducer, args) in group {
                    let call = Call { module: 0, reducer: *reducer, args, caller: &caller };
                    done += usize::from(matches!(simulation.call(&call, Timestamp(0)), CallResult::Ok(_)));
                }
                let delta = simulation.commit(Timestamp(0));
                simulation.world_mut().recycle(delta);
            }
        });
        if done != CALLS {
            return Err(format!("{} of {CALLS} transfers failed", CALLS - done).into());
        }
        rates.push(CALLS as f64 / took);
        native.push(CALLS as f64 / natively(&pairs));
    }
    Ok(vec![Measure::higher("transfer.in_process", "calls/s", &rates, Some(median(&native)))])
}

/// The same transfers on a hash map, for scale.
fn natively(pairs: &[(u64, u64)]) -> f64 {
    let mut balances: HashMap<u64, i64> = (0..ACCOUNTS).map(|id| (id, 1_000_000)).collect();
    seconds(|| {
        for (from, to) in pairs {
            let (Some(payer), Some(payee)) = (balances.get(from).copied(), balances.get(to).copied()) else {
                continue;
            };
            if payer >= 1 {
                balances.insert(*from, payer - 1);
                balances.insert(*to, payee + 1);
            }
        }
        black_box(&balances);
    })
}
