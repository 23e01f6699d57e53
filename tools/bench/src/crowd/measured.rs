//! A server and its crowd of clients, and what is measured of them.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bench_module::crowd::gather_crowd;
use tokio::runtime::Runtime;
use tokio::task::{JoinSet, LocalSet};

use crate::Result;
use crate::crowd::Scene;
use crate::crowd::ages::Ages;
use crate::crowd::watcher::{Tally, watch};
use crate::report::median;
use crate::socket::{Client, Process, Serving, Transport};

/// Clients that connect at a time.
const CONNECTING_MAX: usize = 16;
/// Clients whose nearest neighbours are counted.
const CLOSELY_WATCHED: usize = 10;
/// Before anything is measured.
const WARM_UP: Duration = Duration::from_secs(3);

/// What was seen in a window of time.
pub(crate) struct Window {
    /// The time from when a tick was due until its frame was with the shards; of a hundred ticks one took longer.
    pub(crate) tick_p99_ms: f64,
    /// The share of one core that the server's process took.
    pub(crate) cpu: f64,
    /// Bytes of messages that a client was sent in a second: the mean, and the most that one was.
    pub(crate) bytes_per_second: f64,
    pub(crate) bytes_per_second_max: f64,
    /// The age of the newest data applied, over all clients and moments.
    pub(crate) staleness_p99_ms: f64,
    /// Frames a second of which something came; one client in a hundred got fewer.
    pub(crate) rate_p1: f64,
    /// How often in a second the fifty nearest of a client's neighbours were updated, each.
    pub(crate) nearest_rate: f64,
}

pub(crate) struct Crowd {
    server: Process,
    transport: Transport,
    scene: Scene,
    runtime: Runtime,
    local: LocalSet,
    watchers: JoinSet<()>,
    tallies: Vec<Rc<RefCell<Tally>>>,
}

impl Crowd {
    /// A server with the scene's movers, and no clients yet.
    pub(crate) fn start(module: &Path, transport: Transport, scene: Scene) -> Result<Self> {
        let server = Process::start(module, &Serving { quic: transport == Transport::Quic, data: None })?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut client = Client::connect(server.url(Transport::WebSocket)?, 0).await?;
            client.ask(&gather_crowd::call(scene.movers, scene.edge)).await
        })?;
        let (local, watchers) = (LocalSet::new(), JoinSet::new());
        Ok(Self { server, transport, scene, runtime, local, watchers, tallies: Vec::new() })
    }

    /// Connects more clients, until there are so many.
    pub(crate) fn grow(&mut self, clients: usize) -> Result {
        let url = self.server.url(self.transport)?.to_owned();
        let Self { runtime, local, watchers, tallies, scene, .. } = self;
        local.block_on(runtime, async {
            let mut connecting = JoinSet::new();
            while tallies.len() < clients {
                while connecting.len() < CONNECTING_MAX && tallies.len() + connecting.len() < clients {
                    let (url, number, scene) = (url.clone(), tallies.len() + connecting.len() + 1, *scene);
                    connecting.spawn_local(async move {
                        let client = Client::connect(&url, number).await;
                        client.map(|client| (client, scene)).map_err(|error| error.to_string())
                    });
                }
                let (client, scene) = connecting.join_next().await.ok_or("no client is connecting")???;
                let tally = Rc::new(RefCell::new(Tally::new(tallies.len() < CLOSELY_WATCHED)));
                tallies.push(Rc::clone(&tally));
                watchers.spawn_local(watch(client, scene, tally));
            }
            tokio::time::sleep(WARM_UP).await;
            Ok(())
        })
    }

    /// Measures so many windows of this length.
    pub(crate) fn windows(&mut self, count: usize, length: Duration) -> Result<Vec<Window>> {
        (0..count).map(|_| self.window(length)).collect()
    }

    fn window(&mut self, length: Duration) -> Result<Window> {
        let Self { runtime, local, tallies, server, .. } = self;
        let (start, spent) = (Instant::now(), server.time_on_core()?);
        for tally in &*tallies {
            tally.borrow_mut().restart();
        }
        local.block_on(runtime, async { tokio::time::sleep(length).await });
        let seconds = start.elapsed().as_secs_f64();
        let cpu = (server.time_on_core()? - spent).as_secs_f64() / seconds;
        let mut ages = Ages::new();
        let (mut bytes, mut rates, mut visible, mut nearest) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for tally in &*tallies {
            let tally = tally.borrow();
            if let Some(failed) = &tally.failed {
                return Err(failed.clone().into());
            }
            ages.merge(&tally.ages);
            bytes.push(tally.bytes as f64 / seconds);
            rates.push(tally.frames as f64 / seconds);
            visible.push(tally.visible as f64);
            nearest.extend(tally.nearest_rate(seconds));
        }
        rates.sort_by(f64::total_cmp);
        let window = Window {
            tick_p99_ms: self.server.numbers()?.tick_ms_p99,
            cpu,
            bytes_per_second: bytes.iter().sum::<f64>() / bytes.len() as f64,
            bytes_per_second_max: bytes.iter().copied().fold(0.0, f64::max),
            staleness_p99_ms: ages.quantile(0.99) * 1e3,
            rate_p1: rates[rates.len() / 100],
            nearest_rate: median(&nearest),
        };
        eprintln!(
            "{} clients that see {:.0} each: {:.1} frames/s (1 in 100: {:.1}), {:.0} bytes/s (most {:.0}), staleness p50 {:.0} ms p99 {:.0} ms, \
             nearest {:.1} Hz, tick p99 {:.2} ms, {:.0} % of a core",
            rates.len(),
            visible.iter().sum::<f64>() / visible.len() as f64,
            median(&rates),
            window.rate_p1,
            window.bytes_per_second,
            window.bytes_per_second_max,
            ages.quantile(0.5) * 1e3,
            window.staleness_p99_ms,
            window.nearest_rate,
            window.tick_p99_ms,
            cpu * 100.0
        );
        Ok(window)
    }
}
