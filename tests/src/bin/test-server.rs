//! The server of tests that kill it: any module, a data directory, small files, a WebSocket on a free port.
//!
//! Prints its address when it is up (with `--quic` both of them, on one line). Answers each line of its standard input by a line with the
//! gateway's counters, and ends when its standard input does.

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use evertick::{GatewayConfig, RunningServer, Server, SessionLimits};

#[derive(Parser)]
struct Args {
    /// The module's name.
    #[arg(long)]
    name: String,
    /// Its .wasm file.
    #[arg(long)]
    module: PathBuf,
    /// Where the world is kept.
    #[arg(long)]
    data: PathBuf,
    /// Where compiled modules are kept.
    #[arg(long)]
    cache: PathBuf,
    /// The time between two ticks.
    #[arg(long, default_value_t = 20)]
    tick_ms: u64,
    /// Also by QUIC.
    #[arg(long)]
    quic: bool,
    /// Holds sessions to the limits of games.
    #[arg(long)]
    limited: bool,
    /// Messages that may wait for a client to read them.
    #[arg(long, default_value_t = SessionLimits::default().outgoing_messages_max)]
    messages_waiting_max: usize,
}

/// The gateway's counters by name, on a line; those of closes are `closes_` and the code.
fn counters(server: &RunningServer) -> String {
    let gateway = server.snapshot().gateway;
    let closes = gateway.closes.iter().enumerate().map(|(code, count)| format!("closes_{code}={count} "));
    gateway.values().map(|(name, value)| format!("{name}={value} ")).chain(closes).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(std::io::stderr).init();
    let args = Args::parse();
    let mut limits =
        SessionLimits { outgoing_messages_max: args.messages_waiting_max, ..SessionLimits::default() };
    if !args.limited {
        (limits.calls_per_second, limits.calls_burst) = (1_000_000, 1_000_000);
    }
    let mut builder = Server::builder()
        .module(args.name, args.module)
        .data_dir(args.data)
        .durability(evertick_tests::reopen::small_files())
        .compiled_cache(args.cache)
        .gateway(GatewayConfig { limits, ..GatewayConfig::default() })
        .tick(Duration::from_millis(args.tick_ms))
        .websocket("127.0.0.1:0");
    if args.quic {
        builder = builder.quic("127.0.0.1:0");
    }
    let server = builder.start();
    let server = match server {
        Ok(server) => server,
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    };
    println!("{}", server.urls().join(" "));
    std::io::stdout().flush()?;
    for _question in std::io::stdin().lock().lines() {
        println!("{}", counters(&server));
        std::io::stdout().flush()?;
    }
    server.stop()?;
    Ok(())
}
