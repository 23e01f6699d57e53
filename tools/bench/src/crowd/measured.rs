//! A server and its crowd of clients, and what is measured of them.

use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bench_module::crowd::gather_crowd;
use evertick_transport::{ClientOptions, QuicSocket};
use tokio::runtime::Runtime;
use tokio::task::{JoinSet, LocalSet};

use crate::Result;
use crate::crowd::Scene;
use crate::crowd::ages::Ages;
use crate::crowd::watcher::{Shown, Tally, watch};
use crate::report::median;
use crate::socket::{Client, Process, Serving, Transport, threads};

/// Clients that connect at a time.
const CONNECTING_MAX: usize = 16;
/// One client of so many applies what it is sent, and tells how old what it shows is. The server hands a frame out in the order in
/// which the sessions came, in chunks of 64; every place in that order has its share of these.
const APPLYING_ONE_OF: usize = 20;
/// One of so many has its nearest neighbours counted.
const CLOSELY_WATCHED_ONE_OF: usize = 100;
/// Clients over QUIC that share a socket.
const CLIENTS_OF_A_SOCKET: usize = 50;
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
    /// The age of the newest data applied, over all moments of the clients that apply.
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
            let (mut connecting, mut options) = (JoinSet::new(), ClientOptions::default());
            while tallies.len() < clients {
                while connecting.len() < CONNECTING_MAX && tallies.len() + connecting.len() < clients {
                    let (url, number, scene) = (url.clone(), tallies.len() + connecting.len() + 1, *scene);
                    if number % CLIENTS_OF_A_SOCKET == 1 {
                        options.quic_socket = Some(QuicSocket::bind((Ipv4Addr::UNSPECIFIED, 0).into())?);
                    }
                    let options = options.clone();
                    connecting.spawn_local(async move {
                        let client = Client::connect_with(&url, number, &options).await;
                        client.map(|client| (client, scene)).map_err(|error| error.to_string())
                    });
                }
                let (client, scene) = connecting.join_next().await.ok_or("no client is connecting")???;
                let number = tallies.len();
                let shown = number
                    .is_multiple_of(APPLYING_ONE_OF)
                    .then(|| Shown::new(number.is_multiple_of(CLOSELY_WATCHED_ONE_OF)));
                let tally = Rc::new(RefCell::new(Tally::new(shown)));
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
        let (start, spent, own) = (Instant::now(), server.time_on_core()?, time_on_core()?);
        for tally in &*tallies {
            tally.borrow_mut().restart();
        }
        local.block_on(runtime, async { tokio::time::sleep(length).await });
        let seconds = start.elapsed().as_secs_f64();
        let clients = (time_on_core()? - own).as_secs_f64() / seconds;
        let cpu = (server.time_on_core()? - spent).as_secs_f64() / seconds;
        let (mut ages, mut missed) = (Ages::new(), 0);
        let (mut bytes, mut rates, mut visible, mut nearest) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for tally in &*tallies {
            let tally = tally.borrow();
            if let Some(failed) = &tally.failed {
                return Err(failed.clone().into());
            }
            if let Some(shown) = &tally.shown {
                ages.merge(&shown.ages);
                visible.push(shown.visible as f64);
                nearest.extend(shown.nearest_rate(seconds));
            }
            missed += tally.missed;
            bytes.push(tally.bytes as f64 / seconds);
            rates.push(tally.frames as f64 / seconds);
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
            "{} clients that see {:.0} each: {:.1} frames/s (1 in 100: {:.1}; {missed} missed), {:.0} bytes/s (most {:.0}), staleness p50 {:.0} ms p99 {:.0} ms, \
             nearest {:.1} Hz, tick p99 {:.2} ms, {:.0} % of a core, \
             clients {:.0} %",
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
            cpu * 100.0,
            clients * 100.0
        );
        Ok(window)
    }
}

/// The time that this process has had on a core so far.
fn time_on_core() -> Result<Duration> {
    Ok(threads(std::process::id())?.values().sum())
}
