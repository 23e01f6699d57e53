//! QUIC against those who mean no good.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use common::{accept, listen_quic, network, soon, webtransport};
use evertick_transport::{
    AcceptError, Acceptor, ClientOptions, Connection, ConnectionExt, Lane, Limits, QuicOptions,
    TransportError, Url, connect, tls,
};
use quinn::crypto::rustls::QuicClientConfig;
use tokio::net::UdpSocket;

const NATIVE: &[u8] = b"evertick/1";

/// A listener with a certificate that `attack` trusts.
fn target(options: QuicOptions) -> (Acceptor, String, Arc<tls::ClientConfig>) {
    let (server, roots) = common::certificate();
    let certificate = evertick_transport::QuicCertificate::Signed(server);
    let (acceptor, url) = listen_quic(QuicOptions { certificate, ..options });
    (acceptor, url, roots)
}

fn address(url: &str) -> SocketAddr {
    let url: Url = url.parse().unwrap();
    (url.host.parse::<Ipv4Addr>().unwrap(), url.port).into()
}

/// A client of plain quinn, which may do what it likes.
async fn attack(
    to: SocketAddr,
    roots: &Arc<tls::ClientConfig>,
    alpn: &[u8],
) -> Result<(quinn::Connection, quinn::Endpoint), quinn::ConnectionError> {
    let mut tls = (**roots).clone();
    tls.alpn_protocols = vec![alpn.to_vec()];
    let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    let endpoint = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let connection = endpoint.connect_with(config, to, "localhost").unwrap().await?;
    Ok((connection, endpoint))
}

fn short(handshake_time_max: Duration) -> Limits {
    Limits { handshake_time_max, ..Limits::SERVER }
}

/// An ordinary client is served.
async fn still_serves(acceptor: &mut Acceptor, url: &str, roots: &Arc<tls::ClientConfig>) {
    let options = ClientOptions { tls: Some(Arc::clone(roots)), ..ClientOptions::default() };
    let served = async {
        loop {
            // Those who mean no good may come in between.
            if let Ok(incoming) = acceptor.accept().await
                && let Ok(connection) = incoming.upgrade().await
            {
                return connection;
            }
        }
    };
    let (mut server, client) = soon(async { tokio::join!(served, connect(url, &options)) }).await;
    let mut client = client.unwrap();
    client.send(Lane::Control, &[Bytes::from_static(b"hello")]);
    soon(client.flush()).await.unwrap();
    assert_eq!(soon(server.recv()).await.unwrap(), b"hello".as_slice());
}

#[tokio::test]
async fn garbage_is_answered_with_less_than_it_brings() {
    let (mut acceptor, url, roots) = target(QuicOptions::default());
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(address(&url)).await.unwrap();
    let accepting = tokio::spawn(async move {
        let _garbage = tokio::time::timeout(Duration::from_millis(300), acceptor.accept()).await;
        acceptor
    });
    let mut sent = 0;
    let mut number = 1_u32;
    for length in [1, 5, 20, 21, 50, 1199, 1200, 1472].into_iter().cycle().take(200) {
        let mut packet: Vec<u8> = (0..length)
            .map(|_| {
                number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (number >> 24) as u8
            })
            .collect();
        match number % 4 {
            0 => packet[0] |= 0xc0, // a long header of whatever version
            1 if length > 5 => packet[..5].copy_from_slice(&[0xc3, 0, 0, 0, 1]), // an Initial of version 1
            2 => packet[0] = packet[0] & 0x7f | 0x40, // a packet of some connection
            _ => {}
        }
        sent += socket.send(&packet).await.unwrap();
    }
    let mut got = 0;
    let mut answer = [0; 2048];
    while let Ok(count) = tokio::time::timeout(Duration::from_millis(200), socket.recv(&mut answer)).await {
        got += count.unwrap();
    }
    assert!(got <= sent, "{got} bytes for {sent}");
    let mut acceptor = soon(accepting).await.unwrap();
    still_serves(&mut acceptor, &url, &roots).await;
}

#[tokio::test]
async fn a_forged_address_gets_little_more_than_was_sent_in_its_name() {
    let (mut acceptor, url, roots) =
        target(QuicOptions { limits: short(Duration::from_secs(2)), ..Default::default() });
    let (between, traffic) = network::between(address(&url)).await;
    // The first flight arrives, and then the "client" never hears of what it is sent.
    *traffic.client_packets_max.lock().unwrap() = Some(1);
    let victim = tokio::spawn(async move { attack(between, &roots, NATIVE).await.map(drop) });
    let error = soon(async { acceptor.accept().await.unwrap().upgrade().await }).await.err().unwrap();
    assert!(matches!(error, AcceptError::Timeout(_)), "{error}");
    victim.abort();
    let sent = traffic.bytes_to_server.load(Ordering::Relaxed);
    let got = traffic.bytes_from_server.load(Ordering::Relaxed);
    // Three times as much, says RFC 9000; quinn lets the last packet go beyond.
    assert!(sent >= 1200 && got > 0 && got < 3 * sent + 1200, "{got} bytes for {sent}");
}

