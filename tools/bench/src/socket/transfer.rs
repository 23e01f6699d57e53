//! Transfers that clients call over WebSockets.

use std::path::Path;
use std::time::Duration;

use crate::report::Measure;
use crate::socket::load::{fill_accounts, rates};
use crate::socket::pin::{CLIENTS, pin};
use crate::socket::server::Process;
use crate::{RUNS, Result};

const CLIENT_COUNT: usize = 64;
const IN_FLIGHT: usize = 40;
/// The length of one run.
const RUN: Duration = Duration::from_millis(1500);

/// 64 clients with 40 calls each under way, against a server that keeps nothing.
pub(crate) fn run(module: &Path) -> Result<Vec<Measure>> {
    let module = module.to_owned();
    // A thread of its own, so that only it is pinned.
    let measured = std::thread::spawn(move || measure(&module).map_err(|error| error.to_string())).join();
    Ok(measured.map_err(|_| "the clients' thread panicked")??)
}

fn measure(module: &Path) -> Result<Vec<Measure>> {
    let server = Process::start(module)?;
    pin(CLIENTS)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(fill_accounts(server.url()))?;
    let mut marks = Vec::new();
    let mark = || Ok(marks.push(server.threads()?));
    let rates = runtime.block_on(rates(server.url(), CLIENT_COUNT, IN_FLIGHT, RUNS, RUN, mark))?;
    for (rate, mark) in rates.iter().zip(marks.chunks_exact(2)) {
        let calls = rate * RUN.as_secs_f64();
        let spent = mark[0].iter().zip(&mark[1]).map(|((name, before), (_, after))| {
            format!("{name} {:.3}", (*after - *before).as_secs_f64() * 1e6 / calls)
        });
        eprintln!("{rate:.0} calls/s; µs of each call by thread: {}", spent.collect::<Vec<_>>().join(", "));
    }
    Ok(vec![Measure::higher("transfer.socket.64x40", "calls/s", &rates, None)])
}
