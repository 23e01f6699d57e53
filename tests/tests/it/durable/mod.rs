//! A server that keeps its world: restarts, frames that wait for the disk, a disk that hangs and fails.

mod admin;
mod gate;
mod steering;

use std::sync::Arc;
use std::time::Duration;

use bank_module::accounts::{ACCOUNTS, Account, BALANCE_AT_FIRST, transfer};
use bank_module::presence::{Door, Presence};
use bank_module::progress::StepRefusal;
use bank_module::rounding::FEE;
use evertick::{HostConfig, RunningServer, Server, ServerBuilder};
use evertick_client::{CallError, Client, CloseCode, ConnectOptions, Disconnected, FailCode};
use evertick_durability::DirectoryStorage;
use evertick_tests::folder::Folder;
use gate::{Gate, Mode};

use crate::soon::SOON;

/// How long a frame may wait for the disk here.
const SYNC_WAIT_MAX: Duration = Duration::from_millis(300);

fn builder() -> ServerBuilder {
    let host =
        HostConfig { tick: Duration::from_millis(20), sync_wait_max: SYNC_WAIT_MAX, ..HostConfig::default() };
    Server::builder()
        .module_bytes("bank", &*evertick_test_guests::wasm("bank-module"))
        .host(host)
        .websocket("127.0.0.1:0")
}

async fn connect(server: &RunningServer, name: &str, unconfirmed: bool) -> Client {
    let options = ConnectOptions {
        unconfirmed,
        reconnect: None,
        ..ConnectOptions::new(format!("the secret of {name}, long enough"))
    };
    Client::connect(&server.urls()[0], options).await.unwrap()
}

/// Moves money from account 1 to account `to`; what is left.
async fn pay(client: &Client, number: u32, step: u64, to: u32) -> Result<i64, CallError<StepRefusal>> {
    tokio::time::timeout(SOON, client.call(transfer::call(number, step, 1, to, 10))).await.unwrap()
}

fn balance(client: &Client, number: u32) -> Option<i64> {
    let accounts = client.rows::<Account>().unwrap();
    accounts.iter().find(|(_, account)| account.number == number).map(|(_, account)| account.balance)
}

fn door(client: &Client) -> Option<Door> {
    client.resource::<Door>().unwrap()
}

/// Waits until `condition` holds; fails when that is not soon.
async fn until(what: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

async fn stop(server: RunningServer) -> evertick::Result<()> {
    tokio::task::spawn_blocking(|| server.stop()).await.unwrap()
}

#[tokio::test]
async fn what_was_confirmed_is_there_after_a_restart() {
    let folder = Folder::new(env!("CARGO_TARGET_TMPDIR"), "durable-restart");
    let data = folder.path().join("data");
    let server = builder().data_dir(&data).start().unwrap();
    let client = connect(&server, "ann", false).await;
    for step in 1..=20 {
        pay(&client, 7, step, 2).await.unwrap();
    }
    let left = pay(&client, 7, 21, 3).await.unwrap();
    let (session, tick) = (client.session(), client.statistics().tick);
    assert!(data.join("admin.sock").exists());
    stop(server).await.unwrap();
    assert!(!data.join("admin.sock").exists());
    assert!(
        matches!(client.closed().await, Disconnected::ByServer(close) if close.code == CloseCode::Shutdown)
    );

    let server = builder().data_dir(&data).start().unwrap();
    let client = connect(&server, "ann", false).await;
    until("the accounts are in sight", || balance(&client, ACCOUNTS - 1).is_some()).await;
    assert_eq!(balance(&client, 1), Some(left));
    assert_eq!(balance(&client, 2), Some(BALANCE_AT_FIRST + 200));
    assert_eq!(balance(&client, 3), Some(BALANCE_AT_FIRST + 10));
    let sum: i64 = client.rows::<Account>().unwrap().iter().map(|(_, account)| account.balance).sum();
    assert_eq!(sum, i64::from(ACCOUNTS) * BALANCE_AT_FIRST, "init has not run again");
    assert!(client.session() > session, "numbers of sessions go on");
    until("ticks go on", || client.statistics().tick >= tick).await;
    until("we are in", || door(&client).is_some_and(|door| door.came == 2 && door.left == 1)).await;
    let again = pay(&client, 7, 21, 3).await.unwrap_err();
    assert!(matches!(again, CallError::Refused { refusal: StepRefusal::Again { .. }, .. }), "{again}");
    pay(&client, 7, 22, 3).await.unwrap();
    until("the counters show it", || server.snapshot().host.storage.log_records > 0).await;
    let storage = server.snapshot().host.storage;
    assert!(storage.synced > 0 && storage.disk_bytes > 0 && !storage.failing, "{storage:?}");
    stop(server).await.unwrap();
}

/// The files of a running server, as a crash would leave them: the session that was open then is seen off first of all.
#[tokio::test]
async fn sessions_that_a_crash_cut_off_have_left() {
    let folder = Folder::new(env!("CARGO_TARGET_TMPDIR"), "durable-crash");
    let (data, crashed) = (folder.path().join("data"), folder.path().join("crashed"));
    let server = builder().data_dir(&data).start().unwrap();
    let client = connect(&server, "ann", false).await;
    pay(&client, 7, 1, 2).await.unwrap();
    std::fs::create_dir(&crashed).unwrap();
    for entry in std::fs::read_dir(&data).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), crashed.join(entry.file_name())).unwrap();
        }
    }

    let next = builder().data_dir(&crashed).start().unwrap();
    let witness = connect(&next, "bob", false).await;
    assert!(witness.session() > client.session());
    until("the door is in sight", || door(&witness).is_some()).await;
    assert_eq!(door(&witness).map(|door| (door.came, door.left)), Some((2, 1)));
    let present: Vec<u64> =
        witness.rows::<Presence>().unwrap().iter().map(|(_, presence)| presence.session).collect();
    assert_eq!(present, [witness.session().0]);
    assert_eq!(balance(&witness, 2), Some(BALANCE_AT_FIRST + 10));
    stop(next).await.unwrap();
    stop(server).await.unwrap();
}

