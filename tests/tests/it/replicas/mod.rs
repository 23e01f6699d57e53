//! Whatever the network does: what clients of a whole server show is what they may see, never half of a commit, and in the end all of it.
//!
//! A real server with a real module in it, on real sockets; between those and real clients stands a network that loses, doubles, overtakes,
//! stalls and is cut, all as a seed says. `EVERTICK_SEEDS=50` tries so many more seeds; `EVERTICK_SEED=7` this one alone.

mod filter;
mod network;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use evertick::{GatewayConfig, ListenerOptions, RunningServer, Server, SessionLimits};
use evertick_client::{Change, Client, Conditions, Query, QueryHandle, Subscription, field};
use evertick_tests::folder::Folder;
use evertick_tests::reopen::reopen;
use evertick_world::World;
use filter::{CHEAP, difference, may_be_told, wrong_now};
use futures_util::future::join_all;
use glam::Vec2;
use network::Way;
use scene_module::players::{CREWS, Dice, look};
use scene_module::props::{Beat, EXTENT, Offer, Spot, churn, halt, inside};
use tokio::time::{sleep, timeout};

use crate::soon::SOON;

const CLIENTS: usize = 6;
const TICK: Duration = Duration::from_millis(20);

/// How long the world is busy. Slots that were freed are used again after two seconds.
const BUSY: Duration = Duration::from_secs(5);

/// What is wrong that a client was shown; so many are kept.
const WRONG_MAX: usize = 20;

type Wrong = Arc<Mutex<Vec<String>>>;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Network {
    /// It loses, doubles and overtakes; there are bytes enough for all.
    Lossy,
    /// Also it stalls and is cut, buffers are small and bytes few.
    Torn,
}

fn seeds(network: Network) -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    match (number("EVERTICK_SEED"), number("EVERTICK_SEEDS")) {
        (Some(seed), _) => vec![seed],
        (None, more) => (0..2 + more.unwrap_or(0)).map(|seed| seed * 2 + network as u64).collect(),
    }
}

/// A server whose clients nobody closes for being slow: the machine may be slow as well.
fn server(network: Network, folder: &Folder, dice: &mut Dice) -> RunningServer {
    let (mut limits, mut connections) = (SessionLimits::default(), ListenerOptions::default());
    limits.outgoing_messages_max = 1_000_000;
    limits.outgoing_bytes_max = 1 << 30;
    (limits.outgoing_bytes_soft, limits.outgoing_bytes_behind) = (1 << 29, 1 << 29);
    limits.hello_time_max = SOON;
    limits.bytes_per_second = 0;
    if network == Network::Torn {
        (limits.outgoing_bytes_soft, limits.outgoing_bytes_behind) = (4 << 10, 16 << 10);
        limits.bytes_per_second = [5_000, 20_000][dice.below(2) as usize];
        limits.bytes_burst = 4 << 10;
        connections.send_buffer_bytes = 4 << 10;
    }
    let gateway = GatewayConfig { limits, frames_waiting_max: 4096, shards: 2, ..GatewayConfig::default() };
    Server::builder()
        .module_bytes("scene", &*evertick_test_guests::wasm("scene-module"))
        .compiled_cache(Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled"))
        .data_dir(folder.file("data"))
        .tick(TICK)
        .gateway(gateway)
        .connections(connections)
        .websocket("127.0.0.1:0")
        .quic("127.0.0.1:0")
        .start()
        .unwrap()
}

fn conditions(dice: &mut Dice) -> Conditions {
    Conditions {
        latency: Duration::from_millis(dice.below(30)),
        jitter: Duration::from_millis(dice.below(60)),
        loss: dice.below(20) as f64 / 100.0,
        burst: dice.below(5) as f64,
        duplicate: dice.below(20) as f64 / 100.0,
        reorder: dice.below(20) as f64 / 100.0,
        seed: dice.below(1 << 30),
    }
}

/// Somebody who looks on, and what keeps looking at what they are shown.
struct Watcher {
    client: Client,
    way: Way,
    dice: Dice,
    wrong: Wrong,
    at: Vec2,
    radius: f32,
    crew: u32,
    _kept: ([Subscription; 2], [QueryHandle<Offer>; 2]),
}

impl Watcher {
    async fn new(url: &str, index: usize, network: Network, mut dice: Dice) -> Self {
        let way = Way::default();
        let client = way.client(url, &format!("watcher {index}"), conditions(&mut dice)).await;
        let wrong = Wrong::default();
        let note = |wrong: &Wrong, what: Vec<String>| {
            let mut wrong = wrong.lock().unwrap();
            let room = WRONG_MAX.saturating_sub(wrong.len());
            wrong.extend(what.into_iter().take(room));
        };
        // Whatever else a frame has, it has this.
        let each_frame = client
            .on_change::<Beat>({
                let (client, wrong) = (client.clone(), Arc::clone(&wrong));
                move |_| note(&wrong, wrong_now(&client, network == Network::Lossy))
            })
            .unwrap();
        let each_move = client
            .on_change::<Spot>({
                let (client, wrong) = (client.clone(), Arc::clone(&wrong));
                move |change| {
                    if let Change::Inserted { row, .. } | Change::Updated { row, .. } = change {
                        note(&wrong, may_be_told(&client, row.at).err().into_iter().collect());
                    }
                }
            })
            .unwrap();
        let offers = Query::<Offer>::all;
        let cheap = client.subscribe(offers().filter(field::<Offer>("price").below(CHEAP))).await.unwrap();
        let mine = client.subscribe(offers().filter(field::<Offer>("of").is_me())).await.unwrap();
        let _kept = ([each_frame, each_move], [cheap, mine]);
        let mut watcher = Self { client, way, dice, wrong, at: Vec2::ZERO, radius: 0.0, crew: 0, _kept };
        watcher.teleport().await;
        watcher
    }

    async fn look(&self) {
        self.client.call(look::call(self.at, self.radius, self.crew)).await.unwrap();
    }

    async fn teleport(&mut self) {
        let mut axis = || self.dice.below(2 * EXTENT as u64) as f32 - EXTENT;
        self.at = Vec2::new(axis(), axis());
        self.radius = 10.0 + self.dice.below(120) as f32;
        self.crew = self.dice.below(CREWS) as u32;
        self.look().await;
    }

    /// Does as it pleases, for as long as the world is busy.
    async fn play(&mut self, network: Network, until: Instant) {
        while Instant::now() < until {
            let pause = Duration::from_millis(self.dice.below(120));
            match self.dice.below(if network == Network::Torn { 10 } else { 6 }) {
                0 => self.teleport().await,
                1..=3 => {
                    self.at += Vec2::new(self.dice.below(17) as f32 - 8.0, self.dice.below(17) as f32 - 8.0);
                    self.look().await;
                }
                6 | 7 => {
                    self.way.stall(true);
                    sleep(3 * pause).await;
                    self.way.stall(false);
                }
                8 => self.way.cut(self.dice.below(2) == 0),
                _ => sleep(pause).await,
            }
        }
        self.way.stall(false);
        self.at = inside(self.at);
        self.look().await;
    }

    fn good_so_far(&self, seed: u64) {
        let wrong = self.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "seed {seed}, {:?}:\n{}", self.client.session(), wrong.join("\n"));
        assert_eq!(self.client.disconnected(), None, "seed {seed}");
    }
}