#[tokio::test]
async fn half_open_handshakes_are_few_and_short() {
    let limits = short(Duration::from_millis(300));
    let (mut acceptor, url, roots) = target(QuicOptions {
        limits,
        connections_max: 4,
        unvalidated_handshakes_max: 3,
        ..Default::default()
    });
    let (between, traffic) = network::between(address(&url)).await;
    *traffic.client_packets_max.lock().unwrap() = Some(20);
    for _ in 0..20 {
        let roots = Arc::clone(&roots);
        tokio::spawn(async move { attack(between, &roots, NATIVE).await.map(drop) });
    }
    let mut half_open = Vec::new();
    while let Ok(Ok(incoming)) = tokio::time::timeout(Duration::from_millis(200), acceptor.accept()).await {
        half_open.push(tokio::spawn(async { incoming.upgrade().await.map(drop) }));
    }
    // With more than three in their handshake, a client must show that it hears us, and these don't.
    assert_eq!(half_open.len(), 3);
    for handshake in half_open {
        let error = soon(handshake).await.unwrap().err().unwrap();
        assert!(matches!(error, AcceptError::Timeout(_)), "{error}");
    }
    still_serves(&mut acceptor, &url, &roots).await;
}

#[tokio::test]
async fn another_protocol_is_refused_in_the_handshake() {
    let (mut acceptor, url, roots) = target(QuicOptions { connections_max: 1, ..Default::default() });
    let server = async { acceptor.accept().await.unwrap().upgrade().await.map(drop) };
    let (server, client) = soon(async { tokio::join!(server, attack(address(&url), &roots, b"h2")) }).await;
    assert!(matches!(server.err().unwrap(), AcceptError::Quic(_)));
    assert!(client.is_err());
    still_serves(&mut acceptor, &url, &roots).await;
}

#[tokio::test]
async fn who_opens_no_stream_or_a_wrong_one_is_cut_off() {
    let limits = short(Duration::from_millis(300));
    let (mut acceptor, url, roots) = target(QuicOptions { limits, connections_max: 1, ..Default::default() });
    for kind in [None, Some(7_u8)] {
        let client = async {
            let (connection, endpoint) = attack(address(&url), &roots, NATIVE).await.unwrap();
            if let Some(kind) = kind {
                let (mut writer, _reader) = connection.open_bi().await.unwrap();
                writer.write_all(&[kind]).await.unwrap();
            }
            let end = connection.closed().await;
            drop(endpoint);
            end
        };
        let server = async { acceptor.accept().await.unwrap().upgrade().await.map(drop) };
        let (server, end) = soon(async { tokio::join!(server, client) }).await;
        match (kind, server.err().unwrap()) {
            (None, AcceptError::Timeout(_)) => {}
            (Some(_), AcceptError::Quic(reason)) => assert!(reason.contains("of kind 7"), "{reason}"),
            (_, error) => panic!("{error}"),
        }
        assert!(matches!(end, quinn::ConnectionError::ApplicationClosed(_)), "{end}");
    }
    // A browser that speaks HTTP/3 and asks for no session.
    let client = async {
        let (connection, _endpoint) = attack(address(&url), &roots, b"h3").await.unwrap();
        let mut control = connection.open_uni().await.unwrap();
        control.write_all(b"\x00\x04\x00garbage of all kinds").await.unwrap();
        connection.closed().await
    };
    let server = async { acceptor.accept().await.unwrap().upgrade().await.map(drop) };
    let (server, _end) = soon(async { tokio::join!(server, client) }).await;
    assert!(matches!(server.err().unwrap(), AcceptError::Quic(_)));
    still_serves(&mut acceptor, &url, &roots).await;
}

/// The stream with the messages, by hand.
async fn with_stream(
    acceptor: &mut Acceptor,
    url: &str,
    roots: &Arc<tls::ClientConfig>,
) -> (Box<dyn Connection>, quinn::Connection, quinn::SendStream, quinn::RecvStream, quinn::Endpoint) {
    let client = async {
        let (connection, endpoint) = attack(address(url), roots, NATIVE).await.unwrap();
        let (mut writer, reader) = connection.open_bi().await.unwrap();
        writer.write_all(&[0]).await.unwrap();
        (connection, writer, reader, endpoint)
    };
    let (server, (connection, writer, reader, endpoint)) =
        soon(async { tokio::join!(accept(acceptor), client) }).await;
    (server, connection, writer, reader, endpoint)
}

