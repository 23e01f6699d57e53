//! The server's side: listening, accepting, shaking hands.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use crate::connection::{Connection, Peer};
use crate::discovery::QuicOffer;
use crate::error::{AcceptError, ListenError, TurnedAway};
use crate::quic::QuicOptions;
use crate::quic::listener::{QuicAcceptor, QuicIncoming, QuicListener};
use crate::tcp::{ListenerOptions, TcpAcceptor, TcpIncoming, TcpPort};

/// A bound port: TCP for WebSocket clients, or UDP for QUIC and WebTransport.
#[derive(Debug)]
pub struct Listener(Port);

#[derive(Debug)]
enum Port {
    Tcp(TcpPort),
    Quic(Box<QuicListener>),
}

impl Listener {
    /// Binds `address` (`host:port`; port 0 lets the system choose) for WebSockets. Needs no runtime.
    pub fn bind(address: &str, options: ListenerOptions) -> Result<Self, ListenError> {
        let port = first_free(address, |candidate| {
            TcpPort::bind(candidate, options.clone())
                .map_err(|error| ListenError::Bind { address: address.to_owned(), error })
        })?;
        Ok(Self(Port::Tcp(port)))
    }

    /// Binds `address` for QUIC and WebTransport. `[::]:port` is for IPv4 too. Needs no runtime.
    pub fn bind_quic(address: &str, options: QuicOptions) -> Result<Self, ListenError> {
        let port = first_free(address, |candidate| QuicListener::bind(candidate, options.clone()))?;
        Ok(Self(Port::Quic(Box::new(port))))
    }

    /// Where it listens, with the port the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        match &self.0 {
            Port::Tcp(port) => port.address,
            Port::Quic(port) => port.address,
        }
    }

    /// What clients are to be told of a QUIC port; `None` for a WebSocket's.
    pub fn quic_offer(&self) -> Option<&QuicOffer> {
        match &self.0 {
            Port::Tcp(_) => None,
            Port::Quic(port) => Some(port.offer()),
        }
    }

    /// The address for clients: `ws://`, `wss://` or `quic://`, the last with the fingerprint of a self-signed certificate.
    pub fn url(&self) -> String {
        match &self.0 {
            Port::Tcp(port) => port.url(),
            Port::Quic(port) => {
                let hash = port.offer().certificate();
                let fragment = hash.map(|hash| format!("#certificate={hash}")).unwrap_or_default();
                format!("quic://{}{fragment}", port.address)
            }
        }
    }

    /// Starts accepting, on the current runtime.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O and time.
    pub fn into_acceptor(self) -> io::Result<Acceptor> {
        Ok(Acceptor(match self.0 {
            Port::Tcp(port) => Accepting::Tcp(port.into_acceptor()?),
            Port::Quic(port) => Accepting::Quic(Box::new(port.into_acceptor()?)),
        }))
    }
}

/// Binds the first address of a name that can be had.
fn first_free<T>(
    address: &str,
    mut bind: impl FnMut(SocketAddr) -> Result<T, ListenError>,
) -> Result<T, ListenError> {
    let unknown = |error| ListenError::Bind { address: address.to_owned(), error };
    let mut last = unknown(io::Error::new(io::ErrorKind::NotFound, "the name has no addresses"));
    for candidate in address.to_socket_addrs().map_err(unknown)? {
        match bind(candidate) {
            Ok(bound) => return Ok(bound),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A listener on a runtime.
#[derive(Debug)]
pub struct Acceptor(Accepting);

#[derive(Debug)]
enum Accepting {
    Tcp(TcpAcceptor),
    Quic(Box<QuicAcceptor>),
}

impl Acceptor {
    /// The next connection, not yet shaken hands with, or [`TurnedAway`] when it is beyond `connections_max`. Safe to cancel.
    pub async fn accept(&mut self) -> Result<Incoming, TurnedAway> {
        Ok(Incoming(match &mut self.0 {
            Accepting::Tcp(acceptor) => Arriving::Tcp(acceptor.accept().await?),
            Accepting::Quic(acceptor) => Arriving::Quic(Box::new(acceptor.accept().await?)),
        }))
    }

    /// Whether its connections may be upgraded on the acceptor's runtime only. Those of QUIC share its socket, and end with it.
    pub fn keeps_connections(&self) -> bool {
        matches!(self.0, Accepting::Quic(_))
    }

    /// What is to be waited for before the runtime ends.
    pub fn last_packets(&self) -> LastPackets {
        LastPackets(match &self.0 {
            Accepting::Tcp(_) => None,
            Accepting::Quic(acceptor) => Some(acceptor.endpoint().clone()),
        })
    }
}

/// The ends of connections that their peers may not have been told of yet. The kernel does that for TCP; for QUIC the runtime
/// must live a moment longer.
#[derive(Clone, Debug)]
pub struct LastPackets(Option<quinn::Endpoint>);

impl LastPackets {
    /// Waits until the ends of all connections are sent and settled; at most `within`.
    pub async fn sent(self, within: Duration) {
        if let Some(endpoint) = self.0 {
            // Who does not settle in time finds out by silence.
            let _unsettled = tokio::time::timeout(within, endpoint.wait_idle()).await;
        }
    }
}

/// A connection before its handshake.
#[derive(Debug)]
pub struct Incoming(Arriving);

#[derive(Debug)]
enum Arriving {
    Tcp(TcpIncoming),
    Quic(Box<QuicIncoming>),
}

impl Incoming {
    /// Who connects.
    pub fn peer(&self) -> Peer {
        match &self.0 {
            Arriving::Tcp(incoming) => incoming.peer(),
            Arriving::Quic(incoming) => incoming.peer(),
        }
    }

    /// Does the whole handshake, on the current runtime, which must be the acceptor's if it
    /// [keeps its connections](Acceptor::keeps_connections): TLS and the WebSocket upgrade, or QUIC's and WebTransport's. An HTTP
    /// request that is no upgrade is answered and is an error here.
    pub async fn upgrade(self) -> Result<Box<dyn Connection>, AcceptError> {
        let (time_max, upgraded) = match self.0 {
            Arriving::Tcp(incoming) => {
                let time_max = incoming.limits().handshake_time_max;
                (time_max, tokio::time::timeout(time_max, Box::pin(incoming.shake_hands())).await)
            }
            Arriving::Quic(incoming) => {
                let time_max = incoming.limits().handshake_time_max;
                (time_max, tokio::time::timeout(time_max, Box::pin(incoming.shake_hands())).await)
            }
        };
        upgraded.unwrap_or(Err(AcceptError::Timeout(time_max)))
    }
}
