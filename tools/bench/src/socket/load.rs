//! Many clients that keep a number of calls under way, on one thread.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use bench_module::accounts::{fill, transfer};
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use tokio::task::{JoinSet, LocalSet};

use crate::Result;
use crate::socket::client::Client;

/// Accounts that transfers go between.
pub(crate) const ACCOUNTS: u64 = 100_000;
/// Accounts made by one call.
const FILL: u64 = 10_000;

/// Makes the accounts.
pub(crate) async fn fill_accounts(url: &str) -> Result {
    let mut client = Client::connect(url, 0).await?;
    for from in (0..ACCOUNTS).step_by(FILL as usize) {
        let (reducer, args) = client.encode(&fill::call(from, from + FILL))?;
        client.call(reducer, &args);
        client.results().await?;
    }
    Ok(())
}

/// Results per second of all clients within each of `runs` windows of `length`, after a warm-up of one window, and how many
/// there were in all. `mark` is called at the start and the end of each window that counts.
pub(crate) async fn rates(
    url: &str,
    clients: usize,
    in_flight: usize,
    runs: usize,
    length: Duration,
    mut mark: impl FnMut() -> Result,
) -> Result<(Vec<f64>, u64)> {
    let count = Rc::new(Cell::new(0_u64));
    let failed = Rc::new(RefCell::new(None));
    let local = LocalSet::new();
    let work = async {
        let mut tasks = JoinSet::new();
        for number in 0..clients {
            let client = Client::connect(url, number + 1).await?;
            let (count, failed) = (Rc::clone(&count), Rc::clone(&failed));
            tasks.spawn_local(async move {
                if let Err(error) = keep_calling(client, number, in_flight, &count).await {
                    failed.borrow_mut().get_or_insert(error);
                }
            });
        }
        tokio::time::sleep(length).await;
        let mut rates = Vec::new();
        for _ in 0..runs {
            mark()?;
            let (start, before) = (Instant::now(), count.get());
            tokio::time::sleep(length).await;
            rates.push((count.get() - before) as f64 / start.elapsed().as_secs_f64());
            mark()?;
            if let Some(error) = failed.borrow_mut().take() {
                return Err(error);
            }
        }
        Ok((rates, count.get()))
    };
    local.run_until(work).await
}

/// Answers every batch of results with as many new calls, written at once.
async fn keep_calling(mut client: Client, number: usize, in_flight: usize, count: &Cell<u64>) -> Result {
    let mut dice = Pcg64Mcg::seed_from_u64(number as u64);
    let mut account = move || dice.next_u64() % ACCOUNTS;
    let (reducer, _) = client.encode(&transfer::call(0, 1, 1))?;
    let mut args = Vec::new();
    let mut free = in_flight;
    loop {
        for _ in 0..free {
            let from = account();
            let to = (from + 1 + account() % (ACCOUNTS - 1)) % ACCOUNTS;
            args.clear();
            evertick_schema::Call::encode(&transfer::call(from, to, 1), &mut args);
            client.call(reducer, &args);
        }
        free = client.results().await?;
        count.set(count.get() + free as u64);
    }
}

/// The time from a call to its result, of `calls` calls one after the other; `between` is called after each.
pub(crate) async fn latencies(
    url: &str,
    calls: usize,
    mut between: impl FnMut() -> Result,
) -> Result<Vec<f64>> {
    let mut client = Client::connect(url, 1).await?;
    let mut times = Vec::with_capacity(calls);
    for number in 0..calls as u64 {
        let (reducer, args) =
            client.encode(&transfer::call(number % ACCOUNTS, (number + 1) % ACCOUNTS, 1))?;
        let start = Instant::now();
        client.call(reducer, &args);
        client.results().await?;
        times.push(start.elapsed().as_secs_f64());
        between()?;
    }
    Ok(times)
}
