//! The SDK against a real gateway over TCP that is cut again and again: every call runs exactly once.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../gateway/tests/host/mod.rs"]
mod host;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use evertick_client::{Client, ConnectOptions, Reconnect};
use evertick_gateway::{GatewayConfig, SessionLimits};
use evertick_schema::EntityId;
use evertick_transport::{Listener, ListenerOptions};
use host::module::{Increment, Score};
use host::{Host, soon};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

const CUTS: u64 = 100;

/// Hands TCP connections on to `server`; cuts all of them whenever it is told to.
async fn cut_when_told(proxy: TcpListener, server: SocketAddr, cut: Arc<Notify>) {
    while let Ok((mut near, _)) = proxy.accept().await {
        let cut = Arc::clone(&cut);
        tokio::spawn(async move {
            let Ok(mut far) = TcpStream::connect(server).await else { return };
            tokio::select! {
                _ended = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                () = cut.notified() => {}
            }
        });
    }
}

#[tokio::test]
async fn calls_run_once_over_a_connection_that_is_cut_a_hundred_times() {
    let listener = Listener::bind("127.0.0.1:0", ListenerOptions::default()).unwrap();
    let server: SocketAddr = listener.url().trim_start_matches("ws://").parse().unwrap();
    let limits =
        SessionLimits { calls_per_second: 100_000, calls_burst: 100_000, ..SessionLimits::default() };
    let config = GatewayConfig { shards: 2, limits, ..GatewayConfig::default() };
    let host = Host::start(&config, vec![listener]);
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", proxy.local_addr().unwrap());
    let cut = Arc::new(Notify::new());
    let handing_on = tokio::spawn(cut_when_told(proxy, server, Arc::clone(&cut)));

    let backoff = Duration::from_millis(1);
    let reconnect = Reconnect { backoff_min: backoff, backoff_max: backoff * 5, ..Reconnect::default() };
    let options = ConnectOptions {
        reconnect: Some(reconnect),
        websocket_only: true,
        ping_interval: Duration::from_millis(20),
        ..ConnectOptions::new("ann")
    };
    let client = soon(Client::connect(&url, options)).await.unwrap();
    let session = client.session();
    let entity = EntityId(1);
    let mut calls = Vec::new();
    let (mut state, mut made) = (7_u64, 0);
    while host.metrics().resumes < CUTS {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        for _ in 0..1 + (state >> 33) % 8 {
            let client = client.clone();
            made += 1;
            calls.push(tokio::spawn(async move { client.call(Increment { entity }).await }));
        }
        // Somewhere between the call and its result; the next cut is for the next connection.
        tokio::time::sleep(Duration::from_micros((state >> 40) % 3000)).await;
        cut.notify_waiters();
        if (state >> 50).is_multiple_of(4) {
            soon(client.ping()).await.unwrap();
        }
    }
    let mut results = Vec::new();
    for call in calls {
        results.push(soon(call).await.unwrap().unwrap());
    }
    results.sort_unstable();
    assert_eq!(results, (1..=made).collect::<Vec<u32>>(), "each result once");
    assert_eq!(host.calls().len(), made as usize, "each call once");
    assert_eq!(client.get::<Score>(entity), Ok(Some(Score { value: made })));
    // No refusal came to the client. A connection that was cut before its turn came may be refused, for it asks for results that the
    // next one has acknowledged.
    assert_eq!((client.session(), host.metrics().sessions_opened), (session, 1));
    handing_on.abort();
}
