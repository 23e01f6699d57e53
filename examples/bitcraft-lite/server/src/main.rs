//! bitcraft-lite's server: the module, WebSocket and QUIC, and what a demo wants to know at the end.

mod summary;

use std::path::PathBuf;

use clap::Parser;

#[derive(Parser)]
struct Args {
    /// The module's .wasm file.
    #[arg(long)]
    module: PathBuf,
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:7778")]
    websocket: String,
    /// Where to listen for QUIC and WebTransport, with a certificate for development; nowhere without it.
    #[arg(long)]
    quic: Option<String>,
    /// Keep compiled modules here.
    #[arg(long)]
    cache: Option<PathBuf>,
    /// Keep the island here, and go on with the one that is there. Without it, it ends with the server.
    #[arg(long)]
    data: Option<PathBuf>,
    /// The seed of the island; the clock's without it.
    #[arg(long)]
    seed: Option<u64>,
    /// Only print the module's description, as JSON.
    #[arg(long)]
    describe: bool,
    /// Write the counters here at the end, as JSON.
    #[arg(long)]
    summary: Option<PathBuf>,
    /// Stop when standard input ends, as it does when whoever started us dies.
    #[arg(long)]
    stop_with_stdin: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| "info,web_transport_quinn=error".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let args = Args::parse();

    let mut server = evertick::Server::builder().module("bitcraft", args.module).websocket(args.websocket);
    if let Some(address) = args.quic {
        server = server.quic(address);
    }
    if let Some(directory) = args.cache {
        server = server.compiled_cache(directory);
    }
    if let Some(directory) = args.data {
        server = server.data_dir(directory);
    }
    if let Some(seed) = args.seed {
        server = server.seed(seed);
    }
    if args.describe {
        println!("{}", String::from_utf8(server.describe()?.to_json())?);
        return Ok(());
    }

    let server = server.start()?;
    tracing::info!(urls = ?server.urls(), "bitcraft-lite is up");
    tokio::select! {
        ended = server.stop_requested() => ended?,
        () = stdin_end(args.stop_with_stdin) => {}
    }
    let snapshot = server.snapshot();
    server.stop()?;
    if let Some(file) = args.summary {
        std::fs::write(file, serde_json::to_vec_pretty(&summary::of(&snapshot))?)?;
    }
    Ok(())
}

/// The end of standard input, if that counts.
async fn stdin_end(counts: bool) {
    if !counts {
        return std::future::pending().await;
    }
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _ = ended.send(());
    });
    let _ = end.await;
}
