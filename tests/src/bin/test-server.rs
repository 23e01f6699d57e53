//! The server of tests that kill it: any module, a data directory, small files, a WebSocket on a free port.
//!
//! Prints its address when it is up; ends when its standard input does.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use evertick::{GatewayConfig, Server, SessionLimits};

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
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(std::io::stderr).init();
    let args = Args::parse();
    let limits =
        SessionLimits { calls_per_second: 1_000_000, calls_burst: 1_000_000, ..SessionLimits::default() };
    let server = Server::builder()
        .module(args.name, args.module)
        .data_dir(args.data)
        .durability(evertick_tests::reopen::small_files())
        .compiled_cache(args.cache)
        .gateway(GatewayConfig { limits, ..GatewayConfig::default() })
        .tick(Duration::from_millis(args.tick_ms))
        .websocket("127.0.0.1:0")
        .start();
    let server = match server {
        Ok(server) => server,
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    };
    println!("{}", server.urls()[0]);
    std::io::stdout().flush()?;
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _ = ended.send(());
    });
    let _ = end.await;
    server.stop()?;
    Ok(())
}