/// A server on a disk with a gate, a patient client and one that takes unconfirmed frames.
async fn gated(folder: &Folder, host: HostConfig) -> (Gate, RunningServer, [Client; 2]) {
    let gate = Gate::new(DirectoryStorage::open(folder.path().join("data")).unwrap());
    let server = builder().host(host).storage(Arc::new(gate.clone())).start().unwrap();
    let clients = [connect(&server, "ann", false).await, connect(&server, "eve", true).await];
    for (number, client) in [1, 2].into_iter().zip(&clients) {
        pay(client, number, 1, 2).await.unwrap();
        until("all is in sight", || balance(client, 2).is_some_and(|balance| balance > BALANCE_AT_FIRST))
            .await;
    }
    (gate, server, clients)
}

fn patient_host() -> HostConfig {
    HostConfig { tick: Duration::from_millis(20), sync_wait_max: SOON, ..HostConfig::default() }
}

fn strict_host() -> HostConfig {
    HostConfig { sync_wait_max: SYNC_WAIT_MAX, ..patient_host() }
}

#[tokio::test]
async fn frames_wait_for_the_disk_but_not_for_the_impatient() {
    let folder = Folder::new(env!("CARGO_TARGET_TMPDIR"), "durable-gate");
    let (gate, server, [ann, eve]) = gated(&folder, patient_host()).await;
    until("both know of both payments", || balance(&ann, 2) == balance(&eve, 2)).await;
    let before = balance(&ann, 2).unwrap();

    gate.set(Mode::Hangs);
    // What changes nothing durable waits for nothing.
    let tick = ann.statistics().tick;
    until("ticks go on", || ann.statistics().tick > tick + 5).await;

    let anns = tokio::spawn({
        let ann = ann.clone();
        async move { pay(&ann, 1, 2, 2).await }
    });
    until("ann's payment is seen by eve", || balance(&eve, 2) == Some(before + 10)).await;
    pay(&eve, 2, 2, 2).await.unwrap();
    assert_eq!(balance(&eve, 2), Some(before + 20));
    ann.ping().await.unwrap();
    assert_eq!(balance(&ann, 2), Some(before), "the disk does not have it");
    assert!(!anns.is_finished());
    until("frames are counted", || server.snapshot().host.storage.frames_held > 0).await;

    gate.set(Mode::Works);
    anns.await.unwrap().unwrap();
    until("ann knows", || balance(&ann, 2) == Some(before + 20)).await;
    stop(server).await.unwrap();
}

