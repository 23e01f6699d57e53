//! The real server and the real client on a way with loss and delay: how old is what a player sees of another one who walks?
//!
//! A reference client beside the server notes when the walker was where. Each observer is behind the bad way; the age of what it shows is
//! the time since the reference first had that place. The same is done over QUIC and over WebSocket, each with a server of its own.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use bitcraft_lite::accounts::join;
use bitcraft_lite::movement::walk_to;
use evertick::RunningServer;
use evertick_client::{Client, ConnectOptions};
use evertick_schema::EntityId;
use evertick_test_network as network;
use futures_util::future::join_all;
use glam::Vec2;
use network::{CLIENT, SERVER, Way};
use tokio::runtime::Runtime;
use tokio::time::{sleep, timeout};

use crate::servers::bitcraft::{builder, joined, position};
use crate::soon::{SOON, until};

const OBSERVERS: usize = 8;

/// How long they watch, and how often they look.
const WATCHED: Duration = Duration::from_secs(12);
const LOOKED_EVERY: Duration = Duration::from_millis(4);

/// The walker goes to and fro between places that are so far apart.
const METERS: f32 = 20.0;

/// Where the walker was seen, and when.
type Places = Vec<(Instant, Vec2)>;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn serve(scheme: &str) -> (RunningServer, String) {
    let address = format!("{SERVER}:0");
    let builder = if scheme == "quic" { builder().quic(address) } else { builder().websocket(address) };
    let server = builder.start().unwrap();
    let url =
        server.urls().iter().find(|url| url.starts_with(&format!("{scheme}://{SERVER}"))).unwrap().clone();
    (server, url)
}

/// Looks at the walker until `enough`; each new place once.
async fn places(client: &Client, walker: EntityId, enough: impl Fn() -> bool) -> Places {
    let mut places = Places::new();
    while !enough() {
        if let Some(at) = position(client, walker)
            && places.last().is_none_or(|(_, last)| *last != at)
        {
            places.push((Instant::now(), at));
        }
        sleep(LOOKED_EVERY / 4).await;
    }
    places
}

/// Walks to and fro until the test is over.
async fn walk(client: &Client, from: Vec2) {
    let mut turns = 0.0;
    let there = loop {
        let to = from + Vec2::from_angle(turns) * METERS;
        if client.call(walk_to::call(to.x, to.y)).await.is_ok() {
            break to;
        }
        turns += 0.4;
        assert!(turns < 6.4, "water all around {from}");
    };
    for to in [from, there].into_iter().cycle() {
        // Walking takes 4 s; it is never over.
        sleep(Duration::from_secs(3)).await;
        client.call(walk_to::call(to.x, to.y)).await.unwrap();
    }
}

/// An observer: what it showed at each look.
async fn observe(url: String, name: String, walker: EntityId) -> Places {
    let client = loop {
        let options = ConnectOptions::new(format!("the secret of {name}, long enough"));
        if let Ok(client) = Client::connect(&url, options).await {
            break client;
        }
    };
    client.call(join::call(name)).await.unwrap();
    until(async || position(&client, walker).is_some()).await;
    let (start, mut looks) = (Instant::now(), Places::new());
    while start.elapsed() < WATCHED {
        looks.push((Instant::now(), position(&client, walker).unwrap()));
        sleep(LOOKED_EVERY).await;
    }
    looks
}

/// The age of what the observers showed, sorted.
fn staleness(reference: &Places, observers: &[Places]) -> Vec<Duration> {
    let mut ages = Vec::new();
    for (when, at) in observers.iter().flatten() {
        let known = reference.iter().rev().skip_while(|(known, _)| known > when);
        if let Some((known, _)) = known.into_iter().find(|(_, place)| place == at) {
            ages.push(*when - *known);
        }
    }
    assert!(ages.len() > OBSERVERS * 1000, "only {} looks can be told the age of", ages.len());
    ages.sort_unstable();
    ages
}

fn p99(sorted: &[Duration]) -> Duration {
    sorted[sorted.len() * 99 / 100]
}

/// The staleness over `quic` or `ws`.
fn measure(scheme: &'static str, way: Way) -> Vec<Duration> {
    let (begin, begun) = mpsc::sync_channel(1);
    let (stop, stopped) = mpsc::sync_channel::<()>(1);
    let server = thread::spawn(move || {
        let tun = network::enter(SERVER, CLIENT, way);
        let (_server, url) = serve(scheme);
        runtime().block_on(async {
            let (client, me) = joined(&url, "Ada").await;
            begin.send((tun, url, me)).unwrap();
            let from = position(&client, me).unwrap();
            let over = || matches!(stopped.try_recv(), Err(mpsc::TryRecvError::Disconnected));
            tokio::select! {
                places = places(&client, me, over) => places,
                () = walk(&client, from) => unreachable!("it walks to and fro for ever"),
            }
        })
    });
    let observers = thread::spawn(move || {
        let tun = network::enter(CLIENT, SERVER, way);
        let (server_tun, url, walker) = begun.recv().unwrap();
        network::connect(tun, server_tun, way);
        let observing =
            (0..OBSERVERS).map(|number| observe(url.clone(), format!("Observer {number}"), walker));
        let looks = runtime().block_on(async { timeout(2 * SOON, join_all(observing)).await.unwrap() });
        assert!(network::dropped() > 0, "nothing was lost");
        looks
    });
    let observers = observers.join().unwrap();
    drop(stop);
    let ages = staleness(&server.join().unwrap(), &observers);
    let [p50, p99] = [ages[ages.len() / 2], p99(&ages)].map(|age| age.as_millis());
    println!("{scheme} at {} % loss: staleness p50 {p50} ms, p99 {p99} ms", way.loss_percent);
    ages
}

/// The 99th percentile over QUIC and over WebSocket, of two servers on ways of their own at the same time.
fn compare(loss_percent: u32) -> [Duration; 2] {
    let way = Way { delay: Duration::from_millis(50), jitter: Duration::from_millis(20), loss_percent };
    ["quic", "ws"]
        .map(|scheme| thread::spawn(move || measure(scheme, way)))
        .map(|measuring| p99(&measuring.join().unwrap()))
}

#[test]
fn with_one_percent_loss_quic_is_not_staler() {
    let [quic, websocket] = compare(1);
    assert!(quic <= websocket, "staleness p99 over QUIC is {quic:?}, over WebSocket {websocket:?}");
}

#[test]
fn with_five_percent_loss_quic_is_fresher() {
    let [quic, websocket] = compare(5);
    assert!(
        quic < websocket.mul_f64(0.8),
        "staleness p99 over QUIC is {quic:?}, over WebSocket {websocket:?}"
    );
}
