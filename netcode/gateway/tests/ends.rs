//! How sessions end, and the gateway with them.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod host;

use bytes::Bytes;
use common::{Over, Raw, hello, send, serve, serve_some, with_limits};
use evertick_gateway::GatewayConfig;
use evertick_protocol::{ClientMessage, Close, CloseCode, PROTOCOL_VERSION, ServerMessage};
use evertick_schema::SchemaHash;
use evertick_transport::{ConnectionExt, Lane};
use host::module::Spawn;
use host::{PATIENCE, soon};
use std::sync::Arc;
use std::time::Duration;

suite!(Loopback over_loopback, WebSocket over_websocket, Quic over_quic: [
    garbage_ends_a_session_and_nobody_elses,
    bye_is_answered_and_told_to_the_host,
    the_host_can_end_a_session,
    a_shard_that_loses_a_frame_closes_its_sessions_and_takes_new_ones
]);

suite!(WebSocket on_websockets, Quic on_quic: [
    a_client_that_stops_reading_is_closed_and_others_go_on,
    shutdown_delivers_what_was_published_and_says_why,
    shutdown_does_not_wait_for_those_who_do_not_listen,
    a_dropped_gateway_cuts_everyone_off
]);

async fn garbage_ends_a_session_and_nobody_elses(over: Over) {
    let host = serve(over, &with_limits(|_| {}));
    let mut good = Raw::open(host.connection().await, b"ann").await;
    for garbage in [&b"\x02"[..], b"\x77", b"\x03\x01", &[0x02, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]] {
        let mut bad = Raw::open(host.connection().await, b"bob").await;
        bad.connection.send(Lane::Control, &[Bytes::copy_from_slice(garbage)]);
        assert_eq!(bad.until_closed().await.code, CloseCode::BadMessage);
    }
    let mut twice = Raw::open(host.connection().await, b"bob").await;
    twice.connection.send(Lane::Control, &[hello(PROTOCOL_VERSION, SchemaHash::UNKNOWN, b"bob").into()]);
    assert_eq!(twice.until_closed().await.message, "a second Hello");

    host.until("the host heard of all ends", |host| host.sessions().len() == 1).await;
    good.ask(1, Spawn::NUMBER, &[]).await;
}

async fn bye_is_answered_and_told_to_the_host(over: Over) {
    let host = serve(over, &with_limits(|limits| limits.resume_time = Duration::from_millis(20)));
    let mut client = Raw::open(host.connection().await, b"ann").await;
    host.until("the host knows the session", |host| host.sessions().contains(&client.session)).await;
    send(&mut *client.connection, &ClientMessage::Bye).await;
    assert_eq!(client.until_closed().await.code, CloseCode::Normal);
    host.until("the host forgets the session", |host| host.sessions().is_empty()).await;
    assert_eq!(host.metrics().closes[CloseCode::Normal as usize], 1);

    let lost = Raw::open(host.connection().await, b"bob").await;
    host.until("the host knows the session", |host| host.sessions().contains(&lost.session)).await;
    drop(lost);
    host.until("the host forgets a lost session", |host| host.sessions().is_empty()).await;
    assert_eq!(host.metrics().closes[0], 1);
}

async fn the_host_can_end_a_session(over: Over) {
    let host = serve(over, &with_limits(|_| {}));
    let mut client = Raw::open(host.connection().await, b"ann").await;
    host.until("the host knows the session", |host| host.sessions().contains(&client.session)).await;
    let close = Close { code: CloseCode::Unauthorized, message: "banned".to_owned() };
    host.dismiss(client.session, close.clone());
    assert_eq!(client.until_closed().await, close);
    host.until("the host hears that it ended", |host| host.sessions().is_empty()).await;
}

async fn a_shard_that_loses_a_frame_closes_its_sessions_and_takes_new_ones(over: Over) {
    let config = GatewayConfig { frames_waiting_max: 1, ..with_limits(|_| {}) };
    let host = serve(over, &config);
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = Raw::open(host.connection().await, b"ann").await;
        client.take().await.unwrap();
        clients.push(client);
    }
    // Faster than any shard takes them, until one is lost.
    let mut lost = 0;
    for _ in 0..1000 {
        host.overrun(1000);
        lost = host.metrics().frames_lost;
        if lost > 0 {
            break;
        }
    }
    assert!(lost > 0);
    host.shout("so that every shard gets a frame after the hole");
    host.until("sessions are closed", |host| host.metrics().sessions_lost_frames > 0).await;
    let closed = host.metrics().sessions_lost_frames;
    host.until("the host heard of them", |host| host.sessions().len() as u64 <= 4_u64.saturating_sub(closed))
        .await;

    // Until the gateway has caught up, a new session may meet the same fate.
    let opened = async {
        loop {
            let mut client = Raw::open(host.connection().await, b"new").await;
            client.call(1, Spawn::NUMBER, &[]).await;
            while client.results.is_empty() {
                if client.take().await.is_err() {
                    break;
                }
            }
            if !client.results.is_empty() {
                break;
            }
        }
    };
    soon(opened).await;
}

