//! The Rust client on a bad way to a whole server, and when the server is another all at once.

use std::time::Duration;

use evertick_client::{CallError, Client, Conditions, ConnectOptions, ConnectionState};
use evertick_schema::EntityId;
use glam::Vec2;
use market_module::{Driving, ItemKind, Place, Stall, drive, offer, set_open};

use crate::servers::market::{builder, connect, connect_again, returns, server};
use crate::soon::until;

/// All that a client sees of carts.
fn places(client: &Client) -> Vec<(EntityId, Place)> {
    let mut places = client.rows::<Place>().unwrap();
    places.sort_by_key(|(entity, _)| *entity);
    places
}

/// One in twenty messages is lost, several in a row, and the rest comes late and in disorder: when things have come to rest, what is seen
/// is what is.
#[tokio::test]
async fn what_rests_is_seen_as_it_is_however_bad_the_network() {
    let server = builder().websocket("127.0.0.1:0").quic("127.0.0.1:0").start().unwrap();
    let url = server.urls()[0].clone();
    let near = connect(&url, "near").await;
    let conditions = Conditions {
        latency: Duration::from_millis(20),
        jitter: Duration::from_millis(30),
        loss: 0.05,
        burst: 3.0,
        duplicate: 0.02,
        reorder: 0.05,
        seed: 11,
    };
    let options = ConnectOptions {
        conditions: Some(conditions),
        reconnect: None,
        ..ConnectOptions::new("the secret of far, long enough")
    };
    let far = Client::connect(&url, options).await.unwrap();
    for index in 0..30 {
        let direction = Vec2::from_angle(index as f32) * 3.0;
        near.call(drive::call(direction, 20 + index)).await.unwrap();
    }
    let rest = |client: &Client| {
        let carts = client.rows::<Driving>().unwrap();
        carts.len() == 30 && carts.iter().all(|(_, cart)| cart.ticks == 0)
    };
    until(async || rest(&near) && rest(&far) && places(&near) == places(&far)).await;
    let statistics = far.statistics();
    assert!(statistics.bytes_in_world > 0, "it went by QUIC: {statistics:?}");
}

/// Calls that were under way when the session was lost fail as such, and the next go to the new one.
#[tokio::test]
async fn a_new_server_means_a_new_session_and_calls_that_nobody_knows_of_fail() {
    let (old, url) = server();
    let (client, way) = connect_again(&url, "player").await;
    let stall = client.call(offer::call(Vec2::ZERO, 1, ItemKind::Bow)).await.unwrap();
    until(async || client.get::<Stall>(stall).unwrap().is_some()).await;

    // The way is gone before the server is, so nobody says goodbye, and this call waits.
    let (new, other) = server();
    way.lead_to(&other);
    way.cut();
    until(async || client.state() == ConnectionState::Reconnecting || returns(&client) == 1).await;
    let waiting = client.call(set_open::call(stall, false)).await;
    assert!(matches!(waiting, Ok(()) | Err(CallError::Disconnected(_))), "{waiting:?}");
    until(async || returns(&client) == 1 && client.rows::<Stall>().unwrap().len() < 2).await;
    assert_eq!((client.state(), client.statistics().new_sessions), (ConnectionState::Connected, 1));
    assert!(client.get::<Place>(stall).unwrap().is_none(), "the replica began anew");
    let other_stall = client.call(offer::call(Vec2::ONE, 2, ItemKind::Bow)).await.unwrap();
    until(async || client.get::<Place>(other_stall).unwrap().is_some_and(|place| place.at == Vec2::ONE))
        .await;
    drop((old, new));
}