/// The world as it is on the server's disk.
fn world(folder: &Folder) -> evertick_tests::reopen::Reopened {
    let (data, copy) = (folder.file("data"), folder.file("copy"));
    let _none_yet = std::fs::remove_dir_all(&copy);
    std::fs::create_dir(&copy).unwrap();
    for file in std::fs::read_dir(data).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            std::fs::copy(&path, Path::new(&copy).join(path.file_name().unwrap())).unwrap();
        }
    }
    reopen(&copy, scene_module::module()).unwrap()
}

async fn becomes(watcher: &Watcher, world: &World, seed: u64) {
    let start = Instant::now();
    while let Some(difference) = difference(&watcher.client, world) {
        watcher.good_so_far(seed);
        let statistics = watcher.client.statistics();
        assert!(start.elapsed() < SOON, "seed {seed}: {difference}\n{statistics:?}");
        sleep(TICK).await;
    }
}

/// One world and its end; returns what the server and the clients counted: resumed sessions, topics that fell behind, late states lost.
async fn run(network: Network, seed: u64) -> [u64; 3] {
    let folder = Folder::new(env!("CARGO_TARGET_TMPDIR"), "replicas");
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let server = server(network, &folder, &mut dice);
    let websocket = server.urls()[0].clone();
    let quic = server.urls().iter().find(|url| url.starts_with("quic")).unwrap().clone();
    let watchers = (0..CLIENTS).map(|index| {
        let url = if index % 2 == 0 { &quic } else { &websocket };
        Watcher::new(url, index, network, Dice(dice.below(1 << 30)))
    });
    let mut watchers = timeout(SOON, join_all(watchers)).await.expect("clients connect");
    let until = Instant::now() + BUSY;
    let author = Way::default().client(&websocket, "author", Conditions::default()).await;
    let writing = async {
        while Instant::now() < until {
            author.call(churn::call(dice.below(1 << 30), dice.below(12) as u32)).await.unwrap();
            sleep(TICK.mul_f64(dice.below(3) as f64)).await;
        }
        author.call(halt::call()).await.unwrap();
    };
    let playing = join_all(watchers.iter_mut().map(|watcher| watcher.play(network, until)));
    timeout(2 * SOON, async { tokio::join!(writing, playing) }).await.expect("calls are answered");

    let reopened = tokio::task::spawn_blocking(move || (world(&folder), folder)).await.unwrap();
    let truth = reopened.0.simulation.world();
    join_all(watchers.iter().map(|watcher| becomes(watcher, truth, seed))).await;
    let mut lost = 0;
    for watcher in &watchers {
        watcher.good_so_far(seed);
        lost += u64::from(watcher.client.statistics().states_loss > 0.0);
        watcher.client.close().await;
    }
    let gateway = server.snapshot().gateway;
    tokio::task::spawn_blocking(move || server.stop()).await.unwrap().unwrap();
    [gateway.resumes, gateway.topics_behind, lost]
}

async fn try_all(network: Network) -> [u64; 3] {
    let mut sums = [0; 3];
    for seed in seeds(network) {
        let counts = run(network, seed).await;
        println!("{network:?}, seed {seed}: {counts:?} resumed, topics behind, clients that lost states");
        sums = std::array::from_fn(|index| sums[index] + counts[index]);
    }
    sums
}

#[tokio::test]
async fn a_lossy_network_shows_nothing_that_is_not_and_in_the_end_all() {
    let [resumed, behind, lost] = try_all(Network::Lossy).await;
    assert_eq!((resumed, behind), (0, 0), "nobody is ever behind, so all that holds can be asked for");
    assert!(lost > 0, "nothing was lost");
}

#[tokio::test]
async fn a_torn_network_shows_nothing_that_is_not_and_in_the_end_all() {
    let [resumed, behind, _] = try_all(Network::Torn).await;
    assert!(resumed > 0 && behind > 0, "{resumed} resumed, {behind} topics fell behind");
}