#[tokio::test]
async fn a_broken_stream_is_an_error_of_that_connection() {
    let (mut acceptor, url, roots) = target(QuicOptions::default());
    type Break = fn(&mut quinn::SendStream);
    type Expected = fn(&TransportError) -> bool;
    let cases: [(&[u8], Break, Expected); 5] = [
        // The length of a message of 4 GiB.
        (b"\xff\xff\xff\xff\x0f", |_| {}, |error| matches!(error, TransportError::TooLarge { .. })),
        (b"\xff\xff\xff\xff\xff", |_| {}, |error| matches!(error, TransportError::Protocol(_))),
        // Half a message, and the end.
        (b"\x09half", |writer| writer.finish().unwrap(), |error| matches!(error, TransportError::Lost(_))),
        (b"", |writer| writer.finish().unwrap(), |error| matches!(error, TransportError::Closed(_))),
        (
            b"",
            |writer| writer.reset(9_u32.into()).unwrap(),
            |error| matches!(error, TransportError::Protocol(_)),
        ),
    ];
    for (bytes, act, expected) in cases {
        let (mut server, connection, mut writer, mut reader, _endpoint) =
            with_stream(&mut acceptor, &url, &roots).await;
        writer.write_all(bytes).await.unwrap();
        act(&mut writer);
        let error = soon(server.recv()).await.unwrap_err();
        assert!(expected(&error), "{error:?}");
        // Last words can still be said.
        server.send(Lane::Control, &[Bytes::from_static(b"why")]);
        let finished = server.finish(2, "", Duration::from_secs(5));
        let reading = async {
            let mut words = [0; 4];
            reader.read_exact(&mut words).await.unwrap();
            connection.close(0_u32.into(), b"");
            words
        };
        assert_eq!(soon(async { tokio::join!(finished, reading) }).await.1, *b"\x04why");
    }
}

#[tokio::test]
async fn a_flood_of_datagrams_stays_outside() {
    let (mut acceptor, url, roots) = target(QuicOptions::default());
    let (mut server, connection, mut writer, mut reader, _endpoint) =
        with_stream(&mut acceptor, &url, &roots).await;
    for _ in 0..10_000 {
        connection.send_datagram(Bytes::from_static(&[0; 1000])).unwrap();
    }
    // The messages pass by all that, and of the flood there is little.
    writer.write_all(b"\x06hello").await.unwrap();
    assert_eq!(soon(server.recv()).await.unwrap(), b"hello".as_slice());
    server.send(Lane::Control, &[Bytes::from_static(b"you")]);
    soon(server.flush()).await.unwrap();
    let mut answer = [0; 4];
    soon(reader.read_exact(&mut answer)).await.unwrap();
    assert_eq!(answer, *b"\x04you");
    writer.write_all(b"\x06again").await.unwrap();
    let mut flood = 0;
    while soon(server.recv()).await.unwrap() != b"again".as_slice() {
        flood += 1;
    }
    assert!(flood < 10_000, "nothing of the flood was dropped");
}

#[tokio::test]
async fn a_client_that_opens_more_streams_is_cut_off() {
    let (mut acceptor, url, roots) = target(QuicOptions::default());
    for one_way in [true, false] {
        let (mut server, connection, mut writer, mut reader, _endpoint) =
            with_stream(&mut acceptor, &url, &roots).await;
        writer.write_all(b"\x06hello").await.unwrap();
        assert_eq!(soon(server.recv()).await.unwrap(), b"hello".as_slice());
        let mut held = Vec::new();
        let mut open = async |bytes: &[u8]| {
            let mut stream = match one_way {
                true => connection.open_uni().await.unwrap(),
                false => connection.open_bi().await.unwrap().0,
            };
            stream.write_all(bytes).await.unwrap();
            held.push(stream);
        };
        open(b"\x01").await;
        open(b"\x02state").await;
        let error = soon(server.recv()).await.unwrap_err();
        let want = if one_way { "only a server may open" } else { "second stream" };
        assert!(matches!(error, TransportError::Protocol(_)) && error.to_string().contains(want), "{error}");
        // It is told why.
        let finished = server.finish(2, "streams", Duration::from_secs(5));
        let reading = async {
            let mut words = [0; 11];
            reader.read_exact(&mut words).await.unwrap();
            connection.close(0_u32.into(), b"");
            words
        };
        assert_eq!(soon(async { tokio::join!(finished, reading) }).await.1, *b"\x00\x02\x00\x07streams");
    }
    still_serves(&mut acceptor, &url, &roots).await;
}

