//! A server that runs: its addresses, its counters, its end.

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use evertick_durability::LogError;
use evertick_gateway::GatewayHandle;
use evertick_host::Host;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::admin::Admin;
use crate::error::{Error, Result};
use crate::metrics::{ServerMetrics, ServerSnapshot};

/// How long clients have to take their last messages.
const SHUTDOWN_MAX: Duration = Duration::from_secs(5);

/// The stack of the world's thread: guests run on it.
const WORLD_STACK_BYTES: usize = 8 << 20;

/// A handle to a running server. Dropping it stops the server as [`RunningServer::stop`] does.
pub struct RunningServer {
    urls: Vec<String>,
    gateway: Arc<Mutex<Option<GatewayHandle>>>,
    metrics: ServerMetrics,
    world: Option<JoinHandle<Result<(), LogError>>>,
    admin: Option<Admin>,
    ended: watch::Receiver<bool>,
}

impl RunningServer {
    pub(crate) fn start(
        urls: Vec<String>,
        host: Host,
        gateway: Arc<Mutex<Option<GatewayHandle>>>,
        metrics: ServerMetrics,
        admin: Option<Admin>,
    ) -> Result<Self> {
        let (sender, ended) = watch::channel(false);
        let world = std::thread::Builder::new()
            .name("evertick-world".into())
            .stack_size(WORLD_STACK_BYTES)
            .spawn(move || {
            // Says that the thread is over, however it ends.
            let _ended = EndGuard(sender);
            host.run()
        })?;
        Ok(Self { urls, gateway, metrics, world: Some(world), admin, ended })
    }

    /// Where it listens: the addresses of WebSockets (`ws://` or `wss://`), then those of QUIC (`quic://`).
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    /// The counters now.
    pub fn snapshot(&self) -> ServerSnapshot {
        self.metrics.snapshot()
    }

    /// Waits for a reason to stop: Ctrl-C, SIGTERM, or that the world has ended by itself.
    pub async fn stop_requested(&self) -> Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut ended = self.ended.clone();
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted?,
            _ = terminate.recv() => {}
            _ = ended.wait_for(|ended| *ended) => {}
        }
        Ok(())
    }

    /// Runs until [`stop_requested`](Self::stop_requested), then stops.
    pub async fn run_until_signal(self) -> Result<()> {
        self.stop_requested().await?;
        tokio::task::spawn_blocking(|| self.stop()).await.map_err(std::io::Error::other)?
    }

    /// Tells clients goodbye, runs what they had called, and ends all threads. Blocks, for 5 s at most but for
    /// what the world itself is at. An error says that the world's thread had panicked, or that the disk does not have the
    /// last changes.
    pub fn stop(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        let gateway = self.gateway.lock().ok().and_then(|mut gateway| gateway.take());
        if let Some(gateway) = gateway {
            let cut_off = gateway.shutdown(SHUTDOWN_MAX);
            if cut_off > 0 {
                tracing::warn!(cut_off, "clients did not take their last messages in time");
            }
        }
        // The gateway held the inbox; the loop ends when it has run what was in there.
        let ended = self.world.take().map(JoinHandle::join);
        drop(self.admin.take());
        match ended {
            Some(Err(_)) => Err(Error::WorldPanicked),
            Some(Ok(Err(error))) => Err(Error::Unsynced(error)),
            _ => Ok(()),
        }
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::error!(%error, "while stopping");
        }
    }
}

struct EndGuard(watch::Sender<bool>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}
