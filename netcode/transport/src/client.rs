//! The client's side: from an address to a connection.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_websockets::ClientBuilder;

use crate::connection::{Connection, Peer};
use crate::error::ConnectError;
use crate::limits::Limits;
use crate::quic::{self, QuicSocket};
use crate::tcp::websocket_limits;
use crate::tls::ClientConfig;
use crate::url::{Scheme, Url};
use crate::websocket::{Role, WebSocket};
use crate::wire::Wire;

/// How a client connects.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// What to trust (see [`crate::tls::client`]); needed for `wss://`, and for `quic://` without a fingerprint.
    pub tls: Option<Arc<ClientConfig>>,
    /// Bounds of the connection.
    pub limits: Limits,
    /// What `quic://` goes over; `None` is a socket for each connection.
    pub quic_socket: Option<QuicSocket>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self { tls: None, limits: Limits::CLIENT, quic_socket: None }
    }
}

/// Connects to `ws://host:port/path` or `wss://…` (TCP, TLS and the WebSocket upgrade) or to `quic://host:port`, within
/// `handshake_time_max`.
pub async fn connect(url: &str, options: &ClientOptions) -> Result<Box<dyn Connection>, ConnectError> {
    let url: Url = url.parse()?;
    let after = options.limits.handshake_time_max;
    let connected = async {
        match url.scheme {
            Scheme::Quic => Box::pin(quic::client::connect(&url, options)).await,
            Scheme::Ws | Scheme::Wss => Box::pin(shake_hands(&url, options)).await,
        }
    };
    match tokio::time::timeout(after, connected).await {
        Ok(result) => result,
        Err(_) => Err(ConnectError::Timeout { url: url.to_string(), after }),
    }
}

async fn shake_hands(url: &Url, options: &ClientOptions) -> Result<Box<dyn Connection>, ConnectError> {
    let unreachable = |error| ConnectError::Unreachable { url: url.to_string(), error };
    let stream = TcpStream::connect((url.host.as_str(), url.port)).await.map_err(unreachable)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    let peer = Peer::Socket(stream.peer_addr().map_err(unreachable)?);
    if url.scheme == Scheme::Ws {
        return upgrade(stream, url, peer, &options.limits).await;
    }
    let config = options.tls.clone().ok_or_else(|| ConnectError::NoRoots { url: url.to_string() })?;
    let failed = |error| ConnectError::Tls { url: url.to_string(), error };
    let name =
        ServerName::try_from(url.host.clone()).map_err(|error| failed(std::io::Error::other(error)))?;
    let stream = TlsConnector::from(config).connect(name, stream).await.map_err(failed)?;
    upgrade(stream, url, peer, &options.limits).await
}

async fn upgrade<S>(
    stream: S,
    url: &Url,
    peer: Peer,
    limits: &Limits,
) -> Result<Box<dyn Connection>, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let refused = |reason: String| ConnectError::Upgrade { url: url.to_string(), reason };
    let builder = ClientBuilder::new()
        .uri(&url.to_string())
        .map_err(|error| refused(error.to_string()))?
        .limits(websocket_limits(limits));
    let (stream, _) =
        builder.connect_on(Wire::new(stream)).await.map_err(|error| refused(error.to_string()))?;
    Ok(Box::new(WebSocket::new(stream, Role::Client, peer, limits, None)))
}
