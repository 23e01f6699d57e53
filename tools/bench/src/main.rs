//! The benchmarks behind `cargo xtask bench`. Each is at least five runs in one process on one core, and
//! reports the median with the lowest and highest run; where there is one, a native or physical reference of
//! the same run stands beside it as `limit`.

mod crowd;
mod disk;
mod fixture;
mod memory;
mod replication;
mod report;
mod socket;
mod stored;
mod sweep;
mod transfer;
mod wire;

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

use crate::report::Measure;

/// What a benchmark returns; an error ends the run.
type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// Runs of each benchmark.
const RUNS: usize = 7;

#[derive(Parser)]
#[command(subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
struct Args {
    /// The bench module's .wasm file.
    #[arg(long, required = true)]
    module: Option<PathBuf>,
    /// Only benchmarks whose name starts with one of these.
    #[arg(long, num_args = 1..)]
    only: Vec<String>,
    /// Also write the results here, as a JSON array.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Only print the bytes that an entity takes, measured in this process.
    #[arg(long, hide = true)]
    memory_probe: bool,
    #[command(subcommand)]
    part: Option<Part>,
}

/// What a benchmark starts as a process of its own.
#[derive(Subcommand)]
enum Part {
    /// The server of the benchmarks over sockets.
    #[command(hide = true)]
    Serve(socket::Serve),
}

/// A benchmark: the names it reports, and how.
type Bench = (&'static [&'static str], fn(&Path) -> Result<Vec<Measure>>);

const BENCHES: [Bench; 11] = [
    (&["transfer.in_process"], transfer::run),
    (&["sweep.100k", "sweep.100k.vs_native"], sweep::run),
    (&["memory.per_entity"], memory::run),
    (&["wire.per_move"], wire::run),
    (
        &[
            "transfer.socket.64x40",
            "transfer.durable.64x40",
            "transfer.durable.single.p50",
            "log.per_transfer",
        ],
        socket::run,
    ),
    (&["recovery.1m", "snapshot.1m.tick_excess", "log.per_move"], stored::run),
    (&["replication.10kx100k", "replication.10kx100k.cells_64"], replication::run),
    (
        &[
            "crowd.ws.1000x10k.tick_p99",
            "crowd.ws.1000x10k.cpu",
            "crowd.ws.1000x10k.bytes",
            "crowd.ws.1000x10k.staleness_p99",
        ],
        crowd::spread,
    ),
    (
        &["crowd.hotspot.1000.tick_p99", "crowd.hotspot.1000.bytes_max", "crowd.hotspot.1000.nearest_rate"],
        crowd::hotspot,
    ),
    (&["crowd.quic.capacity"], crowd::capacity),
    (&["memory.per_session.quic", "memory.per_session.ws"], crowd::memory),
];

fn main() -> Result {
    let args = Args::parse();
    if let Some(Part::Serve(serve)) = &args.part {
        return socket::serve(serve);
    }
    let module = args.module.ok_or("--module is missing")?;
    if args.memory_probe {
        println!("{}", memory::probe(&module)?);
        return Ok(());
    }
    let wanted =
        |name: &str| args.only.is_empty() || args.only.iter().any(|only| name.starts_with(only.as_str()));
    let mut measures = Vec::new();
    for (names, bench) in BENCHES {
        if names.iter().any(|name| wanted(name)) {
            let done = bench(&module)?.into_iter().filter(|measure| wanted(&measure.name));
            measures.extend(done.inspect(|measure| println!("{measure}")));
        }
    }
    if let Some(file) = args.json {
        std::fs::write(file, serde_json::to_vec_pretty(&measures)?)?;
    }
    Ok(())
}
