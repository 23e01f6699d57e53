//! What quinn is told: limits, windows, times.

use std::sync::Arc;
use std::time::Duration;

use quinn::congestion::CubicConfig;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{IdleTimeout, TransportConfig, VarInt};

use super::arriving::Side;
use crate::error::TlsError;
use crate::limits::{KeepAlive, Limits};
use crate::tls::{ClientConfig, ServerConfig};

/// What native clients speak.
const ALPN_NATIVE: &[u8] = b"evertick/1";

/// What browsers speak: HTTP/3, and over it WebTransport.
const ALPN_BROWSER: &[u8] = web_transport_quinn::ALPN.as_bytes();

/// Streams in one direction that a peer may have open. HTTP/3 has three of its own each way; a server has the world and what is too
/// large for datagrams. quinn keeps state for each stream that may be opened, so 10,000 would cost 400 KiB a connection.
const UNI_STREAMS_MAX: VarInt = VarInt::from_u32(8);

/// Streams in both directions that a client may open: the control stream, and a browser's session.
const CLIENT_BIDI_STREAMS_MAX: VarInt = VarInt::from_u32(4);

/// The same for a server, which opens none.
const SERVER_BIDI_STREAMS_MAX: VarInt = VarInt::from_u32(0);

/// Bytes that a server takes from a client before they are read: a message of the usual limit, and all other streams.
const SERVER_RECEIVE_WINDOW: VarInt = VarInt::from_u32(128 * 1024);

/// The same for a client: what a long round trip needs to have in flight for the first view of a world.
const CLIENT_RECEIVE_WINDOW: VarInt = VarInt::from_u32(2 * 1024 * 1024);

/// Bytes that were written and not yet acknowledged, like a kernel's send buffer. More stays queued above quinn, where it is
/// seen as what a client does not keep up with.
const SEND_WINDOW: u64 = 256 * 1024;

/// Congestion window at the start: about what a game sends in a round trip, so that the first frames need not wait.
const INITIAL_WINDOW: u64 = 32 * 1200;

/// Datagrams that wait to be sent, in bytes: some frames' worth, and what waits longest is dropped first. quinn's default of 1 MiB would be
/// seconds of stale state.
const DATAGRAM_SEND_BYTES_MAX: usize = 16 * 1024;

/// Datagrams that wait to be read, the oldest of which make room for newer ones: inputs at a server, states at a client.
const SERVER_DATAGRAM_RECEIVE_BYTES_MAX: usize = 8 * 1024;
const CLIENT_DATAGRAM_RECEIVE_BYTES_MAX: usize = 64 * 1024;

/// Handshakes that wait to be taken up; more are refused.
const INCOMING_MAX: usize = 1024;

/// Early packets that one such handshake, and all together, may have waiting.
const INCOMING_BYTES_MAX: u64 = 16 * 1024;
const INCOMING_BYTES_TOTAL_MAX: u64 = 4 * 1024 * 1024;

/// How a QUIC listener listens.
#[derive(Clone, Debug)]
pub struct QuicOptions {
    /// Who the server is.
    pub certificate: QuicCertificate,
    /// Bounds of each connection.
    pub limits: Limits,
    /// Connections at the same time, those in their handshake included. More are refused.
    pub connections_max: usize,
    /// Handshakes at the same time beyond which a client must first show that its address is its own (QUIC's Retry, one
    /// round trip more). A flood with forged addresses then costs neither state nor signatures.
    pub unvalidated_handshakes_max: usize,
}

impl Default for QuicOptions {
    /// With a self-signed certificate.
    fn default() -> Self {
        Self {
            certificate: QuicCertificate::DEVELOPMENT,
            limits: Limits::SERVER,
            connections_max: 10_000,
            unvalidated_handshakes_max: 64,
        }
    }
}

