//! What can go wrong, one enum per thing one does.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use thiserror::Error;

use crate::url::UrlError;

/// How a connection ended.
#[derive(Debug, Error)]
pub enum TransportError {
    /// The other side closed it.
    #[error("the peer closed the connection{0}")]
    Closed(CloseReason),
    /// It broke.
    #[error("the connection was lost: {0}")]
    Lost(#[from] io::Error),
    /// A message is larger than this side takes.
    #[error("a message of more than {bytes_max} bytes: send smaller ones, or raise `message_bytes_max`")]
    TooLarge {
        /// The limit it broke.
        bytes_max: usize,
    },
    /// What arrived is not what this transport speaks.
    #[error("the peer broke the transport's protocol: {0}")]
    Protocol(String),
    /// Nothing arrived for longer than a living peer takes to answer a ping.
    #[error("the peer was silent for {0:?}, pings included")]
    Silent(Duration),
}

/// The code and the words that came with the end of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct CloseReason {
    /// The application's own code; `None` when the transport's end came without one.
    pub code: Option<u16>,
    /// For a person; may be empty.
    pub reason: String,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(code) = self.code {
            write!(f, " with code {code}")?;
        }
        if !self.reason.is_empty() {
            write!(f, ": {}", self.reason)?;
        }
        Ok(())
    }
}

/// Why a listener could not be opened.
#[derive(Debug, Error)]
pub enum ListenError {
    /// The address can't be had.
    #[error("can't listen on {address}: {error}; is another server running there?")]
    Bind {
        /// The address as it was given.
        address: String,
        /// What the system said.
        error: io::Error,
    },
    /// The TLS configuration is of no use for QUIC, or no certificate could be made.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A connection beyond the listener's limit. It has been answered and closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{peer} was turned away: there are as many connections as `connections_max` allows")]
pub struct TurnedAway {
    /// Who it was.
    pub peer: SocketAddr,
}

/// Why an incoming connection did not become one.
#[derive(Debug, Error)]
pub enum AcceptError {
    /// It was not through the handshake in time.
    #[error("the handshake took longer than {0:?}")]
    Timeout(Duration),
    /// An HTTP request that does not ask for a WebSocket; it was answered with this status. 200 is no failure: somebody asked
    /// for the [`Discovery`](crate::Discovery).
    #[error("an HTTP request that is not a WebSocket upgrade, answered with {status}")]
    NotUpgrade {
        /// The HTTP status of the answer.
        status: u16,
    },
    /// The upgrade request is wrong.
    #[error("the WebSocket upgrade failed: {0}")]
    Upgrade(String),
    /// The QUIC handshake, or what has to follow it, failed.
    #[error("the QUIC handshake failed: {0}")]
    Quic(String),
    /// The TLS handshake failed.
    #[error("the TLS handshake failed: {0}")]
    Tls(io::Error),
    /// The socket broke.
    #[error("the connection was lost in the handshake: {0}")]
    Lost(#[from] io::Error),
}

impl AcceptError {
    /// Whether anything went wrong: who only asked for the discovery document has what they wanted.
    pub fn is_failure(&self) -> bool {
        !matches!(self, Self::NotUpgrade { status: 200 })
    }
}

/// Why a client could not connect.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The address makes no sense.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// `wss://` or `quic://` without certificates to trust.
    #[error(
        "{url} needs TLS, and no roots were given: set `ClientOptions::tls`, or with QUIC name the server's certificate in the address"
    )]
    NoRoots {
        /// Where to.
        url: String,
    },
    /// The handshake was not done in time.
    #[error("{url} did not answer within {after:?}")]
    Timeout {
        /// Where to.
        url: String,
        /// The limit.
        after: Duration,
    },
    /// The server can't be reached.
    #[error("can't reach {url}: {error}; is the server running?")]
    Unreachable {
        /// Where to.
        url: String,
        /// What the system said.
        error: io::Error,
    },
    /// The TLS handshake failed.
    #[error("{url} did not pass TLS: {error}")]
    Tls {
        /// Where to.
        url: String,
        /// What rustls said.
        error: io::Error,
    },
    /// The server is there, and does not speak WebSocket at this address.
    #[error("{url} refused the WebSocket upgrade: {reason}")]
    Upgrade {
        /// Where to.
        url: String,
        /// What is wrong with its answer.
        reason: String,
    },
    /// There is no QUIC connection to be had.
    #[error("{url} gave no QUIC connection: {reason}")]
    Quic {
        /// Where to.
        url: String,
        /// What is wrong.
        reason: String,
    },
}

/// Why a TLS configuration could not be made.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The PEM text is not what it should be.
    #[error("the {what} is not valid PEM: {reason}")]
    Pem {
        /// Which text.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// rustls does not accept it.
    #[error("the certificate or key can't be used: {0}")]
    Rustls(#[from] rustls::Error),
    /// A certificate for development could not be made.
    #[error("can't make a self-signed certificate: {0}")]
    SelfSigned(#[from] rcgen::Error),
    /// QUIC can't use it.
    #[error("the TLS configuration is not for QUIC: {0}")]
    NotForQuic(String),
}
