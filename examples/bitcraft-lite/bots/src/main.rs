//! Bots that play bitcraft-lite through the Rust client SDK, and say at the end how it went.

mod bot;
mod summary;

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use tokio::sync::watch;

use crate::summary::Summary;

#[derive(Parser)]
struct Args {
    /// The server, `ws://host:port`.
    #[arg(long, default_value = "ws://127.0.0.1:7778")]
    server: String,
    /// How many play.
    #[arg(long, default_value_t = 20)]
    bots: u32,
    /// Play for so long; without it, until stopped.
    #[arg(long)]
    seconds: Option<u64>,
    /// Write a summary here, as JSON.
    #[arg(long)]
    summary: Option<PathBuf>,
    /// Add to the summary how the network was: round trips, staleness, loss, bytes by lane.
    #[arg(long)]
    report: bool,
    /// Stop when standard input ends, as it does when whoever started us dies.
    #[arg(long)]
    stop_with_stdin: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let args = Args::parse();
    let (stop, stopped) = watch::channel(false);

    let tasks: Vec<_> = (0..args.bots)
        .map(|number| tokio::spawn(bot::play(args.server.clone(), number, stopped.clone())))
        .collect();
    tokio::select! {
        () = sleep(args.seconds) => {}
        () = stdin_end(args.stop_with_stdin) => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    stop.send_replace(true);

    let mut summary = Summary::default();
    for task in tasks {
        summary.add(&task.await?);
    }
    if let Some(file) = args.summary {
        std::fs::write(file, serde_json::to_vec_pretty(&summary.finish(args.report))?)?;
    }
    Ok(())
}

/// The end of the run, if it has one.
async fn sleep(seconds: Option<u64>) {
    match seconds {
        Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
        None => std::future::pending().await,
    }
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
