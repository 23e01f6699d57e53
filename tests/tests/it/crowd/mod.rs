//! A thousand clients, of which a hundred read nothing and a hundred flood: the others notice nothing, and the server's memory is bounded.
//!
//! The server is a process of its own.

mod bad;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bad::{FLOODS, Reducers, flood, silent};
use evertick_client::{Client, ConnectOptions};
use evertick_protocol::CloseCode;
use evertick_schema::Call;
use evertick_tests::process::ServerProcess;
use evertick_tests::rig::Rig;
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use glam::Vec2;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use scene_module::players::{Dice, look};
use scene_module::props::{Beat, churn};
use tokio::time::{sleep, timeout};

use crate::soon::SOON;

const GOOD: usize = 800;
/// Of those, by QUIC.
const GOOD_BY_QUIC: usize = 80;
const SILENT: usize = 100;
const FLOODERS: usize = 100;
/// Of those, by QUIC.
const FLOODERS_BY_QUIC: usize = 20;

/// Clients that connect at once.
const AT_ONCE: usize = 32;
const FILES: u64 = 4096;

/// What may wait for one who does not read: less than twice what makes their topics fall behind, which is 256 KiB by default, and buffers.
const SILENT_BYTES: u64 = 640 << 10;
/// What comes and goes besides: handshakes, calls, frames.
const SPARE_BYTES: u64 = 32 << 20;

fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let enough = limit.maximum.is_none_or(|maximum| maximum >= FILES);
    assert!(enough, "a thousand clients need {FILES} files, and {limit:?} are allowed (`ulimit -Hn`)");
    if limit.current.is_some_and(|current| current < FILES) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(FILES), maximum: limit.maximum }).unwrap();
    }
}

/// One of those who notice nothing: far from where much happens.
async fn good(url: &str, number: usize) -> Client {
    let token = format!("the secret of good {number}, long enough");
    let options = ConnectOptions {
        reconnect: None,
        websocket_only: true,
        hello_time_max: SOON,
        ..ConnectOptions::new(token)
    };
    let client = Client::connect(url, options).await.unwrap();
    client.call(look::call(place(number), 10.0, 0)).await.unwrap();
    client
}

fn place(number: usize) -> Vec2 {
    Vec2::new(1_000.0 + (number % 40) as f32 * 20.0, (number / 40) as f32 * 20.0)
}

/// Whether each of the clients has gone on for so many ticks, from where it was.
async fn go_on(clients: &[Client], ticks: u64) {
    let beats = |client: &Client| client.rows::<Beat>().unwrap().first().map_or(0, |(_, beat)| beat.ticks);
    let before: Vec<u64> = clients.iter().map(beats).collect();
    let start = Instant::now();
    for (client, before) in clients.iter().zip(before) {
        while beats(client) < before + ticks {
            assert_eq!(client.disconnected(), None);
            assert!(start.elapsed() < SOON, "{} of {} beats came", beats(client) - before, ticks);
            sleep(Duration::from_millis(10)).await;
        }
    }
}

fn closes(counters: &HashMap<String, u64>, code: CloseCode) -> u64 {
    counters[&format!("closes_{}", code as u16)]
}

/// All of the good ones call, and are answered.
async fn call(clients: &[Client]) {
    let calls =
        clients.iter().enumerate().map(|(number, client)| client.call(look::call(place(number), 10.0, 1)));
    let answers = timeout(SOON, join_all(calls)).await.expect("calls are answered");
    answers.into_iter().for_each(|answer| assert!(answer.is_ok(), "{answer:?}"));
}

async fn attacked(server: &mut ServerProcess, websocket: &str, quic: &str) {
    let clients: Vec<Client> = stream::iter(0..GOOD)
        .map(|number| good(if number < GOOD_BY_QUIC { quic } else { websocket }, number))
        .buffered(AT_ONCE)
        .collect()
        .await;
    go_on(&clients, 20).await;
    let before = server.memory_bytes();
    let bound = before + SILENT as u64 * SILENT_BYTES + SPARE_BYTES;

    let module = clients[0].module();
    let number = |name: &str| u32::try_from(module.reducer(name).unwrap()).unwrap();
    let reducers =
        Reducers { look: number(<look::Call as Call>::NAME), churn: number(<churn::Call as Call>::NAME) };
    let address = websocket.strip_prefix("ws://").unwrap().trim_end_matches('/');
    let _silent = join_all((0..SILENT).map(|number| silent(address, number, reducers))).await;
    let floods = join_all((0..FLOODERS).map(|number| {
        let url = if number < FLOODERS_BY_QUIC { quic } else { websocket };
        flood(url, number, FLOODS[number % FLOODS.len()], reducers)
    }));
    let busy = async {
        let mut dice = Dice(1);
        let start = Instant::now();
        let mut most = 0;
        let counters = loop {
            clients[0].call(churn::call(dice.below(1 << 30), 40)).await.unwrap();
            let counters = server.counters();
            most = most.max(server.memory_bytes());
            assert!(most < bound, "{most} bytes of memory, {before} before, and {bound} are the bound");
            if closes(&counters, CloseCode::TooSlow) == SILENT as u64 {
                break counters;
            }
            assert!(start.elapsed() < 2 * SOON, "those who do not read are still there: {counters:?}");
            sleep(Duration::from_millis(20)).await;
        };
        (most, counters)
    };
    let good = async {
        call(&clients).await;
        go_on(&clients, 40).await;
        call(&clients).await;
    };
    let (floods, (most, _), ()) = tokio::join!(floods, busy, good);
    println!("{} MiB before, at most {} MiB", before >> 20, most >> 20);

    // Those by QUIC may have been cut off before they read why; the server has counted it.
    let told = floods.iter().filter(|code| **code == Some(CloseCode::Flooding)).count();
    assert!(
        told > FLOODERS / 2 && floods.iter().flatten().all(|code| *code == CloseCode::Flooding),
        "{floods:?}"
    );
    go_on(&clients, 20).await;
    let counters = server.counters();
    let closed: u64 =
        counters.iter().filter(|(name, _)| name.starts_with("closes_")).map(|(_, count)| count).sum();
    assert_eq!(closes(&counters, CloseCode::Flooding), FLOODERS as u64, "{counters:?}");
    assert_eq!(closed, (FLOODERS + SILENT) as u64, "nobody else was closed: {counters:?}");
    assert_eq!((counters["sessions_open"], counters["frames_lost"]), (GOOD as u64, 0), "{counters:?}");
    assert!(clients.iter().all(|client| client.disconnected().is_none()));
}

#[tokio::test]
async fn eight_hundred_notice_nothing_of_two_hundred() {
    raise_file_limit();
    let wasm = evertick_test_guests::wasm("scene-module");
    let rig = Rig::new(env!("CARGO_TARGET_TMPDIR"), env!("CARGO_BIN_EXE_test-server"), "scene", &wasm);
    let further = ["--quic", "--limited", "--messages-waiting-max", "128", "--tick-ms", "50"];
    let mut server = rig.spawn_with(&rig.data(), &further);
    let urls = server.url().unwrap_or_else(|log| panic!("{log}"));
    let (websocket, quic) = urls.split_once(' ').unwrap();
    attacked(&mut server, websocket, quic).await;
    assert!(server.stop().success());
}
