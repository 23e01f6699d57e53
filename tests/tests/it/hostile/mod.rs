//! Whoever knocks at a whole server's doors without good intentions: they are told why, or vanish, and a good client comes in all the same.

mod half_open;
mod spoofed;

use std::time::Duration;

use bytes::Bytes;
use evertick::{GatewayConfig, ListenerOptions, RunningServer, SessionLimits};
use evertick_client::{Client, ConnectOptions};
use evertick_protocol::{
    ClientMessage, Close, CloseCode, Hello, PROTOCOL_VERSION, Resume, ServerMessage, SessionSecret,
};
use evertick_schema::SessionId;
use evertick_transport::{ClientOptions, Connection, ConnectionExt, Lane, Limits, connect, tls};
use futures_util::future::join_all;
use glam::Vec2;
use market_module::{ItemKind, Stall, offer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::servers::market;
use crate::soon::{SOON, until};

/// A server with both doors, and how long it waits for a handshake and for a Hello.
fn server(patience: Duration) -> (RunningServer, [String; 2]) {
    let limits = SessionLimits { hello_time_max: patience, ..SessionLimits::default() };
    let connections = ListenerOptions {
        limits: Limits { handshake_time_max: patience, ..Limits::SERVER },
        ..ListenerOptions::default()
    };
    let server = market::builder()
        .gateway(GatewayConfig { limits, ..GatewayConfig::default() })
        .connections(connections)
        .websocket("127.0.0.1:0")
        .quic("127.0.0.1:0")
        .start()
        .unwrap();
    let urls = [0, 1].map(|index| server.urls()[index].clone());
    (server, urls)
}

/// A client comes in through this door, calls, and sees what it did.
async fn good_client_is_served(url: &str, name: &str) -> Client {
    let options = ConnectOptions {
        reconnect: None,
        websocket_only: true,
        ..ConnectOptions::new(format!("the secret of {name}, long enough"))
    };
    let client = timeout(SOON, Client::connect(url, options)).await.unwrap().unwrap();
    serves(&client).await;
    client
}

async fn serves(client: &Client) {
    let call = client.call(offer::call(Vec2::ZERO, 1, ItemKind::Bow));
    let stall = timeout(SOON, call).await.unwrap().unwrap();
    until(async || client.get::<Stall>(stall).unwrap().is_some()).await;
}

fn closes(server: &RunningServer, code: CloseCode) -> u64 {
    server.snapshot().gateway.closes[code as usize]
}

async fn dial(url: &str) -> Box<dyn Connection> {
    timeout(SOON, connect(url, &ClientOptions::default())).await.unwrap().unwrap()
}

/// What a connection is told that sends these bytes first: how it is closed, or `None` when it is welcome.
async fn answer(url: &str, first: Vec<u8>) -> Option<Close> {
    let mut connection = dial(url).await;
    connection.send(Lane::Control, &[Bytes::from(first)]);
    let message = timeout(SOON, connection.recv()).await.unwrap().unwrap();
    match ServerMessage::decode(&message).unwrap() {
        ServerMessage::Closed(close) => Some(close),
        ServerMessage::Welcome(_) => None,
        other => panic!("{other:?}"),
    }
}

fn hello(change: impl FnOnce(&mut Hello<'_>), token: &[u8]) -> Vec<u8> {
    let mut hello = Hello::new(token);
    change(&mut hello);
    let mut bytes = Vec::new();
    ClientMessage::Hello(hello).encode(&mut bytes);
    bytes
}

#[tokio::test]
async fn bad_hellos_are_told_why() {
    let (server, urls) = server(SOON);
    for url in &urls {
        let good = hello(|_| {}, &[7; 40]);
        for cut in [1, 2, 20, good.len() - 1] {
            let close = answer(url, good[..cut].to_vec()).await.unwrap();
            assert_eq!(close.code, CloseCode::BadMessage, "{cut} bytes of a Hello: {close:?}");
        }
        let longer = [&good[..], &[0]].concat();
        assert_eq!(answer(url, longer).await.unwrap().code, CloseCode::BadMessage);
        assert_eq!(answer(url, hello(|_| {}, &[7; 4096])).await, None, "the longest token");
        let close = answer(url, hello(|_| {}, &[7; 4097])).await.unwrap();
        assert_eq!(close.code, CloseCode::BadMessage, "{close:?}");
        assert_eq!(answer(url, hello(|_| {}, &[7; 15])).await.unwrap().code, CloseCode::Unauthorized);
        for version in [0, PROTOCOL_VERSION + 1, 255] {
            let close = answer(url, hello(|hello| hello.protocol = version, &[7; 40])).await.unwrap();
            assert_eq!(close.code, CloseCode::Unsupported);
            assert!(close.message.contains(&format!("protocol {version}")), "{close:?}");
        }
        let mut flags = good.clone();
        flags[34] = 0x80;
        assert_eq!(answer(url, flags).await.unwrap().code, CloseCode::BadMessage, "an unknown flag");
        for (kind, message) in [(2, &[2, 1, 0, 0][..]), (4, &[4]), (0x99, &[0x99; 40])] {
            let close = answer(url, message.to_vec()).await.unwrap();
            assert_eq!(close.code, CloseCode::BadMessage, "kind {kind} before a Hello: {close:?}");
        }
        good_client_is_served(url, "good").await;
    }
    until(async || server.snapshot().gateway.connections_open <= 4).await;
}

/// Guesses at the secrets of a session that is there, and at sessions that are not.
#[tokio::test]
async fn guesses_at_secrets_open_nothing_and_harm_nobody() {
    const GUESSES: u64 = 400;
    let (server, urls) = server(SOON);
    let good = good_client_is_served(&urls[0], "good").await;
    let guess = async |number: u64| {
        let mut secret = SessionSecret::default();
        secret.0[..8].copy_from_slice(&number.to_le_bytes());
        let session = if number.is_multiple_of(2) { good.session() } else { SessionId(1 << 40 | number) };
        let resume = Some(Resume { session, secret, results: number });
        let close = answer(&urls[number as usize / 2 % 2], hello(|hello| hello.resume = resume, b"")).await;
        assert_eq!(close.unwrap().code, CloseCode::Expired);
    };
    for numbers in (0..GUESSES).collect::<Vec<_>>().chunks(20) {
        join_all(numbers.iter().map(|number| guess(*number))).await;
    }
    assert_eq!(good.disconnected(), None);
    serves(&good).await;
    assert_eq!((good.statistics().resumes, good.statistics().new_sessions), (0, 0));
    until(async || server.snapshot().gateway.connections_open == 1).await;
    let gateway = server.snapshot().gateway;
    assert_eq!((gateway.resumes_refused, gateway.resumes), (GUESSES, 0));
    assert_eq!((gateway.sessions_open, gateway.sessions_parked), (1, 0));
    assert_eq!(closes(&server, CloseCode::Expired), GUESSES);
}

/// What is no TLS, or stops in the middle of it, is dropped.
#[tokio::test]
async fn garbage_at_a_tls_door_is_dropped() {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let server = market::builder()
        .tls(tls::server_from_pem(chain.as_bytes(), key.as_bytes()).unwrap())
        .websocket("127.0.0.1:0")
        .start()
        .unwrap();
    let url = server.urls()[0].clone();
    let address = url.strip_prefix("wss://").unwrap().trim_end_matches('/');
    let client_hello = [&[0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3][..], &[0x5a; 194]].concat();
    let garbage = [
        b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n".to_vec(),
        vec![0; 2000],
        vec![0xff; 70_000],
        [&[0x16, 3, 1, 0xff, 0xff][..], &[1; 20_000]].concat(),
        client_hello,
    ];
    for round in 0..4 {
        for bytes in &garbage {
            let mut stream = TcpStream::connect(address).await.unwrap();
            // It may be closed while we still send.
            let _closed = stream.write_all(bytes).await;
            let mut got = Vec::new();
            let _reset = timeout(SOON, stream.read_to_end(&mut got)).await.unwrap();
            assert!(got.len() < 100, "round {round}: {} bytes for garbage", got.len());
        }
    }
    until(async || server.snapshot().gateway.handshakes_failed == 4 * garbage.len() as u64).await;
    let options = ConnectOptions {
        transport: ClientOptions {
            tls: Some(tls::client_from_pem(chain.as_bytes()).unwrap()),
            ..ClientOptions::default()
        },
        ..ConnectOptions::new("the secret of good, long enough")
    };
    serves(&Client::connect(&url, options).await.unwrap()).await;
}
