//! WebSocket connections over real sockets, plain and TLS, against well-behaved and ill-behaved peers.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evertick_transport::{
    AcceptError, Acceptor, ClientOptions, ConnectError, Connection, ConnectionExt, KeepAlive, Limits,
    Listener, ListenerOptions, TransportError, connect, tls,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than anything here takes; only a hang gets there.
const PATIENCE: Duration = Duration::from_secs(20);

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it hangs")
}

fn listen(options: ListenerOptions) -> (Acceptor, String) {
    let listener = Listener::bind("127.0.0.1:0", options).unwrap();
    let url = listener.url();
    (listener.into_acceptor().unwrap(), url)
}

/// A server's and a client's end of one connection.
async fn pair(options: ListenerOptions, client: ClientOptions) -> (Box<dyn Connection>, Box<dyn Connection>) {
    let (acceptor, url) = listen(options);
    let server = async { acceptor.accept().await.unwrap().upgrade().await };
    let (server, client) = soon(async { tokio::join!(server, connect(&url, &client)) }).await;
    (server.unwrap(), client.unwrap())
}

fn certificate() -> (Arc<tls::ServerConfig>, Arc<tls::ClientConfig>) {
    let made =
        rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
    let pem = made.cert.pem();
    let key = made.signing_key.serialize_pem();
    (
        tls::server_from_pem(pem.as_bytes(), key.as_bytes()).unwrap(),
        tls::client_from_pem(pem.as_bytes()).unwrap(),
    )
}

/// Large and small messages both ways, in order, then a close with a code.
async fn converse(mut server: Box<dyn Connection>, mut client: Box<dyn Connection>) {
    let big = Bytes::from(vec![7_u8; 300_000]);
    let small = Bytes::from_static(b"small");
    server.send(&[small.clone(), big.clone(), Bytes::new(), small.clone()]);
    server.send(&[]);
    assert_eq!(server.queued().messages, 2);
    client.send(&[small.clone(), small.clone()]);
    let at_server = async {
        server.flush().await.unwrap();
        server.recv().await.unwrap()
    };
    let at_client = async {
        client.flush().await.unwrap();
        (client.recv().await.unwrap(), client.recv().await.unwrap())
    };
    let (call, (frame, empty)) = soon(async { tokio::join!(at_server, at_client) }).await;
    assert_eq!(call, b"smallsmall".as_slice());
    assert_eq!(frame, [small.as_ref(), &big, &small].concat());
    assert!(empty.is_empty());

    let last_words = Bytes::from_static(b"last");
    server.send(std::slice::from_ref(&last_words));
    let closing = server.finish(8, "the server stops", PATIENCE);
    let reading = async {
        assert_eq!(client.recv().await.unwrap(), last_words);
        let error = client.recv().await.unwrap_err();
        drop(client);
        error
    };
    let ((), error) = soon(async { tokio::join!(closing, reading) }).await;
    assert_eq!(error.to_string(), "the peer closed the connection with code 8: the server stops");
}

#[tokio::test]
async fn plain() {
    let (server, client) = pair(ListenerOptions::default(), ClientOptions::default()).await;
    converse(server, client).await;
}

#[tokio::test]
async fn over_tls() {
    let (server_tls, client_tls) = certificate();
    let options = ListenerOptions { tls: Some(server_tls), ..ListenerOptions::default() };
    let client = ClientOptions { tls: Some(client_tls), ..ClientOptions::default() };
    let (server, client) = pair(options, client).await;
    converse(server, client).await;
}

#[tokio::test]
async fn tls_needs_roots_that_fit() {
    let (server_tls, _) = certificate();
    let (_, other_roots) = certificate();
    let (acceptor, url) = listen(ListenerOptions { tls: Some(server_tls), ..ListenerOptions::default() });
    let error = soon(connect(&url, &ClientOptions::default())).await.err().unwrap();
    assert!(matches!(error, ConnectError::NoRoots { .. }), "{error}");
    let _gone = acceptor.accept().await;

    let client = ClientOptions { tls: Some(other_roots), ..ClientOptions::default() };
    let server = async { acceptor.accept().await.unwrap().upgrade().await };
    let (server, client) = soon(async { tokio::join!(server, connect(&url, &client)) }).await;
    assert!(matches!(server.err().unwrap(), AcceptError::Tls(_)));
    assert!(matches!(client.err().unwrap(), ConnectError::Tls { .. }));
}

