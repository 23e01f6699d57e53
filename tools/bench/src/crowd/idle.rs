//! What a session costs while nothing happens.

use std::path::Path;
use std::time::Duration;

use crate::Result;
use crate::report::Measure;
use crate::socket::{Client, Process, Serving, Transport};

/// Sessions of one run.
const SESSIONS: usize = 200;
/// The first sessions, which pay for what all share, are not counted.
const WARM_UP: usize = 100;
const RUNS: usize = 5;
/// After so long what a handshake took is given back.
const SETTLED: Duration = Duration::from_secs(2);

/// Resident memory of the server's process for each session that has connected and says no more.
pub(crate) fn memory(module: &Path) -> Result<Vec<Measure>> {
    super::on_the_clients_core(module, |module| {
        let each =
            [("memory.per_session.quic", Transport::Quic), ("memory.per_session.ws", Transport::WebSocket)];
        each.map(|(name, transport)| Ok(Measure::lower(name, "KiB", &measure(module, transport)?, None)))
            .into_iter()
            .collect()
    })
}

fn measure(module: &Path, transport: Transport) -> Result<Vec<f64>> {
    let server = Process::start(module, &Serving { quic: transport == Transport::Quic, data: None })?;
    let url = server.url(transport)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut clients = Vec::new();
        let mut runs = Vec::new();
        let mut before = 0;
        while runs.len() < RUNS {
            let wanted = WARM_UP + runs.len() * SESSIONS + if before > 0 { SESSIONS } else { 0 };
            while clients.len() < wanted {
                clients.push(Client::connect(url, clients.len() + 1).await?);
            }
            tokio::time::sleep(SETTLED).await;
            let now = server.resident_bytes()?;
            if before > 0 {
                runs.push(now.saturating_sub(before) as f64 / 1024.0 / SESSIONS as f64);
            }
            before = now;
        }
        Ok(runs)
    })
}