#[tokio::test]
async fn a_failing_disk_stops_the_world_until_it_works_again() {
    let folder = Folder::new(env!("CARGO_TARGET_TMPDIR"), "durable-failing");
    let (gate, server, [ann, eve]) = gated(&folder, strict_host()).await;
    for (round, trouble) in [Mode::Fails, Mode::Hangs, Mode::Fails].into_iter().enumerate() {
        let step = 10 + 10 * round as u64;
        let before = balance(&eve, 2).unwrap();
        gate.set(trouble);
        // It runs, and is the one that finds out.
        let first = tokio::spawn({
            let ann = ann.clone();
            async move { pay(&ann, 1, step, 2).await }
        });
        until("the trouble is known", || server.snapshot().host.storage.failing).await;

        for client in [&ann, &eve] {
            let failed = pay(client, 3, step, 2).await.unwrap_err();
            let CallError::Failed { code: FailCode::Storage, message, id: 0 } = &failed else {
                panic!("{failed}")
            };
            assert!(message.contains("disk"), "{message}");
            client.ping().await.unwrap();
        }
        let stranger = connect(&server, "new", false).await;
        let Disconnected::ByServer(close) = stranger.closed().await else { panic!("it is turned away") };
        assert_eq!(close.code, CloseCode::Internal);
        assert!(close.message.contains("disk"), "{}", close.message);
        let ticks = server.snapshot().host.ticks;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(server.snapshot().host.ticks, ticks, "the world stands still");
        assert_eq!(balance(&eve, 2), Some(before + 10), "what was seen stays");

        gate.set(Mode::Works);
        first.await.unwrap().unwrap();
        until("the trouble is over", || !server.snapshot().host.storage.failing).await;
        pay(&ann, 1, step + 1, 2).await.unwrap();
        assert_eq!(balance(&ann, 2), Some(before + 20), "what failed did nothing");
        until("eve knows", || balance(&eve, 2) == Some(before + 20)).await;
    }
    stop(server).await.unwrap();
}

#[tokio::test]
async fn whoever_leaves_while_the_disk_fails_has_left_when_it_works() {
    let folder = Folder::new(env!("CARGO_TARGET_TMPDIR"), "durable-leaving");
    let (gate, server, [ann, eve]) = gated(&folder, strict_host()).await;
    assert_eq!(ann.rows::<Presence>().unwrap().len(), 2);
    gate.set(Mode::Fails);
    let first = tokio::spawn({
        let ann = ann.clone();
        async move { pay(&ann, 1, 10, 2).await }
    });
    until("the trouble is known", || server.snapshot().host.storage.failing).await;
    eve.close().await;
    until("it is told", || server.snapshot().host.sessions == 1).await;
    gate.set(Mode::Works);
    first.await.unwrap().unwrap();
    until("eve is gone", || ann.rows::<Presence>().unwrap().len() == 1).await;
    stop(server).await.unwrap();
}

#[tokio::test]
async fn a_server_stops_on_a_failing_disk_and_says_what_it_means() {
    let folder = Folder::new(env!("CARGO_TARGET_TMPDIR"), "durable-stop");
    let (gate, server, [ann, _eve]) = gated(&folder, strict_host()).await;
    let left = pay(&ann, 1, 10, 2).await.unwrap();
    gate.set(Mode::Fails);
    let lost = tokio::spawn({
        let ann = ann.clone();
        async move { pay(&ann, 1, 11, 2).await }
    });
    until("the trouble is known", || server.snapshot().host.storage.failing).await;
    let error = tokio::time::timeout(SOON, stop(server)).await.unwrap().unwrap_err().to_string();
    assert!(error.contains("the test's disk is broken"), "{error}");
    let unknown = lost.await.unwrap().unwrap_err();
    assert!(matches!(unknown, CallError::Disconnected(_)), "nobody was told that it is done: {unknown}");

    drop(gate); // it holds the directory
    let server = builder().data_dir(folder.path().join("data")).start().unwrap();
    let ann = connect(&server, "ann", false).await;
    until("the accounts are in sight", || balance(&ann, 1).is_some()).await;
    let found = balance(&ann, 1).unwrap();
    assert!([left, left - 10 - FEE].contains(&found), "what was confirmed is there: {found}, not {left}");
    stop(server).await.unwrap();
}
