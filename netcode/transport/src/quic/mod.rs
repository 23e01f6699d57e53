//! QUIC: native clients, and browsers by WebTransport, on one UDP port.
//!
//! ```text
//!  ALPN evertick/1 ── QUIC ───────────────────┐
//!                                             ├─► Session ── streams and datagrams ── lanes of a Connection
//!  ALPN h3 ── QUIC ── HTTP/3 CONNECT ─────────┘
//! ```
//!
//! `web-transport-quinn` gives both the same `Session` type, so everything above the handshake is one code path. What is on which
//! stream tells [`connection`], how whole messages are made of a stream's bytes [`framing`].

mod arriving;
pub(crate) mod client;
mod config;
mod connection;
mod faults;
mod framing;
mod incoming;
mod latest;
pub(crate) mod listener;
mod outgoing;
mod socket;

pub use client::QuicSocket;
pub use config::{QuicCertificate, QuicOptions};