/// A server of plain quinn, which may do what it likes, and a client of it that has been greeted.
async fn hostile_server() -> (Box<dyn Connection>, quinn::Connection, quinn::SendStream, quinn::Endpoint) {
    let (server, roots) = common::certificate();
    let mut tls = (*server).clone();
    tls.alpn_protocols = vec![NATIVE.to_vec()];
    let config = quinn::ServerConfig::with_crypto(Arc::new(
        quinn::crypto::rustls::QuicServerConfig::try_from(tls).unwrap(),
    ));
    let endpoint = quinn::Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let url = format!("quic://127.0.0.1:{}", endpoint.local_addr().unwrap().port());
    let serving = async {
        let connection = endpoint.accept().await.unwrap().await.unwrap();
        let (mut control, mut reader) = connection.accept_bi().await.unwrap();
        reader.read_exact(&mut [0]).await.unwrap();
        control.write_all(b"\x03hi").await.unwrap();
        (connection, control)
    };
    let limits = Limits { message_bytes_max: 10_000, ..Limits::CLIENT };
    let options = ClientOptions { tls: Some(roots), limits, ..ClientOptions::default() };
    let ((connection, control), client) =
        soon(async { tokio::join!(serving, connect(&url, &options)) }).await;
    let mut client = client.unwrap();
    assert_eq!(soon(client.recv()).await.unwrap(), b"hi".as_slice());
    (client, connection, control, endpoint)
}

#[tokio::test]
async fn a_server_that_breaks_the_rules_is_an_error() {
    // The streams it opens, whether it ends them, and what the client says of it.
    let cases: [(&[&[u8]], bool, &str); 8] = [
        (&[b"\x07what"], false, "unknown kind"),
        (&[b"\x00"], false, "unknown kind"),
        (&[b"\x01\x02a", b"\x01\x02b"], false, "second stream"),
        (&[b""], true, "before it said its kind"),
        (&[b"\x01\xff\xff\xff\xff\xff"], false, "does not end"),
        (&[b"\x01\x00\x01\x00\x00"], false, "an end on the stream of the world"),
        (&[b"\x01\x09half"], true, "lost"),
        (&[&[2; 6000], &[2; 6000]], false, "more than 10000 bytes"),
    ];
    for (streams, ends, want) in cases {
        let (mut client, connection, _control, _endpoint) = hostile_server().await;
        let mut held = Vec::new();
        for bytes in streams {
            let mut stream = connection.open_uni().await.unwrap();
            stream.write_all(bytes).await.unwrap();
            if ends {
                stream.finish().unwrap();
            }
            held.push(stream);
        }
        let error = loop {
            match soon(client.recv()).await {
                Ok(message) => assert_eq!(message, b"a".as_slice()),
                Err(error) => break error,
            }
        };
        assert!(error.to_string().contains(want), "{error}");
        assert!(matches!(soon(client.recv()).await, Err(TransportError::Closed(_))), "it goes on");
    }
}

#[tokio::test]
async fn a_server_that_leaves_things_open_holds_nobody_for_ever() {
    let (mut client, connection, mut control, _endpoint) = hostile_server().await;
    // Streams without a kind or an end, as many as there may be; some that are given up.
    let mut held = Vec::new();
    let mut streams = 0;
    while let Ok(stream) = tokio::time::timeout(Duration::from_millis(200), connection.open_uni()).await {
        let mut stream = stream.unwrap();
        streams += 1;
        stream.write_all(&[2, 9][..streams % 2]).await.unwrap();
        held.push(stream);
        assert!(streams <= 16, "the client lets a server open streams without end");
    }
    held[0].reset(0_u32.into()).unwrap();
    held[1].reset(0_u32.into()).unwrap();
    control.write_all(b"\x03on").await.unwrap();
    assert_eq!(soon(client.recv()).await.unwrap(), b"on".as_slice());
    control.write_all(b"\x00\x05\x00\x03end").await.unwrap();
    let end = soon(client.recv()).await.unwrap_err();
    assert_eq!(end.to_string(), "the peer closed the connection with code 5: end");
}

#[tokio::test]
async fn a_browser_that_ends_its_session_or_vanishes_is_noticed() {
    let (mut acceptor, url) = listen_quic(QuicOptions::default());
    for says_so in [true, false] {
        let client = async {
            let session = webtransport::session(&url).await;
            let (mut writer, _reader) = session.open_bi().await.unwrap();
            writer.write_all(b"\x00\x03hi").await.unwrap();
            (session, writer, _reader)
        };
        let (mut server, (session, _writer, _reader)) =
            soon(async { tokio::join!(accept(&mut acceptor), client) }).await;
        assert_eq!(soon(server.recv()).await.unwrap(), b"hi".as_slice());
        if says_so {
            session.close(77, b"tab closed");
            let error = soon(server.recv()).await.unwrap_err();
            assert_eq!(error.to_string(), "the peer closed the connection with code 77: tab closed");
        } else {
            (*session).close(1_u32.into(), b"");
            assert!(soon(server.recv()).await.is_err());
        }
        soon(server.finish(1, "", common::PATIENCE)).await;
    }
}
