//! Inputs on a disk that fails.

use std::sync::Arc;

use evertick::Server;
use evertick_durability::DirectoryStorage;
use evertick_tests::folder::Folder;
use gather_module::steering::{Glider, steer};
use glam::Vec3;

use super::gate::{Gate, Mode};
use super::{connect, stop, strict_host, until};

#[tokio::test]
async fn inputs_that_come_while_the_disk_fails_do_nothing_and_are_counted() {
    let folder = Folder::new(env!("CARGO_TARGET_TMPDIR"), "durable-steering");
    let gate = Gate::new(DirectoryStorage::open(folder.path().join("data")).unwrap());
    let server = Server::builder()
        .module_bytes("gathering", &*evertick_test_guests::wasm("gather-module"))
        .host(strict_host())
        .websocket("127.0.0.1:0")
        .storage(Arc::new(gate.clone()))
        .start()
        .unwrap();
    let client = connect(&server, "ann", false).await;
    let inputs = || server.snapshot().host;
    let steering = || {
        // Skipped when the coming ticks have theirs.
        let _tick = client.input(steer::call(Vec3::X, 0.1, false)).unwrap();
    };
    let flown = || client.rows::<Glider>().unwrap().first().map_or(0, |(_, glider)| glider.inputs);
    until("she flies", || {
        steering();
        flown() > 3
    })
    .await;
    assert_eq!(inputs().inputs_turned_away, 0);

    gate.set(Mode::Fails);
    until("the trouble is known, and inputs are turned away", || {
        steering();
        inputs().storage.failing && inputs().inputs_turned_away > 0
    })
    .await;
    gate.set(Mode::Works);
    until("the trouble is over", || !inputs().storage.failing).await;
    let (ran, before) = (inputs().inputs_run, flown());
    until("she flies on", || {
        steering();
        inputs().inputs_run > ran && flown() > before
    })
    .await;
    client.close().await;
    stop(server).await.unwrap();
}
