//! What a server does about damage, a torn tail and a full disk, and what the tools say of it.

use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;

use bank_module::notes::write;
use bank_module::presence::Presence;
use evertick_client::{CallError, Client, ConnectOptions, FailCode};
use evertick_tests::bank::{self, Books, ClientBook, all, play};
use evertick_tests::dice::Dice;
use evertick_tests::disk::{contents, fill, overwrite, places};
use evertick_tests::process::{Ran, run};
use evertick_tests::reopen::reopen;
use evertick_tests::rig::Rig;

const TOOL: &str = env!("CARGO_BIN_EXE_evertick-tool");

fn rig() -> Rig {
    let wasm = evertick_test_guests::wasm("bank-module");
    Rig::new(env!("CARGO_TARGET_TMPDIR"), env!("CARGO_BIN_EXE_test-server"), "bank", &wasm)
}

fn evertick(arguments: &[&str]) -> Ran {
    run(TOOL, arguments)
}

async fn connect(url: &str) -> Client {
    Client::connect(url, ConnectOptions { reconnect: None, ..ConnectOptions::new("the secret of somebody") })
        .await
        .unwrap()
}

/// Writes two notes, each in a commit of its own, and kills the server.
async fn two_notes(rig: &Rig) {
    let (mut server, url) = rig.start();
    let client = connect(&url).await;
    client.call(write::call(1, 1, 1, "the first note of two".into())).await.unwrap();
    client.call(write::call(1, 2, 2, "the second note of two".into())).await.unwrap();
    server.kill();
}

fn notes(rig: &Rig) -> Vec<String> {
    let reopened = reopen(&rig.data(), bank_module::module()).unwrap();
    let mut notes = all::<bank_module::notes::Note>(reopened.simulation.world());
    notes.sort_by_key(|(_, note)| note.id);
    notes.into_iter().map(|(_, note)| note.text).collect()
}

/// The repair that `verify` proposes.
fn proposed(verified: &str) -> String {
    let after = verified.split("evertick log repair --to ").skip(1);
    let numbers = after.filter_map(|text| text.split(' ').next()).filter(|word| word.parse::<u64>().is_ok());
    numbers.map(str::to_owned).next().unwrap_or_else(|| panic!("no repair is proposed: {verified}"))
}

#[tokio::test]
async fn damage_in_the_middle_is_never_started_on_and_can_be_cut_off() {
    let rig = rig();
    two_notes(&rig).await;
    let data = rig.data();
    let whole = evertick(&["log", "verify", "--data", &data]);
    assert_eq!(whole.code, 0, "{whole:?}");

    let (file, at) = places(Path::new(&data), b"the first note of two").pop().unwrap();
    overwrite(&file, at + 4, b"F");
    let name = file.file_name().unwrap().to_str().unwrap();
    let before = contents(Path::new(&data));
    let refusal = rig.spawn().url().unwrap_err();
    assert!(refusal.contains(name) && refusal.contains("at byte"), "{refusal}");
    assert!(
        refusal.contains("evertick log verify") && refusal.contains("evertick log repair --to"),
        "{refusal}"
    );
    assert!(contents(Path::new(&data)) == before, "a server that refuses to start changes nothing");

    let verified = evertick(&["log", "verify", "--data", &data]);
    assert_eq!(verified.code, 1, "{verified:?}");
    assert!(verified.out.contains(name), "{verified:?}");
    let kept = proposed(&verified.out);

    let repaired = evertick(&["log", "repair", "--to", &kept, "--data", &data]);
    assert_eq!(repaired.code, 0, "{repaired:?}");
    assert!(repaired.out.contains(".cut"), "{repaired:?}");
    assert!(!places(Path::new(&data), b"the second note of two").is_empty(), "what is cut is kept aside");
    assert_eq!(evertick(&["log", "verify", "--data", &data]).code, 0);
    let (mut server, url) = rig.start();
    connect(&url).await.call(write::call(1, 3, 3, "after the repair".into())).await.unwrap();
    server.kill();
    assert_eq!(notes(&rig), ["after the repair"]);
}

#[tokio::test]
async fn a_torn_tail_is_cut_with_a_note() {
    let rig = rig();
    two_notes(&rig).await;
    let (file, at) = places(Path::new(&rig.data()), b"the second note of two").pop().unwrap();
    let length = std::fs::metadata(&file).unwrap().len();
    overwrite(&file, at + 4, &vec![0; usize::try_from(length - at - 4).unwrap()]);

    let verified = evertick(&["log", "verify", "--data", &rig.data()]);
    assert_eq!(verified.code, 0, "{verified:?}");
    assert!(verified.out.contains("never finished"), "{verified:?}");
    let (mut server, _) = rig.start();
    server.until_logged("never finished");
    server.kill();
    assert_eq!(notes(&rig), ["the first note of two"]);
}

