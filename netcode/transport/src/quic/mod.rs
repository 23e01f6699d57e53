//! QUIC: native clients, and browsers by WebTransport, on one UDP port.
//!
//! ```text
//!  ALPN evertick/1 ── QUIC ───────────────────┐
//!                                             ├─► Session ── one bidirectional stream, opened by the client ─► Connection
//!  ALPN h3 ── QUIC ── HTTP/3 CONNECT ─────────┘
//! ```
//!
//! `web-transport-quinn` gives both the same `Session` type, so everything above the handshake is one code path. The one
//! stream carries all messages in order ([`framing`]). A second stream would only let messages of different order
//! overtake each other, and nothing here may be overtaken yet.

pub(crate) mod client;
mod config;
mod connection;
mod framing;
pub(crate) mod listener;

pub use config::{QuicCertificate, QuicOptions};
