//! Transfers that clients call over WebSockets.

use std::path::Path;
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::disk::{Directory, Disk};
use crate::report::{Measure, median};
use crate::socket::load::{fill_accounts, latencies, rates};
use crate::socket::pin::{CLIENTS, pin};
use crate::socket::server::{COUNTERS_AGE_MAX, Process, Serving, Transport};
use crate::{RUNS, Result};

const CLIENT_COUNT: usize = 64;
const IN_FLIGHT: usize = 40;
/// The length of one run.
const RUN: Duration = Duration::from_millis(1500);
/// Calls one after the other, of one run.
const SINGLE_CALLS: usize = 300;

/// 64 clients with 40 calls each under way: against a server that keeps nothing, and against one whose results wait for the
/// disk; and one client that waits for each result.
pub(crate) fn run(module: &Path) -> Result<Vec<Measure>> {
    let module = module.to_owned();
    // A thread of its own, so that only it is pinned.
    let measured = std::thread::spawn(move || {
        pin(CLIENTS).and_then(|()| measure(&module)).map_err(|error| error.to_string())
    });
    Ok(measured.join().map_err(|_| "the clients' thread panicked")??)
}

fn measure(module: &Path) -> Result<Vec<Measure>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let server = Process::start(module, &Serving::default())?;
    runtime.block_on(fill_accounts(server.url(Transport::WebSocket)?))?;
    let (socket, _) = full_load(&runtime, &server)?;
    drop(server);

    let directory = Directory::new("transfer")?;
    let data = directory.path().join("data");
    let mut server = Process::start(module, &Serving { data: Some(&data), ..Serving::default() })?;
    let url = server.url(Transport::WebSocket)?.to_owned();
    runtime.block_on(fill_accounts(&url))?;
    let mut disk = Disk::new(&directory)?;
    let (mut singles, mut limits) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        // In turns: how long a disk takes changes from one moment to the next.
        let mut syncs = Vec::new();
        let sync = || {
            syncs.push(disk.sync_seconds()?);
            Ok(())
        };
        let calls = runtime.block_on(latencies(&url, SINGLE_CALLS, sync))?;
        let (call, sync) = (median(&calls) * 1e3, median(&syncs) * 1e3);
        eprintln!("one call {call:.3} ms, one sync of the disk {sync:.3} ms");
        singles.push(call);
        limits.push(1.3 * sync + 0.1);
    }
    std::thread::sleep(COUNTERS_AGE_MAX);
    let before = server.numbers()?;
    let (durable, calls) = full_load(&runtime, &server)?;
    std::thread::sleep(COUNTERS_AGE_MAX);
    let after = server.numbers()?;
    let bytes = (after.log_bytes - before.log_bytes) as f64;
    let records = after.log_records - before.log_records;
    eprintln!("{calls} calls in {records} records");
    Ok(vec![
        Measure::higher("transfer.socket.64x40", "calls/s", &socket, None),
        Measure::higher("transfer.durable.64x40", "calls/s", &durable, Some(median(&socket))),
        Measure::lower("transfer.durable.single.p50", "ms", &singles, Some(median(&limits))),
        Measure::lower("log.per_transfer", "bytes", &[bytes / calls as f64], None),
    ])
}

/// Results per second, and how many there were in all; on standard error what each thread of the server took for one.
fn full_load(runtime: &Runtime, server: &Process) -> Result<(Vec<f64>, u64)> {
    let mut marks = Vec::new();
    let mark = || -> Result {
        marks.push(server.threads()?);
        Ok(())
    };
    let url = server.url(Transport::WebSocket)?;
    let (rates, calls) = runtime.block_on(rates(url, CLIENT_COUNT, IN_FLIGHT, RUNS, RUN, mark))?;
    for (rate, mark) in rates.iter().zip(marks.chunks_exact(2)) {
        let calls = rate * RUN.as_secs_f64();
        let spent = mark[1].iter().filter_map(|(name, after)| {
            let spent = after.saturating_sub(*mark[0].get(name)?).as_secs_f64() * 1e6 / calls;
            (spent >= 0.01).then(|| format!("{name} {spent:.2}"))
        });
        eprintln!("{rate:.0} calls/s; µs of each call by thread: {}", spent.collect::<Vec<_>>().join(", "));
    }
    Ok((rates, calls))
}