/// The certificate of a QUIC listener; QUIC is never plaintext.
#[derive(Clone, Debug)]
pub enum QuicCertificate {
    /// One that clients trust for who signed it: see [`crate::tls::server_from_pem`].
    Signed(Arc<ServerConfig>),
    /// One that is made here, valid for 12 days and made anew as often as this, and that clients trust for its fingerprint,
    /// which they are told by the [`Discovery`](crate::Discovery). For development: whoever can
    /// change what a client is told can stand between.
    SelfSigned {
        /// How often a new one is made. An open connection goes on with the old one.
        renewed_after: Duration,
    },
}

impl QuicCertificate {
    /// A self-signed certificate, renewed every 6 days.
    pub const DEVELOPMENT: Self = Self::SelfSigned { renewed_after: Duration::from_hours(6 * 24) };
}

/// What the listener's `ALPN` picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoken {
    Native,
    WebTransport,
}

impl Spoken {
    pub(crate) fn of(alpn: &[u8]) -> Option<Self> {
        match alpn {
            ALPN_NATIVE => Some(Self::Native),
            ALPN_BROWSER => Some(Self::WebTransport),
            _ => None,
        }
    }
}

pub(crate) fn server_config(tls: &ServerConfig, limits: &Limits) -> Result<quinn::ServerConfig, TlsError> {
    let mut tls = tls.clone();
    tls.alpn_protocols = vec![ALPN_NATIVE.to_vec(), ALPN_BROWSER.to_vec()];
    let tls = QuicServerConfig::try_from(tls).map_err(|error| TlsError::NotForQuic(error.to_string()))?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(tls));
    config
        .transport_config(Arc::new(transport(Side::Server, &limits.keep_alive)))
        .migration(true)
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(INCOMING_BYTES_MAX)
        .incoming_buffer_size_total(INCOMING_BYTES_TOTAL_MAX);
    Ok(config)
}

pub(crate) fn client_config(tls: &ClientConfig, limits: &Limits) -> Result<quinn::ClientConfig, TlsError> {
    let mut tls = tls.clone();
    tls.alpn_protocols = vec![ALPN_NATIVE.to_vec()];
    let tls = QuicClientConfig::try_from(tls).map_err(|error| TlsError::NotForQuic(error.to_string()))?;
    let mut config = quinn::ClientConfig::new(Arc::new(tls));
    config.transport_config(Arc::new(transport(Side::Client, &limits.keep_alive)));
    Ok(config)
}

fn transport(side: Side, keep_alive: &KeepAlive) -> TransportConfig {
    let (receive_window, peer_bidi_streams_max, datagram_receive_bytes_max) = match side {
        Side::Server => (SERVER_RECEIVE_WINDOW, CLIENT_BIDI_STREAMS_MAX, SERVER_DATAGRAM_RECEIVE_BYTES_MAX),
        Side::Client => (CLIENT_RECEIVE_WINDOW, SERVER_BIDI_STREAMS_MAX, CLIENT_DATAGRAM_RECEIVE_BYTES_MAX),
    };
    let mut congestion = CubicConfig::default();
    congestion.initial_window(INITIAL_WINDOW);
    let mut config = TransportConfig::default();
    config
        .max_concurrent_bidi_streams(peer_bidi_streams_max)
        .max_concurrent_uni_streams(UNI_STREAMS_MAX)
        .stream_receive_window(receive_window)
        .receive_window(receive_window)
        .send_window(SEND_WINDOW)
        .datagram_send_buffer_size(DATAGRAM_SEND_BYTES_MAX)
        .datagram_receive_buffer_size(Some(datagram_receive_bytes_max))
        .congestion_controller_factory(Arc::new(congestion))
        .keep_alive_interval(Some(keep_alive.interval))
        .max_idle_timeout(idle_timeout(keep_alive));
    config
}

/// `None`, which is for ever, only when the time is beyond what the protocol can say.
fn idle_timeout(keep_alive: &KeepAlive) -> Option<IdleTimeout> {
    keep_alive.interval.saturating_mul(keep_alive.silent_intervals_max).try_into().ok()
}