#[tokio::test]
async fn records_can_be_read_by_people() {
    let rig = rig();
    two_notes(&rig).await;
    let data = rig.data();
    let shown = evertick(&["log", "inspect", "--data", &data, "--reducer", "bank.write"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert_eq!(shown.out.matches("called bank.write").count(), 2, "{}", shown.out);
    assert!(
        shown.out.contains("the second note of two") && !shown.out.contains("bank.Note"),
        "{}",
        shown.out
    );
    let shown = evertick(&["log", "inspect", "--data", &data, "--row", "bank.Note"]);
    assert_eq!(shown.out.matches(" bank.Note").count(), 2, "{}", shown.out);
    let nothing = evertick(&["log", "inspect", "--data", &rig.folder.file("nowhere")]);
    assert!(nothing.code == 2 && nothing.err.contains("nowhere"), "{nothing:?}");
    let usage = evertick(&["log", "repair", "--data", &data]);
    assert!(usage.code == 2 && usage.err.contains("--to"), "{usage:?}");
    let help = evertick(&["--help"]);
    assert!(help.code == 0 && help.out.contains("backup"), "{help:?}");
}

#[tokio::test]
async fn two_servers_never_share_a_directory() {
    let rig = rig();
    let (mut first, url) = rig.start();
    let refusal = rig.spawn().url().unwrap_err();
    assert!(refusal.contains("in use") || refusal.contains("lock"), "{refusal}");
    connect(&url).await.call(write::call(1, 1, 1, "still mine".into())).await.unwrap();
    first.kill();
    assert_eq!(notes(&rig), ["still mine"]);
}

/// The disk fills up under a server, and has room again later.
#[tokio::test]
async fn a_full_disk_stops_calls_and_loses_nothing() {
    let rig = rig();
    let (mut server, url) = rig.start();
    let mut books = Books::new(2, &mut Dice::new(11));
    let clients = [connect(&url).await, connect(&url).await];
    let playing: Vec<_> = books.clients.drain(..).map(RefCell::new).collect();
    let process = server.id();
    let troubles = async {
        let probe = connect(&url).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        fill(process, true);
        let failed = until_failed(&probe).await;
        assert!(failed.contains("disk") || failed.contains("storage"), "{failed}");
        assert_eq!(probe.rows::<Presence>().unwrap().len(), 3, "what clients saw stays");
        probe.ping().await.unwrap();
        let late = Client::connect(&url, ConnectOptions::new("the secret of a late comer")).await;
        if let Ok(late) = late {
            let closed = tokio::time::timeout(Duration::from_secs(20), late.closed()).await;
            let why = closed.expect("nobody new comes in meanwhile").to_string();
            assert!(why.contains("disk") || why.contains("storage"), "{why}");
        }
        tokio::time::sleep(Duration::from_millis(500)).await;

        fill(process, false);
        until_done(&probe).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.kill();
    };
    let plays = clients.iter().zip(&playing).map(|(client, book)| play(client, book, 4));
    tokio::join!(futures_util::future::join_all(plays), troubles);

    books.clients = playing.into_iter().map(RefCell::into_inner).collect();
    let confirmed: usize = books.clients.iter().map(ClientBook::confirmed).sum();
    assert!(confirmed > 100, "calls before and after the trouble: {confirmed}");
    let reopened = reopen(&rig.data(), bank_module::module()).unwrap();
    bank::audit(reopened.simulation.world(), &reopened.sessions, &mut books).unwrap();
}

/// A server whose disk is full can still be stopped, and what was confirmed before is there.
#[tokio::test]
async fn a_server_with_a_full_disk_ends_in_order() {
    let rig = rig();
    let (mut server, url) = rig.start();
    let client = connect(&url).await;
    client.call(write::call(7, 1, 1, "while there was room".into())).await.unwrap();
    fill(server.id(), true);
    until_failed(&client).await;
    let _ = server.stop();
    assert_eq!(notes(&rig), ["while there was room"]);
}

/// Calls until one fails for the disk's sake. What the server said.
async fn until_failed(client: &Client) -> String {
    for step in 1_000..1_200 {
        let call = client.call(write::call(99, step, 1, "a probe".into()));
        match tokio::time::timeout(Duration::from_millis(100), call).await {
            // One that was done when the trouble began is answered when it is over.
            Ok(Ok(())) | Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            Ok(Err(CallError::Failed { code: FailCode::Storage, message, .. })) => return message,
            Ok(Err(error)) => panic!("{error}"),
        }
    }
    panic!("calls go on although the disk is full")
}

/// Calls until one succeeds.
async fn until_done(client: &Client) {
    let until = async {
        for step in 1_000_000.. {
            if client.call(write::call(99, step, 1, "a probe".into())).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), until).await.expect("the server goes on by itself");
}
