//! Clients that misbehave: each gets an error or a reason, and nobody else notices.

use bitcraft_lite::accounts::join;
use bitcraft_lite::movement::{stop, walk_to};
use bytes::Bytes;
use evertick::{GatewayConfig, ListenerOptions, SessionLimits};
use evertick_client::{Client, ConnectOptions, Disconnected};
use evertick_protocol::{CallOutcome, CloseCode, FailCode};
use evertick_schema::Call;
use evertick_tests::silent::silent;
use evertick_transport::{ClientOptions, ConnectionExt, Lane};

use crate::servers::bitcraft::{builder, connect, joined, position, server};
use crate::soon::{SOON, until};

fn failed(outcome: &CallOutcome) -> Option<FailCode> {
    match outcome {
        CallOutcome::Failed { code, .. } => Some(*code),
        _ => None,
    }
}

#[tokio::test]
async fn bad_calls_get_typed_errors() {
    let (server, url) = server();
    let client = connect(&url, "Eve").await;
    let unknown = client.call_raw(9_999, Vec::new()).await.unwrap();
    assert_eq!(failed(&unknown), Some(FailCode::UnknownReducer));
    let walk = client.module().reducer(<walk_to::Call as Call>::NAME).unwrap() as u32;
    for args in [vec![], vec![1; 7], vec![0; 5_000]] {
        let bad = client.call_raw(walk, args).await.unwrap();
        assert_eq!(failed(&bad), Some(FailCode::BadArguments));
    }
    let init = client.module().reducer("generate").unwrap() as u32;
    assert_eq!(failed(&client.call_raw(init, Vec::new()).await.unwrap()), Some(FailCode::Forbidden));
    assert_eq!(server.snapshot().host.calls_failed, 5);
    assert_eq!(server.snapshot().host.faults, 0);
}

#[tokio::test]
async fn a_reducer_s_rate_holds_for_each_session() {
    let (_server, url) = server();
    let (client, _) = joined(&url, "Eve").await;
    let walk = client.module().reducer(<walk_to::Call as Call>::NAME).unwrap() as u32;
    let mut limited = false;
    for _ in 0..40 {
        let outcome = client.call_raw(walk, vec![0; 8]).await.unwrap();
        limited |= failed(&outcome) == Some(FailCode::RateLimited);
    }
    assert!(limited, "20 walks a second are allowed");
    client.call(stop::call()).await.unwrap();
}

/// What a raw connection is told when it sends `bytes` instead of a Hello.
async fn closed_after(url: &str, bytes: Vec<u8>) -> Option<u8> {
    let mut connection = evertick_transport::connect(url, &ClientOptions::default()).await.unwrap();
    connection.send(Lane::Control, &[Bytes::from(bytes)]);
    let answer = tokio::time::timeout(SOON, async {
        // The server may close while we still send.
        let _ = connection.flush().await;
        connection.recv().await
    });
    match answer.await.expect("a bad client is told soon") {
        Ok(message) if message.first() == Some(&0x84) => message.get(1).copied(),
        _ => None,
    }
}

#[tokio::test]
async fn garbage_and_oversize_are_closed_with_a_reason_and_counted() {
    let (server, url) = server();
    let (watcher, me) = joined(&url, "Watcher").await;
    assert_eq!(closed_after(&url, vec![0xee; 40]).await, Some(CloseCode::BadMessage as u8));
    assert_eq!(closed_after(&url, vec![1; 300_000]).await, Some(CloseCode::TooLarge as u8));
    until(async || {
        let closes = server.snapshot().gateway.closes;
        closes[CloseCode::BadMessage as usize] == 1 && closes[CloseCode::TooLarge as usize] == 1
    })
    .await;
    assert!(watcher.disconnected().is_none() && position(&watcher, me).is_some());
}

#[tokio::test]
async fn a_short_token_is_refused_with_the_reason() {
    let (_server, url) = server();
    let refused = Client::connect(&url, ConnectOptions::new("short")).await.err().unwrap().to_string();
    assert!(refused.contains("16 bytes"), "{refused}");
}

#[tokio::test]
async fn one_that_floods_is_closed_and_the_tick_goes_on() {
    let (server, url) = server();
    let (watcher, me) = joined(&url, "Watcher").await;
    let flooder = connect(&url, "Flooder").await;
    let reducer = flooder.module().reducer(<stop::Call as Call>::NAME).unwrap() as u32;
    let before = server.snapshot().host;
    tokio::time::timeout(SOON, async {
        while flooder.disconnected().is_none() {
            let burst: Vec<_> = (0..64).map(|_| flooder.call_raw(reducer, Vec::new())).collect();
            for call in burst {
                let _ = call.await;
            }
        }
    })
    .await
    .expect("a flood is stopped soon");
    let ended = flooder.disconnected();
    assert!(
        matches!(&ended, Some(Disconnected::ByServer(close)) if close.code == CloseCode::Flooding),
        "{ended:?}"
    );
    assert_unaffected(&server, &before).await;
    assert!(watcher.disconnected().is_none() && position(&watcher, me).is_some());
}

#[tokio::test]
async fn one_that_stops_reading_is_closed_and_the_tick_goes_on() {
    let limits = SessionLimits {
        outgoing_bytes_max: 16 * 1024,
        outgoing_messages_max: 32,
        ..SessionLimits::default()
    };
    let connections = ListenerOptions { send_buffer_bytes: 4 * 1024, ..ListenerOptions::default() };
    let gateway = GatewayConfig { limits, ..GatewayConfig::default() };
    let server = builder().gateway(gateway).connections(connections).start().unwrap();
    let url = server.urls()[0].clone();
    let (watcher, me) = joined(&url, "Watcher").await;
    let before = server.snapshot().host;

    // Enters the world, which then has something to tell it in every tick, and reads none of it.
    let mut args = Vec::new();
    join::call("Silent".to_owned()).encode(&mut args);
    let reducer = watcher.module().reducer(<join::Call as Call>::NAME).unwrap() as u32;
    let address = url.trim_start_matches("ws://").trim_end_matches('/');
    let silent = silent(address, "the secret of one who is silent", reducer, &args).await;
    until(async || server.snapshot().gateway.closes[CloseCode::TooSlow as usize] == 1).await;
    drop(silent);
    assert_unaffected(&server, &before).await;
    assert!(watcher.disconnected().is_none() && position(&watcher, me).is_some());
}

/// The world has gone on ticking: no tick was dropped, none failed, and there are more of them now.
async fn assert_unaffected(server: &evertick::RunningServer, before: &evertick::HostSnapshot) {
    until(async || server.snapshot().host.ticks > before.ticks + 5).await;
    let after = server.snapshot().host;
    assert_eq!((after.faults, after.ticks_dropped), (before.faults, before.ticks_dropped));
}
