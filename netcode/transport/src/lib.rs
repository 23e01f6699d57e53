//! Connections that carry whole binary messages: QUIC, WebTransport, WebSocket over TCP (TLS optional), and an in-memory loopback.
//!
//! Everything above this crate sees one trait, [`Connection`], and never a socket:
//!
//! ```text
//!  Listener ── accept() ─► Incoming ── upgrade() ─┐
//!  connect(url), connect_best(url)  ──────────────┼─► Box<dyn Connection>: send · flush · recv · close
//!  loopback()  ───────────────────────────────────┘
//! ```
//!
//! What holds for every connection:
//!
//! * [`Connection::send`] never blocks and never writes: it queues. [`Connection::poll_flush`] writes as much as the
//!   peer takes. Whoever sends looks at [`Connection::queued`] and decides how much waiting data is too much;
//!   apart from answers to pings, which have a bound of their own, nothing else grows the queue.
//! * A message is received whole or not at all, and never larger than the limit given.
//! * A connection belongs to one task at a time. Several places may poll it, with wakers of that task only.
//! * Messages go on a [`Lane`]: order holds within control and within the world; the latest may get lost.
//! * There is no compression: game frames are bit-packed and would grow.
//!
//! * [`simulate`] puts a bad network around any connection: latency, loss, what comes twice or out of order.
//!
//! This crate knows nothing of game state: what is in a message, who is connected and what they may do is decided above.

mod certificate;
mod client;
mod connection;
mod dial;
mod discovery;
mod error;
mod http;
mod limits;
mod listener;
mod loopback;
mod quic;
mod simulate;
mod sink;
mod tcp;
pub mod tls;
mod url;
mod websocket;
mod wire;

pub use certificate::{BadCertificateHash, CertificateHash};
pub use client::{ClientOptions, connect};
pub use connection::{Connection, ConnectionExt, Datagrams, Lane, Peer, Queued, Signals};
pub use dial::connect_best;
pub use discovery::{Discovery, QuicOffer};
pub use error::{AcceptError, CloseReason, ConnectError, ListenError, TlsError, TransportError, TurnedAway};
pub use limits::{KeepAlive, Limits};
pub use listener::{Acceptor, Incoming, LastPackets, Listener};
pub use loopback::{Loopback, loopback};
pub use quic::{QuicCertificate, QuicOptions, QuicSocket};
pub use simulate::{Conditions, simulate};
pub use sink::Sink;
pub use tcp::ListenerOptions;
pub use url::{Scheme, Url, UrlError};
