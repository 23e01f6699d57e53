//! Both ends of a connection over each transport.
#![allow(dead_code, reason = "not every suite needs everything")]

pub(crate) mod network;
pub(crate) mod webtransport;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evertick_transport::{
    Acceptor, ClientOptions, Conditions, Connection, ConnectionExt, Lane, Limits, Listener, ListenerOptions,
    QuicCertificate, QuicOptions, connect, loopback, simulate, tls,
};

/// Longer than anything here takes; only a hang gets there.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it hangs")
}

/// A transport to test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Loopback,
    WebSocket,
    Wss,
    /// Native QUIC with a certificate that somebody signed.
    Quic,
    /// A browser's way, by another implementation of the client.
    WebTransport,
    /// With a bad network before the client.
    BadLoopback,
    BadWebSocket,
    BadWss,
    BadQuic,
    BadWebTransport,
}

impl Over {
    fn without_network(self) -> (Self, bool) {
        match self {
            Self::BadLoopback => (Self::Loopback, true),
            Self::BadWebSocket => (Self::WebSocket, true),
            Self::BadWss => (Self::Wss, true),
            Self::BadQuic => (Self::Quic, true),
            Self::BadWebTransport => (Self::WebTransport, true),
            good => (good, false),
        }
    }
}

/// Of all troubles some.
const BAD_NETWORK: Conditions = Conditions {
    latency: Duration::from_millis(3),
    jitter: Duration::from_millis(3),
    loss: 0.05,
    burst: 2.0,
    duplicate: 0.05,
    reorder: 0.05,
    seed: 1,
};

pub(crate) fn certificate() -> (Arc<tls::ServerConfig>, Arc<tls::ClientConfig>) {
    let made =
        rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
    let pem = made.cert.pem();
    let key = made.signing_key.serialize_pem();
    (
        tls::server_from_pem(pem.as_bytes(), key.as_bytes()).unwrap(),
        tls::client_from_pem(pem.as_bytes()).unwrap(),
    )
}

pub(crate) fn listen(options: ListenerOptions) -> (Acceptor, String) {
    accepting(Listener::bind("127.0.0.1:0", options).unwrap())
}

pub(crate) fn listen_quic(options: QuicOptions) -> (Acceptor, String) {
    accepting(Listener::bind_quic("127.0.0.1:0", options).unwrap())
}

fn accepting(listener: Listener) -> (Acceptor, String) {
    let url = listener.url();
    (listener.into_acceptor().unwrap(), url)
}

pub(crate) async fn accept(acceptor: &mut Acceptor) -> Box<dyn Connection> {
    acceptor.accept().await.unwrap().upgrade().await.unwrap()
}

/// Sends until the network takes no more and ten messages wait. Returns how many were sent.
pub(crate) async fn fill(sender: &mut dyn Connection, message: &Bytes) -> usize {
    let mut sent = 0;
    // Kernels and windows take some megabytes; far fewer than this.
    while sender.queued().messages < 10 {
        sender.send(Lane::World, std::slice::from_ref(message));
        sent += 1;
        assert!(sent < 10_000, "everything is taken");
        let _pending = tokio::time::timeout(Duration::from_millis(2), sender.flush()).await;
    }
    sent
}

/// A server's and a client's end of one connection, with these limits.
pub(crate) async fn pair(
    over: Over,
    server: Limits,
    client: Limits,
) -> (Box<dyn Connection>, Box<dyn Connection>) {
    let (over, bad) = over.without_network();
    let (server, client) = connected(over, server, client).await;
    (server, if bad { simulate(client, BAD_NETWORK) } else { client })
}

async fn connected(over: Over, server: Limits, client: Limits) -> (Box<dyn Connection>, Box<dyn Connection>) {
    let mut client = ClientOptions { limits: client, ..ClientOptions::default() };
    let (mut acceptor, url) = match over {
        Over::Loopback => {
            let (server, client) = loopback(&server, &client.limits);
            return (Box::new(server), Box::new(client));
        }
        Over::WebSocket => {
            listen(ListenerOptions { limits: server, send_buffer_bytes: 32 * 1024, ..Default::default() })
        }
        Over::Wss => {
            let (tls, roots) = certificate();
            client.tls = Some(roots);
            listen(ListenerOptions { tls: Some(tls), limits: server, ..Default::default() })
        }
        Over::Quic => {
            let (tls, roots) = certificate();
            client.tls = Some(roots);
            let certificate = QuicCertificate::Signed(tls);
            listen_quic(QuicOptions { certificate, limits: server, ..Default::default() })
        }
        _ => listen_quic(QuicOptions { limits: server, ..Default::default() }),
    };
    let dialing = async {
        match over {
            Over::WebTransport => webtransport::connect(&url, client.limits).await,
            _ => connect(&url, &client).await.unwrap(),
        }
    };
    let (server, client) = soon(async { tokio::join!(accept(&mut acceptor), dialing) }).await;
    // A QUIC connection needs its endpoint, but not its acceptor.
    (server, client)
}
