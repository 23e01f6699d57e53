//! QUIC on real sockets: who gets in, what moves, what is found out.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use common::{accept, certificate, listen, listen_quic, network, soon, webtransport};
use evertick_transport::{
    AcceptError, Acceptor, CertificateHash, ClientOptions, ConnectError, Connection, ConnectionExt,
    Discovery, KeepAlive, Lane, Limits, Listener, ListenerOptions, Peer, QuicCertificate, QuicOptions,
    QuicSocket, TransportError, Url, connect, connect_best,
};

fn options() -> ClientOptions {
    ClientOptions::default()
}

async fn dial(url: &str) -> Result<Box<dyn Connection>, ConnectError> {
    connect(url, &options()).await
}

async fn dial_best(url: &str) -> Result<Box<dyn Connection>, ConnectError> {
    connect_best(url, &options()).await
}

/// The same server at another address.
fn moved(url: &str, port: u16) -> String {
    let mut url: Url = url.parse().unwrap();
    url.port = port;
    url.to_string()
}

fn address(url: &str) -> std::net::SocketAddr {
    let url: Url = url.parse().unwrap();
    (url.host.parse::<std::net::IpAddr>().unwrap(), url.port).into()
}

/// Both ends of a connection by way of a forwarder.
async fn by_way(
    acceptor: &mut Acceptor,
    url: &str,
    client: &ClientOptions,
) -> (Box<dyn Connection>, Box<dyn Connection>, std::sync::Arc<network::Traffic>) {
    let (between, traffic) = network::between(address(url)).await;
    let url = moved(url, between.port());
    let (server, client) = soon(async { tokio::join!(accept(acceptor), connect(&url, client)) }).await;
    (server, client.unwrap(), traffic)
}

async fn works(server: &mut dyn Connection, client: &mut dyn Connection) {
    for text in [&b"one"[..], b"two"] {
        client.send(Lane::Control, &[Bytes::copy_from_slice(text)]);
        soon(client.flush()).await.unwrap();
        assert_eq!(soon(server.recv()).await.unwrap(), text);
        for lane in [Lane::Control, Lane::World] {
            server.send(lane, &[Bytes::copy_from_slice(text)]);
            soon(server.flush()).await.unwrap();
            assert_eq!(soon(client.recv()).await.unwrap(), text);
        }
    }
}

#[tokio::test]
async fn only_the_right_certificate_will_do() {
    let (mut acceptor, url) = listen_quic(QuicOptions::default());
    let bare = url.split('#').next().unwrap();
    let error = soon(dial(bare)).await.err().unwrap();
    assert!(matches!(error, ConnectError::NoRoots { .. }), "{error}");

    let (_, other_roots) = certificate();
    let wrong_hash = format!("{bare}#certificate={}", CertificateHash([0; 32]));
    let with_roots = ClientOptions { tls: Some(other_roots), ..options() };
    for (url, client) in [(bare, &with_roots), (&wrong_hash, &options())] {
        let server = async { acceptor.accept().await.unwrap().upgrade().await };
        let (server, client) = soon(async { tokio::join!(server, connect(url, client)) }).await;
        assert!(matches!(server.err().unwrap(), AcceptError::Quic(_)));
        let error = client.err().unwrap();
        assert!(matches!(error, ConnectError::Tls { .. }), "{error}");
    }

    let (server, client) = soon(async { tokio::join!(accept(&mut acceptor), dial(&url)) }).await;
    works(&mut *{ server }, &mut *client.unwrap()).await;
}

#[tokio::test]
async fn connections_share_a_socket() {
    let (mut acceptor, url) = listen_quic(QuicOptions::default());
    let socket = QuicSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let sharing = ClientOptions { quic_socket: Some(socket), ..options() };
    let mut pairs = Vec::new();
    for _ in 0..3 {
        let (server, client) =
            soon(async { tokio::join!(accept(&mut acceptor), connect(&url, &sharing)) }).await;
        pairs.push((server, client.unwrap()));
    }
    let (first, _) = &pairs[0];
    assert!(pairs.iter().all(|(server, _)| server.peer() == first.peer()));
    for (server, client) in &mut pairs {
        works(&mut **server, &mut **client).await;
    }
    // One's end is nothing to the others, nor is the end of whoever bound the socket.
    drop((pairs.remove(1), sharing));
    for (server, client) in &mut pairs {
        works(&mut **server, &mut **client).await;
    }
    let (server, client) = soon(async { tokio::join!(accept(&mut acceptor), dial(&url)) }).await;
    assert_ne!(server.peer(), pairs[0].0.peer());
    works(&mut *{ server }, &mut *client.unwrap()).await;
}

