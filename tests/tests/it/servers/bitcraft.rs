//! A server with bitcraft-lite in it, and clients of it.

use bitcraft_lite::accounts::join;
use bitcraft_lite::movement::Position;
use evertick::{RunningServer, Server, ServerBuilder};
use evertick_client::{Client, ConnectOptions};
use evertick_schema::EntityId;
use glam::Vec2;

use crate::soon::until;

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
