//! How much a connection may take: bytes, time and silence.

use std::time::Duration;

/// Bounds of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest message that is received, in bytes. A larger one ends the connection.
    pub message_bytes_max: usize,
    /// The time for TCP, TLS and the HTTP upgrade together.
    pub handshake_time_max: Duration,
    /// When a silent peer is asked, and when it is given up.
    pub keep_alive: KeepAlive,
}

impl Limits {
    /// For the server's side: a client sends small messages only.
    pub const SERVER: Self = Self {
        message_bytes_max: 64 * 1024,
        handshake_time_max: Duration::from_secs(10),
        keep_alive: KeepAlive::DEFAULT,
    };

    /// For the client's side: the first view of a world may be large.
    pub const CLIENT: Self = Self { message_bytes_max: 16 * 1024 * 1024, ..Self::SERVER };
}

/// How a half-open connection is found out: by asking, and by counting the questions that nobody answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// A peer that was silent for so long is sent a ping; must be above zero.
    pub interval: Duration,
    /// Silent intervals in a row after which the peer counts as gone.
    pub silent_intervals_max: u32,
}

impl KeepAlive {
    /// A ping after 10 s; given up after 30 s of silence.
    pub const DEFAULT: Self = Self { interval: Duration::from_secs(10), silent_intervals_max: 3 };
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self::DEFAULT
    }
}
