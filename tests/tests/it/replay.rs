//! What a server did is done again: in WebAssembly by the tool, natively by a test.

use std::cell::RefCell;
use std::time::Duration;

use evertick_client::{Client, ConnectOptions};
use evertick_testing::{Recording, RecordingError, ReplayError};
use evertick_tests::bank::{Books, play};
use evertick_tests::dice::Dice;
use evertick_tests::process::run;
use evertick_tests::rig::Rig;
use gather_module::steering::{Glider, steer};
use glam::Vec3;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const TOOL: &str = env!("CARGO_BIN_EXE_evertick-tool");

#[tokio::test]
async fn a_recording_replays_the_same_in_wasm_and_natively() {
    let wasm = evertick_test_guests::wasm("bank-module");
    let rig = Rig::new(env!("CARGO_TARGET_TMPDIR"), env!("CARGO_BIN_EXE_test-server"), "bank", &wasm);
    let (data, recording) = (rig.data(), rig.folder.file("recording"));
    let (mut server, url) = rig.start();
    let mut books = Books::new(2, &mut Dice::new(3));
    let client =
        Client::connect(&url, ConnectOptions { reconnect: None, ..ConnectOptions::new("the secret of one") })
            .await
            .unwrap();
    let playing: Vec<_> = books.clients.drain(..).map(RefCell::new).collect();
    let tool = async |arguments: &[&str]| {
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        let ran = tokio::task::spawn_blocking(move || run(TOOL, arguments)).await.unwrap();
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.out
    };
    let operator = async {
        // Not from the beginning: the image has a history.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let started = tool(&["record", "start", &recording, "--data", &data]).await;
        assert!(started.contains(&recording), "{started}");
        tokio::time::sleep(Duration::from_millis(300)).await;
        let other = Client::connect(
            &url,
            ConnectOptions { reconnect: None, ..ConnectOptions::new("the secret of another") },
        )
        .await
        .unwrap();
        let status = tool(&["record", "status", "--data", &data]).await;
        assert!(status.contains(&recording), "{status}");
        tokio::time::sleep(Duration::from_millis(300)).await;
        other.close().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        tool(&["record", "stop", "--data", &data]).await;
        assert!(server.stop().success());
    };
    tokio::join!(play(&client, &playing[0], 8), operator);
    assert!(playing[0].borrow().confirmed() > 50);

    let again = run(TOOL, ["replay", &recording, "--module", &rig.module()]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.out.contains("equal"), "{again:?}");
    let report = Recording::open(&recording).unwrap().replay(bank_module::module()).unwrap();
    assert!(report.commits > 20, "{report:?}");

    // A module that takes another fee.
    let skewed = evertick_test_guests::wasm("skewed-module");
    rig.replace_module(&skewed);
    let differs = run(TOOL, ["replay", &recording, "--module", &rig.module()]);
    assert_eq!(differs.code, 1, "{differs:?}");
    assert!(differs.out.contains("bank.transfer") && differs.out.contains("record"), "{differs:?}");
    match Recording::open(&recording).unwrap().replay(skewed_module::module()) {
        Err(RecordingError::Replay(ReplayError::Diverged(divergence))) => {
            assert_eq!(divergence.name.as_deref(), Some("bank.transfer"));
        }
        other => panic!("{other:?}"),
    }
}

/// Steers once a tick until the server has run so many inputs.
async fn steer_for(client: &Client, data: &str, inputs: f64) {
    let (mut dice, until) = (Dice::new(9), counted(data, "host.inputs_run").await + inputs);
    while counted(data, "host.inputs_run").await < until {
        let toward = Vec3::new(dice.below(5) as f32 - 2.0, dice.below(3) as f32, 0.3);
        // The coming ticks may have theirs already: then it is skipped.
        let _tick = client.input(steer::call(toward, dice.below(7) as f32 - 3.0, dice.once_in(4))).unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// One of a server's numbers, by its admin socket.
async fn counted(data: &str, name: &str) -> f64 {
    let mut socket = tokio::net::UnixStream::connect(format!("{data}/admin.sock")).await.unwrap();
    socket.write_all(b"{\"do\":\"metrics\"}\n").await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    serde_json::from_str::<serde_json::Value>(&answer).unwrap()["metrics"][name].as_f64().unwrap()
}

#[tokio::test]
async fn inputs_are_recorded_and_steer_the_same_way_again() {
    let wasm = evertick_test_guests::wasm("gather-module");
    let rig = Rig::new(env!("CARGO_TARGET_TMPDIR"), env!("CARGO_BIN_EXE_test-server"), "gathering", &wasm);
    let (data, recording) = (rig.data(), rig.folder.file("recording"));
    let (mut server, url) = rig.start();
    let connect = async |token: &str| {
        let options = ConnectOptions { reconnect: None, ..ConnectOptions::new(token) };
        Client::connect(&url, options).await.unwrap()
    };
    let tool = async |arguments: &[&str]| {
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        let ran = tokio::task::spawn_blocking(move || run(TOOL, arguments)).await.unwrap();
        assert_eq!(ran.code, 0, "{ran:?}");
    };
    let (one, two) = (connect("the secret of one").await, connect("the secret of two").await);
    // The image has gliders that fly already.
    tokio::join!(steer_for(&one, &data, 10.0), steer_for(&two, &data, 10.0));
    tool(&["record", "start", &recording, "--data", &data]).await;
    let before = counted(&data, "host.inputs_run").await;
    let operator = async {
        tokio::join!(steer_for(&one, &data, 60.0), steer_for(&two, &data, 60.0));
        let steered = counted(&data, "host.inputs_run").await - before;
        tool(&["record", "stop", "--data", &data]).await;
        assert!(steered >= 60.0, "{steered}");
    };
    operator.await;
    let gliders = one.rows::<Glider>().unwrap();
    assert_eq!(gliders.len(), 2);
    assert!(gliders.iter().all(|(_, glider)| glider.inputs > 10 && glider.at.length() > 0.1), "{gliders:?}");
    one.close().await;
    two.close().await;
    assert!(server.stop().success());

    let inputs = run(TOOL, ["log", "inspect", "--reducer", "gathering.steer", "--data", &data]);
    assert!(inputs.out.matches("gathering.steer").count() >= 60, "{inputs:?}");
    let again = run(TOOL, ["replay", &recording, "--module", &rig.module()]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.out.contains("equal"), "{again:?}");
    let report = Recording::open(&recording).unwrap().replay(gather_module::module()).unwrap();
    assert!(report.commits > 20, "{report:?}");
}