async fn a_client_that_stops_reading_is_closed_and_others_go_on(over: Over) {
    let config = with_limits(|limits| limits.outgoing_bytes_max = 256 * 1024);
    let host = serve(over, &config);
    let mut reader = Raw::open(host.connection().await, b"ann").await;
    let sleeper = Raw::open(host.connection().await, b"bob").await;
    host.until("both are known", |host| host.sessions().len() == 2).await;
    reader.take().await.unwrap();

    // The kernel holds some megabytes before the gateway sees that nobody reads.
    let text = "x".repeat(100_000);
    for round in 0.. {
        assert!(round < 1000, "the sleeper is never closed");
        host.shout(&text);
        while reader.events <= round {
            reader.take().await.expect("who reads is not closed");
        }
        if host.metrics().closes[CloseCode::TooSlow as usize] > 0 {
            break;
        }
    }
    host.until("the host heard of it", |host| !host.sessions().contains(&sleeper.session)).await;
    reader.ask(1, Spawn::NUMBER, &[]).await;
    assert_eq!(host.metrics().closes[CloseCode::TooSlow as usize], 1);
}

async fn shutdown_delivers_what_was_published_and_says_why(over: Over) {
    let host = Arc::new(serve(over, &with_limits(|limits| limits.linger = PATIENCE)));
    // First, so that the server has it when it stops: what is still shaking hands then is cut off.
    let mut before_hello = host.connection().await;
    let mut client = Raw::open(host.loopback(), b"ann").await;
    let mut remote = Raw::open(host.connection().await, b"bob").await;
    host.until("both are known", |host| host.sessions().len() == 2).await;
    client.take().await.unwrap();
    host.shout("last words");
    let stopping = tokio::task::spawn_blocking({
        let host = Arc::clone(&host);
        move || host.shutdown(PATIENCE)
    });
    for client in [&mut client, &mut remote] {
        assert_eq!(client.until_closed().await.code, CloseCode::Shutdown);
        let end = soon(client.connection.recv()).await.unwrap_err().to_string();
        assert!(end.contains("code 8"), "{end}");
    }
    let bytes = soon(before_hello.recv()).await.unwrap();
    assert!(
        matches!(ServerMessage::decode(&bytes).unwrap(), ServerMessage::Closed(close) if close.code == CloseCode::Shutdown)
    );
    drop((client, remote, before_hello));
    assert_eq!(soon(stopping).await.unwrap(), 0, "nobody was cut off");
    assert!(host.dial().await.is_err());
    assert_eq!((host.metrics().sessions_open, host.metrics().connections_open), (0, 0));
}

async fn shutdown_does_not_wait_for_those_who_do_not_listen(over: Over) {
    let host = Arc::new(serve(over, &with_limits(|limits| limits.linger = PATIENCE)));
    let _deaf = Raw::open(host.connection().await, b"bob").await;
    let stopping = tokio::task::spawn_blocking({
        let host = Arc::clone(&host);
        move || host.shutdown(Duration::from_millis(50))
    });
    assert_eq!(soon(stopping).await.unwrap(), 1, "it was cut off");
}

async fn a_dropped_gateway_cuts_everyone_off(over: Over) {
    let host = serve_some(over, &with_limits(|_| {}), 1024, 1);
    let mut remote = Raw::open(host.connection().await, b"bob").await;
    let error = host.dial().await.err().unwrap();
    assert!(["503", "refused"].iter().any(|words| error.to_string().contains(words)), "{error}");
    // The client may hear of it before it is counted.
    host.until("it is counted", |host| host.metrics().connections_turned_away == 1).await;

    let mut local = Raw::open(host.loopback(), b"ann").await;
    host.drop_gateway();
    for client in [&mut remote, &mut local] {
        while let Ok(bytes) = soon(client.connection.recv()).await {
            drop(bytes);
        }
    }
    host.until("the threads are done", |host| host.metrics().connections_open == 0).await;
    assert!(host.dial().await.is_err());
}
