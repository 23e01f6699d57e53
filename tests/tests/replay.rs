//! What a server did is done again: in WebAssembly by the tool, natively by a test.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::cell::RefCell;
use std::time::Duration;

use evertick_client::{Client, ConnectOptions};
use evertick_testing::{Recording, RecordingError, ReplayError};
use evertick_tests::bank::{Books, play};
use evertick_tests::dice::Dice;
use evertick_tests::process::run;
use evertick_tests::rig::Rig;

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