#[tokio::test]
async fn an_oversize_message_is_an_error_and_the_last_words_still_arrive() {
    let limits = Limits { message_bytes_max: 1000, ..Limits::SERVER };
    let options = ListenerOptions { limits, ..ListenerOptions::default() };
    let (mut server, mut client) = pair(options, ClientOptions::default()).await;
    client.send(&[vec![0; 1000].into()]);
    client.send(&[vec![0; 200_000].into()]);
    let at_client = async move {
        let _broken_or_done = client.flush().await;
        let words = client.recv().await.unwrap();
        let _end = client.recv().await.unwrap_err();
        words
    };
    let at_server = async {
        assert_eq!(server.recv().await.unwrap().len(), 1000);
        let error = server.recv().await.unwrap_err();
        assert!(matches!(error, TransportError::TooLarge { bytes_max: 1000 }), "{error}");
        server.send(&[Bytes::from_static(b"too large")]);
        server.finish(3, "too large", PATIENCE).await;
    };
    let (words, ()) = soon(async { tokio::join!(at_client, at_server) }).await;
    assert_eq!(words, b"too large".as_slice());
}

/// Sends `request` on a raw socket and reads the answer to its end.
async fn raw(url: &str, acceptor: &Acceptor, request: &[u8]) -> (String, Result<(), AcceptError>) {
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
    let (acceptor, url) = listen(ListenerOptions::default());
    let (answer, result) = raw(&url, &acceptor, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{answer}");
    assert!(answer.contains("Evertick game server"), "{answer}");
    assert!(matches!(result, Err(AcceptError::NotUpgrade { status: 426 })));

    let (answer, result) = raw(&url, &acceptor, b"\x00\x01\x02\x03").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(matches!(result, Err(AcceptError::NotUpgrade { status: 400 })));
}

#[tokio::test]
async fn a_peer_that_never_finishes_its_handshake_is_dropped() {
    let limits = Limits { handshake_time_max: Duration::from_millis(50), ..Limits::SERVER };
    let (acceptor, url) = listen(ListenerOptions { limits, ..ListenerOptions::default() });
    let (answer, result) = raw(&url, &acceptor, b"GET / HTTP/1.1\r\n").await;
    assert_eq!(answer, "");
    assert!(matches!(result, Err(AcceptError::Timeout(_))));
}

#[tokio::test]
async fn a_silent_peer_is_found_out_and_a_living_one_is_not() {
    let keep_alive = KeepAlive { interval: Duration::from_millis(20), silent_intervals_max: 5 };
    let options =
        ListenerOptions { limits: Limits { keep_alive, ..Limits::SERVER }, ..ListenerOptions::default() };
    let (mut server, mut client) = pair(options, ClientOptions::default()).await;

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
    let (acceptor, url) = listen(ListenerOptions { connections_max: 1, ..ListenerOptions::default() });
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
    let (acceptor, url) = listen(ListenerOptions::default());
    let mut socket = TcpStream::connect(url.trim_start_matches("ws://")).await.unwrap();
    let request = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    // What follows the request at once must not get lost.
    socket.write_all(request.as_bytes()).await.unwrap();
    socket.write_all(&[0xff; 64]).await.unwrap();
    let mut server = soon(async { acceptor.accept().await.unwrap().upgrade().await }).await.unwrap();
    let error = soon(server.recv()).await.unwrap_err();
    assert!(matches!(error, TransportError::Protocol(_)), "{error}");
}

#[tokio::test]
async fn what_a_peer_does_not_read_stays_queued() {
    let options = ListenerOptions { send_buffer_bytes: 16 * 1024, ..ListenerOptions::default() };
    let (mut server, mut client) = pair(options, ClientOptions::default()).await;
    let block = Bytes::from(vec![1; 100_000]);
    let mut sent = 0;
    // A kernel takes some megabytes; far fewer than this.
    while server.queued().messages < 10 {
        server.send(std::slice::from_ref(&block));
        sent += 1;
        assert!(sent < 10_000, "the kernel takes everything");
        let _pending = tokio::time::timeout(Duration::from_millis(1), server.flush()).await;
    }
    assert!(server.queued().bytes > 900_000);

    let reading = async {
        for _ in 0..sent {
            assert_eq!(client.recv().await.unwrap().len(), block.len());
        }
    };
    let ((), flushed) = soon(async { tokio::join!(reading, server.flush()) }).await;
    flushed.unwrap();
    assert_eq!(server.queued().bytes, 0);
}
