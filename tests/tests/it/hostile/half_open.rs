//! Connections that begin and go no further.

use std::time::Duration;

use evertick_protocol::CloseCode;
use futures_util::{StreamExt, stream};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{closes, dial, good_client_is_served, hello, server, serves};
use crate::soon::until;

/// How many of each kind; there are four kinds by TCP.
const EACH: usize = 500;
const BY_QUIC: usize = 100;
const AT_ONCE: usize = 64;

/// Both ends are this process's.
const FILES: u64 = 6000;

/// Long enough to have them all at once, short enough to see them go.
const PATIENCE: Duration = Duration::from_secs(10);

/// How far one by TCP goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stops {
    BeforeTheFirstByte,
    WithinTheRequest,
    BeforeHello,
    WithinHello,
}

async fn begin(address: &str, stops: Stops) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let upgrade = format!(
        "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    match stops {
        Stops::BeforeTheFirstByte => return stream,
        Stops::WithinTheRequest => {
            stream.write_all(&upgrade.as_bytes()[..40]).await.unwrap();
            return stream;
        }
        Stops::BeforeHello | Stops::WithinHello => stream.write_all(upgrade.as_bytes()).await.unwrap(),
    }
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
    if stops == Stops::WithinHello {
        // A masked frame that says it has 60 bytes.
        let frame = [&[0x82, 0x80 | 60, 0, 0, 0, 0][..], &hello(|_| {}, &[7; 24])[..20]].concat();
        stream.write_all(&frame).await.unwrap();
    }
    stream
}

#[tokio::test]
async fn thousands_of_half_open_connections_hinder_nobody() {
    let limit = getrlimit(Resource::Nofile);
    let enough = limit.maximum.is_none_or(|maximum| maximum >= FILES);
    assert!(enough, "this test needs {FILES} files, and {limit:?} are allowed (`ulimit -Hn`)");
    if limit.current.is_some_and(|current| current < FILES) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(FILES), maximum: limit.maximum }).unwrap();
    }
    let (server, [websocket, quic]) = server(PATIENCE);
    let before = good_client_is_served(&websocket, "before").await;
    let address = websocket.strip_prefix("ws://").unwrap().trim_end_matches('/');
    let kinds = [Stops::BeforeTheFirstByte, Stops::WithinTheRequest, Stops::BeforeHello, Stops::WithinHello];
    let half_open: Vec<TcpStream> =
        stream::iter((0..4 * EACH).map(|number| begin(address, kinds[number % 4])))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
    let half_open_quic: Vec<_> =
        stream::iter((0..BY_QUIC).map(|_| dial(&quic))).buffer_unordered(AT_ONCE).collect().await;

    let meanwhile = [
        good_client_is_served(&websocket, "by websocket").await,
        good_client_is_served(&quic, "by quic").await,
    ];
    serves(&before).await;
    // They are given up for their silence.
    until(async || server.snapshot().gateway.connections_open == 3).await;
    let gateway = server.snapshot().gateway;
    assert_eq!(gateway.handshakes_failed, 2 * EACH as u64, "{gateway:?}");
    assert_eq!(closes(&server, CloseCode::Timeout), (2 * EACH + BY_QUIC) as u64);
    assert_eq!((gateway.sessions_open, gateway.connections_turned_away), (3, 0));
    for client in [before].iter().chain(&meanwhile) {
        assert_eq!(client.disconnected(), None);
        serves(client).await;
    }
    drop((half_open, half_open_quic));
}
