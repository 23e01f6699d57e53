//! What a running server counts: all of it is there, plausible, and in the guide.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use evertick::{RunningServer, ServerSnapshot};
use evertick_client::Client;
use evertick_tests::folder::Folder;
use evertick_tests::process::run;
use glam::Vec2;
use market_module::{Driving, drive, shout};

use crate::servers::market::{builder, connect};
use crate::soon::until;

const GUIDE: &str = include_str!("../../../docs/studios.md");

/// What `{"do":"metrics"}` answers.
fn asked(data: &Path) -> serde_json::Value {
    let mut socket = UnixStream::connect(data.join("admin.sock")).unwrap();
    socket.write_all(b"{\"do\":\"metrics\"}\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    serde_json::from_str(&answer).unwrap()
}

/// What the tool prints.
async fn tool(arguments: &[&str]) -> String {
    let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
    let run = || run(env!("CARGO_BIN_EXE_evertick-tool"), arguments);
    let ran = tokio::task::spawn_blocking(run).await.unwrap();
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.out
}

/// Two players who see carts drive.
async fn busy(server: &RunningServer) -> [Client; 2] {
    let near = connect(&server.urls()[0], "near").await;
    let far = connect(&server.urls()[0], "far").await;
    for index in 0..20 {
        near.call(drive::call(Vec2::from_angle(index as f32), 1_000_000)).await.unwrap();
    }
    until(async || near.rows::<Driving>().unwrap().len() == 20).await;
    [near, far]
}

fn assert_plausible(snapshot: &ServerSnapshot) {
    let ServerSnapshot { host, gateway } = snapshot;
    assert!(host.ticks > 0 && host.calls_ok > 20 && host.sessions == 2 && host.frames > 0, "{host:?}");
    let phases = host.phases;
    for (name, spread) in [
        ("calls", phases.calls),
        ("inputs", phases.inputs),
        ("step", phases.step),
        ("commit", phases.commit),
        ("tick", phases.tick),
        ("frame", phases.frame),
        ("published", phases.published),
    ] {
        assert!(spread.count > 0, "{name}: {spread:?}");
        assert!(spread.p50 <= spread.p99 && spread.p99 <= spread.max, "{name}: {spread:?}");
        assert!(spread.max < 30_000_000, "{name} takes no half a minute: {spread:?}");
    }
    assert!(phases.published.p50 > 0, "{phases:?}");

    assert_eq!((gateway.sessions_open, gateway.connections_open, gateway.sessions_parked), (2, 2, 0));
    assert!(gateway.calls_ok > 20 && gateway.closes == [0; 13], "{gateway:?}");
    assert!(gateway.encoded_states > 0 && gateway.encoded_ordered > 0 && gateway.encoded_events > 0);
    assert!(gateway.bytes_states_full > 0 && gateway.bytes_snapshots > 0 && gateway.bytes_ordered > 0);
    assert!(gateway.bytes_out >= gateway.bytes_states_full + gateway.bytes_snapshots, "{gateway:?}");
    assert!(gateway.datagrams_out > 0, "QUIC is used: {gateway:?}");
    for (name, spread) in [("staleness", gateway.staleness_us), ("round trip", gateway.round_trip_us)] {
        assert!(spread.count >= 2 && spread.max > 0 && spread.max <= 60_100_000, "{name}: {spread:?}");
    }
    assert!(gateway.budget_use_permille.count > 0 && gateway.budget_use_permille.max > 0, "{gateway:?}");
}

#[tokio::test]
async fn a_running_server_shows_what_it_counts() {
    let folder = Folder::new(env!("CARGO_TARGET_TMPDIR"), "metrics");
    let data = folder.path().join("data");
    let server = builder().websocket("127.0.0.1:0").quic("127.0.0.1:0").data_dir(&data).start().unwrap();
    let clients = busy(&server).await;
    // Each client reports every other second.
    until(async || {
        // What is recent has to have happened in the last ten seconds, however long the reports take.
        clients[1].call(shout::call("here".to_owned())).await.unwrap();
        let snapshot = server.snapshot();
        let gateway = snapshot.gateway;
        let all = gateway.staleness_us.count >= 2 && gateway.budget_use_permille.max > 0;
        if all {
            assert_plausible(&snapshot);
        } else {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        all
    })
    .await;

    let snapshot = server.snapshot();
    let answer = asked(&data);
    let shown = answer["metrics"].as_object().unwrap();
    assert_eq!(answer["ok"], true);
    for (name, value) in snapshot.values() {
        assert!(value.is_finite() && shown[&name].is_number(), "{name} is {value} and {}", shown[&name]);
    }
    assert_eq!(shown.len(), snapshot.values().len());
    assert!(shown["host.ticks"].as_f64().unwrap() >= snapshot.host.ticks as f64);

    let printed = tool(&["metrics", "--data", &data.display().to_string()]).await;
    assert_eq!(printed.lines().count(), shown.len());
    let ticks = printed.lines().find_map(|line| line.strip_prefix("host.ticks ")).unwrap();
    assert!(ticks.parse::<f64>().unwrap() > 0.0, "{ticks}");
    let rates = tool(&["metrics", "--over", "1", "--data", &data.display().to_string()]).await;
    let rate = rates.lines().find_map(|line| line.strip_prefix("host.frames ")?.strip_suffix("/s")).unwrap();
    assert!((0.1..=61.0).contains(&rate.parse::<f64>().unwrap()), "{rate} frames a second");

    let [near, far] = clients;
    near.close().await;
    far.close().await;
    let normal = |server: &RunningServer| {
        let values = server.snapshot().values();
        values.into_iter().find(|(name, _)| name == "gateway.closes.normal").unwrap().1
    };
    until(async || normal(&server) > 1.5).await;
}

/// What is older than ten seconds says nothing of now.
#[tokio::test]
async fn recent_values_are_forgotten() {
    let server = builder().websocket("127.0.0.1:0").start().unwrap();
    let client = connect(&server.urls()[0], "somebody").await;
    until(async || server.snapshot().gateway.staleness_us.count > 0).await;
    let reports = server.snapshot().gateway.reports;
    client.close().await;
    tokio::time::timeout(Duration::from_secs(60), async {
        while server.snapshot().gateway.staleness_us.count > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await
    .unwrap();
    assert!(server.snapshot().gateway.reports >= reports, "counters are not");
    assert!(server.snapshot().host.phases.tick.count > 0, "the world goes on");
}

#[tokio::test]
async fn the_guide_says_what_each_number_means() {
    let server = builder().websocket("127.0.0.1:0").start().unwrap();
    let missing: Vec<_> = server
        .snapshot()
        .values()
        .into_iter()
        .map(|(name, _)| {
            let base = [".count", ".p50", ".p99", ".max"].into_iter().find_map(|end| name.strip_suffix(end));
            base.map(str::to_owned).unwrap_or(name)
        })
        .filter(|name| !GUIDE.contains(&format!("`{}`", name.split_once('.').unwrap().1)))
        .collect();
    assert_eq!(missing, Vec::<String>::new(), "they are not in docs/studios.md");
}
