//! WebSocket connections over real sockets, plain and TLS, against well-behaved and ill-behaved peers.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::Duration;

use common::{accept, certificate, listen, soon};
use evertick_transport::{
    AcceptError, Acceptor, ClientOptions, ConnectError, Connection, ConnectionExt, Discovery, KeepAlive,
    Limits, ListenerOptions, QuicOptions, TransportError, connect,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A server's and a client's end of one connection.
async fn pair(options: ListenerOptions) -> (Box<dyn Connection>, Box<dyn Connection>) {
    let (mut acceptor, url) = listen(options);
    let client = ClientOptions::default();
    let (server, client) = soon(async { tokio::join!(accept(&mut acceptor), connect(&url, &client)) }).await;
    (server, client.unwrap())
}

#[tokio::test]
async fn tls_needs_roots_that_fit() {
    let (server_tls, _) = certificate();
    let (_, other_roots) = certificate();
    let (mut acceptor, url) = listen(ListenerOptions { tls: Some(server_tls), ..ListenerOptions::default() });
    let error = soon(connect(&url, &ClientOptions::default())).await.err().unwrap();
    assert!(matches!(error, ConnectError::NoRoots { .. }), "{error}");
    let _gone = acceptor.accept().await;

    let client = ClientOptions { tls: Some(other_roots), ..ClientOptions::default() };
    let server = async { acceptor.accept().await.unwrap().upgrade().await };
    let (server, client) = soon(async { tokio::join!(server, connect(&url, &client)) }).await;
    assert!(matches!(server.err().unwrap(), AcceptError::Tls(_)));
    assert!(matches!(client.err().unwrap(), ConnectError::Tls { .. }));
}

/// Sends `request` on a raw socket and reads the answer to its end.
async fn raw(url: &str, acceptor: &mut Acceptor, request: &[u8]) -> (String, Result<(), AcceptError>) {
    let mut socket = TcpStream::connect(url.trim_start_matches("ws://")).await.unwrap();
    let client = async {
        socket.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    };
    let server = async { acceptor.accept().await.unwrap().upgrade().await.map(drop) };
    soon(async { tokio::join!(client, server) }).await
}

#[tokio::test]
async fn other_http_gets_a_short_answer() {
    let (mut acceptor, url) = listen(ListenerOptions::default());
    let (answer, result) = raw(&url, &mut acceptor, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{answer}");
    assert!(answer.contains("Evertick game server"), "{answer}");
    assert!(matches!(result, Err(AcceptError::NotUpgrade { status: 426 })));

    let (answer, result) = raw(&url, &mut acceptor, b"\x00\x01\x02\x03").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(matches!(result, Err(AcceptError::NotUpgrade { status: 400 })));
}

#[tokio::test]
async fn pages_are_told_the_other_ways_in() {
    let quic = evertick_transport::Listener::bind_quic("127.0.0.1:0", QuicOptions::default()).unwrap();
    let offer = quic.quic_offer().unwrap().clone();
    let discovery = Discovery { quic: vec![offer.clone()] };
    let (mut acceptor, url) = listen(ListenerOptions { discovery, ..ListenerOptions::default() });
    let (answer, result) = raw(&url, &mut acceptor, b"GET /evertick.json HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let (head, json) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("Access-Control-Allow-Origin: *"), "{head}");
    let (port, hash) = (offer.port(), offer.certificate().unwrap());
    assert_eq!(json, format!(r#"{{"quic":[{{"port":{port},"certificate":"{hash}"}}]}}"#));
    assert!(matches!(result, Err(AcceptError::NotUpgrade { status: 200 })));
}

#[tokio::test]
async fn a_peer_that_never_finishes_its_handshake_is_dropped() {
    let limits = Limits { handshake_time_max: Duration::from_millis(50), ..Limits::SERVER };
    let (mut acceptor, url) = listen(ListenerOptions { limits, ..ListenerOptions::default() });
    let (answer, result) = raw(&url, &mut acceptor, b"GET / HTTP/1.1\r\n").await;
    assert_eq!(answer, "");
    assert!(matches!(result, Err(AcceptError::Timeout(_))));
}

#[tokio::test]
async fn a_silent_peer_is_found_out_and_a_living_one_is_not() {
    let keep_alive = KeepAlive { interval: Duration::from_millis(20), silent_intervals_max: 5 };
    let options =
        ListenerOptions { limits: Limits { keep_alive, ..Limits::SERVER }, ..ListenerOptions::default() };
    let (mut server, mut client) = pair(options).await;

    // While the client is polled it answers pings by itself.
    let living = tokio::time::timeout(Duration::from_millis(400), async {
        tokio::join!(server.recv(), client.recv())
    });
    assert!(living.await.is_err(), "nothing is sent, and nobody gives up");

    let error = soon(server.recv()).await.unwrap_err();
    assert!(matches!(error, TransportError::Silent(_)), "{error}");
}

#[tokio::test]
async fn connections_beyond_the_limit_are_turned_away() {
    let (mut acceptor, url) = listen(ListenerOptions { connections_max: 1, ..ListenerOptions::default() });
    let options = ClientOptions::default();
    let (first, client) = soon(async {
        tokio::join!(async { acceptor.accept().await.unwrap().upgrade().await }, connect(&url, &options))
    })
    .await;
    let (first, _client) = (first.unwrap(), client.unwrap());

    let task = tokio::spawn(async move {
        let turned_away = acceptor.accept().await.err();
        (acceptor.accept().await.unwrap().upgrade().await, turned_away)
    });
    let error = soon(connect(&url, &options)).await.err().unwrap();
    assert!(error.to_string().contains("503"), "{error}");

    drop(first);
    let third = soon(connect(&url, &options)).await;
    let (server, turned_away) = soon(task).await.unwrap();
    assert!(third.is_ok() && server.is_ok());
    assert!(turned_away.is_some());
}

#[tokio::test]
async fn garbage_after_the_handshake_is_a_protocol_error() {
    let (mut acceptor, url) = listen(ListenerOptions::default());
    let mut socket = TcpStream::connect(url.trim_start_matches("ws://")).await.unwrap();
    let request = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    // What follows the request at once must not get lost.
    socket.write_all(request.as_bytes()).await.unwrap();
    socket.write_all(&[0xff; 64]).await.unwrap();
    let mut server = soon(async { acceptor.accept().await.unwrap().upgrade().await }).await.unwrap();
    let error = soon(server.recv()).await.unwrap_err();
    assert!(matches!(error, TransportError::Protocol(_)), "{error}");
}
