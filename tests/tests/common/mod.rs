//! A server with bitcraft-lite in it, and clients of it.
#![allow(dead_code, reason = "each test file uses a part")]

use std::time::Duration;

use bitcraft_lite::accounts::join;
use bitcraft_lite::movement::Position;
use evertick::{RunningServer, Server, ServerBuilder};
use evertick_client::{Client, ConnectOptions};
use evertick_schema::EntityId;
use glam::Vec2;

/// The longest that anything in these tests may take to happen.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// bitcraft-lite with the same island every time, on a port of the system's choice.
pub(crate) fn builder() -> ServerBuilder {
    Server::builder()
        .module_bytes("bitcraft", &*evertick_test_guests::wasm("bitcraft-lite"))
        .seed(7)
        .websocket("127.0.0.1:0")
}

/// A running server and its address.
pub(crate) fn server() -> (RunningServer, String) {
    let server = builder().start().unwrap();
    let url = server.urls()[0].clone();
    (server, url)
}

/// A client with an account of its own.
pub(crate) async fn connect(url: &str, name: &str) -> Client {
    let token = format!("the secret of {name}, long enough");
    let options = ConnectOptions { reconnect: None, ..ConnectOptions::new(token) };
    Client::connect(url, options).await.unwrap()
}

/// A client in the world, its avatar visible to itself.
pub(crate) async fn joined(url: &str, name: &str) -> (Client, EntityId) {
    let client = connect(url, name).await;
    let me = client.call(join::call(name.to_owned())).await.unwrap();
    until(async || position(&client, me).is_some()).await;
    (client, me)
}

/// Where the client sees an entity.
pub(crate) fn position(client: &Client, entity: EntityId) -> Option<Vec2> {
    client.get::<Position>(entity).unwrap().map(|position| position.at)
}

/// Waits until `condition` holds; fails when that is not soon.
pub(crate) async fn until(condition: impl AsyncFn() -> bool) {
    tokio::time::timeout(SOON, async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("what the test waits for has to happen soon");
}