#[tokio::test]
async fn a_self_signed_certificate_is_renewed() {
    let certificate = QuicCertificate::SelfSigned { renewed_after: Duration::from_millis(100) };
    let listener =
        Listener::bind_quic("127.0.0.1:0", QuicOptions { certificate, ..Default::default() }).unwrap();
    let (first_url, offer) = (listener.url(), listener.quic_offer().unwrap().clone());
    let first = offer.certificate().unwrap();
    let mut acceptor = listener.into_acceptor().unwrap();
    let (mut server, client) = soon(async { tokio::join!(accept(&mut acceptor), dial(&first_url)) }).await;
    let mut client = client.unwrap();

    let renewed = async {
        while offer.certificate().unwrap() == first {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        loop {
            // It may be renewed once more on the way.
            let url = format!(
                "{}#certificate={}",
                first_url.split('#').next().unwrap(),
                offer.certificate().unwrap()
            );
            if let Ok(connection) = dial(&url).await {
                return connection;
            }
        }
    };
    let accepted = async {
        loop {
            if let Ok(connection) = acceptor.accept().await.unwrap().upgrade().await {
                return connection;
            }
        }
    };
    let (mut newer_client, mut newer_server) = soon(async { tokio::join!(renewed, accepted) }).await;
    works(&mut *newer_server, &mut *newer_client).await;
    works(&mut *server, &mut *client).await;
}

#[tokio::test]
async fn connections_beyond_the_limit_are_refused() {
    let (mut acceptor, url) = listen_quic(QuicOptions { connections_max: 1, ..Default::default() });
    let (first, client) = soon(async { tokio::join!(accept(&mut acceptor), dial(&url)) }).await;
    let _client = client.unwrap();
    let second = async { tokio::join!(acceptor.accept(), dial(&url)) };
    let (turned_away, second) = soon(second).await;
    assert!(turned_away.is_err());
    assert!(matches!(second.err().unwrap(), ConnectError::Quic { .. }));

    drop(first);
    let (server, client) = soon(async { tokio::join!(accept(&mut acceptor), dial(&url)) }).await;
    works(&mut *{ server }, &mut *client.unwrap()).await;
}

#[tokio::test]
async fn a_busy_server_wants_addresses_validated() {
    const RETRY: u8 = 0xf0;
    for (unvalidated_handshakes_max, retried) in [(64, false), (0, true)] {
        let (mut acceptor, url) =
            listen_quic(QuicOptions { unvalidated_handshakes_max, ..Default::default() });
        let (mut server, mut client, traffic) = by_way(&mut acceptor, &url, &options()).await;
        works(&mut *server, &mut *client).await;
        let first = traffic.from_server.lock().unwrap()[0];
        assert_eq!(first & 0xf0 == RETRY, retried, "{first:x}");
    }
}

#[tokio::test]
async fn a_client_may_change_its_address() {
    let (mut acceptor, url) = listen_quic(QuicOptions::default());
    let (mut server, mut client, traffic) = by_way(&mut acceptor, &url, &options()).await;
    works(&mut *server, &mut *client).await;
    let before = server.peer();
    traffic.change_address();
    works(&mut *server, &mut *client).await;
    assert!(matches!(before, Peer::Socket(_)));
    assert_ne!(server.peer(), before);
}

#[tokio::test]
async fn a_silent_peer_is_found_out_and_a_living_one_is_not() {
    let keep_alive = KeepAlive { interval: Duration::from_millis(50), silent_intervals_max: 4 };
    let limits = Limits { keep_alive, ..Limits::SERVER };
    let (mut acceptor, url) = listen_quic(QuicOptions { limits, ..Default::default() });
    let (mut server, mut client, traffic) = by_way(&mut acceptor, &url, &options()).await;
    let living = tokio::time::timeout(Duration::from_millis(600), async {
        tokio::join!(server.recv(), client.recv())
    });
    assert!(living.await.is_err(), "nothing is sent, and nobody gives up");

    traffic.cut.store(true, Ordering::Relaxed);
    let (server, client) = soon(async { tokio::join!(server.recv(), client.recv()) }).await;
    assert!(matches!(server, Err(TransportError::Silent(_))), "{server:?}");
    assert!(matches!(client, Err(TransportError::Silent(_))), "{client:?}");
}

/// A WebSocket listener that offers the QUIC one.
fn beside(quic: &Listener) -> (Acceptor, String) {
    let discovery = Discovery { quic: quic.quic_offer().cloned().into_iter().collect() };
    listen(ListenerOptions { discovery, ..ListenerOptions::default() })
}

/// Answers whoever asks, and returns the first that becomes a connection.
async fn first_upgraded(acceptor: &mut Acceptor) -> Box<dyn Connection> {
    loop {
        if let Ok(connection) = acceptor.accept().await.unwrap().upgrade().await {
            return connection;
        }
    }
}

#[tokio::test]
async fn the_best_way_is_quic_where_it_is_offered() {
    let quic = Listener::bind_quic("127.0.0.1:0", QuicOptions::default()).unwrap();
    let (mut websocket, url) = beside(&quic);
    let mut quic = quic.into_acceptor().unwrap();
    let answering = async { drop(first_upgraded(&mut websocket).await) };
    let dialed = async { tokio::join!(first_upgraded(&mut quic), dial_best(&url)) };
    let dialed = async {
        tokio::select! {
            biased;
            both = dialed => Some(both),
            () = answering => None,
        }
    };
    let (mut server, client) = soon(dialed).await.expect("a WebSocket was opened");
    works(&mut *server, &mut *client.unwrap()).await;
}

#[tokio::test]
async fn the_best_way_is_a_websocket_where_there_is_no_quic_or_it_is_swallowed() {
    // The listener is bound, and nobody reads from it.
    let swallowing = Listener::bind_quic("127.0.0.1:0", QuicOptions::default()).unwrap();
    let plain = listen(ListenerOptions::default());
    for (mut acceptor, url) in [plain, beside(&swallowing)] {
        let dialed = async { tokio::join!(first_upgraded(&mut acceptor), dial_best(&url)) };
        let (mut server, client) = soon(dialed).await;
        works(&mut *server, &mut *client.unwrap()).await;
    }
    let nobody = soon(dial_best("ws://127.0.0.1:1")).await.err().unwrap();
    assert!(matches!(nobody, ConnectError::Unreachable { .. }), "{nobody}");
}

#[tokio::test]
async fn native_clients_and_browsers_share_a_port() {
    let (mut acceptor, url) = listen_quic(QuicOptions::default());
    let browser = webtransport::connect(&url, Limits::CLIENT);
    let (mut for_browser, mut browser) = soon(async { tokio::join!(accept(&mut acceptor), browser) }).await;
    let native = dial(&url);
    let (mut for_native, native) = soon(async { tokio::join!(accept(&mut acceptor), native) }).await;
    works(&mut *for_browser, &mut *browser).await;
    works(&mut *for_native, &mut *native.unwrap()).await;
}

#[tokio::test]
async fn lost_datagrams_hold_up_nothing() {
    let (mut acceptor, url) = listen_quic(QuicOptions::default());
    let (mut server, mut client, traffic) = by_way(&mut acceptor, &url, &options()).await;
    works(&mut *server, &mut *client).await;
    traffic.lost_every.store(4, Ordering::Relaxed);
    let sending = async {
        for number in 0..200_u8 {
            server.send(Lane::World, &[Bytes::from(vec![1, number])]);
            server.send(Lane::Latest, &[Bytes::from(vec![2; 900])]);
            server.send(Lane::Latest, &[Bytes::from(vec![3; 9000])]);
            server.flush().await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        traffic.change_address();
        server.finish(1, "", common::PATIENCE).await;
    };
    let reading = async {
        let (mut world, mut latest) = (0, [0; 2]);
        let end = loop {
            match client.recv().await {
                Ok(message) if message[0] == 1 => {
                    assert_eq!(message[1], world);
                    world += 1;
                }
                Ok(message) => latest[usize::from(message[0] - 2)] += 1,
                Err(end) => break end,
            }
        };
        assert!(matches!(end, TransportError::Closed(_)), "{end}");
        client.finish(1, "", common::PATIENCE).await;
        (world, latest)
    };
    let ((), (world, latest)) = soon(async { tokio::join!(sending, reading) }).await;
    assert_eq!(world, 200);
    assert!(latest[0] > 0 && latest[0] < 200 && latest[1] > 0, "{latest:?}");
}

#[tokio::test]
async fn what_can_not_be_sent_now_is_dropped_on_the_latest_lane() {
    let (mut acceptor, url) = listen_quic(QuicOptions::default());
    let (server, client) = soon(async { tokio::join!(accept(&mut acceptor), dial(&url)) }).await;
    let (mut server, mut client) = (server, client.unwrap());
    works(&mut *server, &mut *client).await;
    // Nobody else runs in the meantime, so nothing leaves.
    let full = server.datagrams().unwrap();
    let mut sent = 0;
    while server.datagrams().unwrap().room > full.bytes_max {
        server.send(Lane::Latest, &[vec![0; full.bytes_max].into()]);
        sent += 1;
        assert!(sent < 64, "the buffer is far larger than it should be");
    }
    assert_eq!(server.signals().latest_dropped, 0);
    (0..1000).for_each(|_| server.send(Lane::Latest, &[vec![0; full.bytes_max].into()]));
    assert_eq!(server.signals().latest_dropped, 1000);
    // The same for what is larger than a datagram.
    (0..1000).for_each(|_| server.send(Lane::Latest, &[vec![0; 10_000].into()]));
    assert!(server.queued().messages < 8 && server.queued().bytes < 70_000, "{:?}", server.queued());
    assert!(server.signals().latest_dropped > 1990);
    // It works on.
    soon(server.flush()).await.unwrap();
    while server.datagrams().unwrap().room < full.room {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    server.send(Lane::World, &[Bytes::from_static(b"the world")]);
    let reading = async { while client.recv().await.unwrap() != b"the world".as_slice() {} };
    let (flushed, ()) = soon(async { tokio::join!(server.flush(), reading) }).await;
    flushed.unwrap();
}
