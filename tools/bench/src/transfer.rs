//! Transfers between accounts, each a transaction of a WASM reducer.

use std::collections::HashMap;
use std::hint::black_box;
use std::path::Path;

use bench_module::accounts::{fill, transfer};
use evertick_schema::{Identity, SessionId, Timestamp};
use evertick_world::{Call, CallResult, Caller};
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::fixture::{call, encode, seconds, simulation};
use crate::report::{Measure, median};
use crate::{RUNS, Result};

const ACCOUNTS: u64 = 100_000;
/// Accounts made by one call.
const FILL: u64 = 10_000;
/// Different transfers; each run does all of them, several times over.
const CALLS: usize = 50_000;
const ROUNDS: usize = 8;
/// Bytes of a call's arguments: two accounts and an amount.
const ARGS_BYTES: usize = 24;
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
    // One behind the other, as an inbox has them when they have just come in.
    let (reducer, _) = encode(&description, &transfer::call(0, 1, 1))?;
    let mut calls = Vec::new();
    for (from, to) in &pairs {
        calls.extend(encode(&description, &transfer::call(*from, *to, 1))?.1);
    }
    let caller = Caller { identity: Identity([7; 32]), session: SessionId(1), ..Caller::default() };

    let (mut rates, mut native) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let mut done = 0;
        let took = seconds(|| {
            for group in (0..ROUNDS).flat_map(|_| calls.chunks(GROUP * ARGS_BYTES)) {
                for args in group.chunks_exact(ARGS_BYTES) {
                    let call = Call { module: 0, reducer, args, caller: &caller };
                    done += usize::from(matches!(simulation.call(&call, Timestamp(0)), CallResult::Ok(_)));
                }
                let delta = simulation.commit(Timestamp(0));
                simulation.world_mut().recycle(delta);
            }
        });
        if done != CALLS * ROUNDS {
            return Err(format!("{} transfers failed", CALLS * ROUNDS - done).into());
        }
        rates.push(done as f64 / took);
        native.push(done as f64 / natively(&pairs));
    }
    Ok(vec![Measure::higher("transfer.in_process", "calls/s", &rates, Some(median(&native)))])
}

/// The same transfers on a hash map, for scale.
fn natively(pairs: &[(u64, u64)]) -> f64 {
    let mut balances: HashMap<u64, i64> = (0..ACCOUNTS).map(|id| (id, 1_000_000)).collect();
    seconds(|| {
        for (from, to) in (0..ROUNDS).flat_map(|_| pairs) {
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
