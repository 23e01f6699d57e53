//! The client's side of QUIC.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use quinn::ConnectionError;
use web_transport_quinn::Session;

use super::arriving::Side;
use super::config::client_config;
use super::connection::QuicConnection;
use super::framing::CONTROL;
use super::socket::bind;
use crate::certificate::client_for;
use crate::client::ClientOptions;
use crate::connection::Connection;
use crate::error::ConnectError;
use crate::url::Url;

/// A name may have many addresses; no more than these are tried.
const ADDRESSES_MAX: usize = 4;

/// The head start of an address before the next: UDP says nothing when nobody is there (RFC 8305).
const ADDRESS_HEAD_START: Duration = Duration::from_millis(250);

/// A UDP port that many connections of one process share: for bots and load tests, where a socket for each costs more than what it
/// receives. A client that moves to another network moves with all its connections.
#[derive(Clone, Debug)]
pub struct QuicSocket(quinn::Endpoint);

impl QuicSocket {
    /// Binds a port at this address, of the family of the servers' addresses; port 0 is any that is free. Within a tokio runtime, which
    /// must outlive the connections.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let (socket, _) = bind(address)?;
        let runtime = Arc::new(quinn::TokioRuntime);
        quinn::Endpoint::new(quinn::EndpointConfig::default(), None, socket, runtime).map(Self)
    }
}

/// Connects to a QUIC port: the handshake, and the start of the stream with the messages.
pub(crate) async fn connect(url: &Url, options: &ClientOptions) -> Result<Box<dyn Connection>, ConnectError> {
    let unreachable = |error| ConnectError::Unreachable { url: url.to_string(), error };
    let failed = |reason: String| ConnectError::Quic { url: url.to_string(), reason };
    let tls = match (&url.certificate, &options.tls) {
        (Some(hash), _) => client_for(*hash).map_err(|error| failed(error.to_string()))?,
        (None, Some(tls)) => (**tls).clone(),
        (None, None) => return Err(ConnectError::NoRoots { url: url.to_string() }),
    };
    let config = client_config(&tls, &options.limits).map_err(|error| failed(error.to_string()))?;
    let found = tokio::net::lookup_host((url.host.as_str(), url.port)).await.map_err(unreachable)?;
    let mut attempts: FuturesUnordered<_> = (0..)
        .zip(found.take(ADDRESSES_MAX))
        .map(|(number, address)| {
            let config = config.clone();
            async move {
                tokio::time::sleep(ADDRESS_HEAD_START * number).await;
                attempt(address, url, config, options).await
            }
        })
        .collect();
    let mut last = unreachable(io::Error::new(io::ErrorKind::NotFound, "the name has no addresses"));
    while let Some(result) = attempts.next().await {
        match result {
            Ok(connection) => return Ok(connection),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn attempt(
    address: SocketAddr,
    url: &Url,
    config: quinn::ClientConfig,
    options: &ClientOptions,
) -> Result<Box<dyn Connection>, ConnectError> {
    let unreachable = |error| ConnectError::Unreachable { url: url.to_string(), error };
    let failed = |error: &dyn std::fmt::Display| ConnectError::Quic {
        url: url.to_string(),
        reason: error.to_string(),
    };
    let any = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let endpoint = match &options.quic_socket {
        Some(QuicSocket(shared)) => shared.clone(),
        None => quinn::Endpoint::client(SocketAddr::new(any, 0)).map_err(unreachable)?,
    };
    let connecting = endpoint.connect_with(config, address, &url.host).map_err(|error| failed(&error))?;
    let connection = connecting.await.map_err(|error| match error {
        ConnectionError::TransportError(error) if is_tls(error.code) => {
            ConnectError::Tls { url: url.to_string(), error: io::Error::other(error.reason) }
        }
        other => failed(&other),
    })?;
    let session = Session::raw(connection);
    let (mut writer, reader) = session.open_bi().await.map_err(|error| failed(&error))?;
    writer.write_all(&[CONTROL]).await.map_err(|error| failed(&error))?;
    Ok(Box::new(QuicConnection::new(
        Side::Client,
        session,
        (writer, reader),
        &options.limits,
        Some(endpoint),
        None,
    )))
}

/// Whether a handshake failed for what TLS says: QUIC carries its alerts as errors from 0x100.
fn is_tls(code: quinn::TransportErrorCode) -> bool {
    (0x100..0x200).contains(&u64::from(code))
}
