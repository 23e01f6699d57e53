//! How a client connects.

use std::time::Duration;

use evertick_protocol::REPLICA_BYTES_MAX;
use evertick_schema::ModuleDescription;
use evertick_transport::{ClientOptions, Conditions};

use crate::reconnect::Reconnect;
use crate::ticket::Ticket;

/// How a client connects.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// What the server's authentication makes an identity of; at most 4096 bytes.
    pub token: Vec<u8>,
    /// The module's description, if the client knows it. A server with another one, and every server when this is
    /// `None`, sends its own.
    pub module: Option<ModuleDescription>,
    /// Asks for every frame as soon as it is made, before the server's disk has what it tells: results of calls arrive
    /// sooner by the time of a disk write. After a crash of the server's machine, some of what was seen may never have
    /// happened.
    pub unconfirmed: bool,
    /// Never tries QUIC with a `ws://` or `wss://` address.
    pub websocket_only: bool,
    /// TLS roots and the connection's limits.
    pub transport: ClientOptions,
    /// How long the server may take to answer the Hello.
    pub hello_time_max: Duration,
    /// How often the server is asked for the time, which also measures the round trip.
    pub ping_interval: Duration,
    /// Frames that a stream of changes or events keeps for a slow reader.
    pub stream_frames_max: usize,
    /// The most bytes of rows that the replica holds.
    pub replica_bytes_max: usize,
    /// What to do when the connection is lost; `None` ends the session then.
    pub reconnect: Option<Reconnect>,
    /// The session to go on with, of an earlier [`Client::ticket`](crate::Client::ticket). When the server does not have it
    /// any more, a new one is opened.
    pub ticket: Option<Ticket>,
    /// Makes the network worse than it is, for development and tests.
    pub conditions: Option<Conditions>,
}

impl ConnectOptions {
    /// With this token, and defaults for the rest.
    pub fn new(token: impl Into<Vec<u8>>) -> Self {
        Self { token: token.into(), ..Self::default() }
    }
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            token: Vec::new(),
            module: None,
            unconfirmed: false,
            websocket_only: false,
            transport: ClientOptions::default(),
            hello_time_max: Duration::from_secs(10),
            ping_interval: Duration::from_secs(1),
            stream_frames_max: 256,
            replica_bytes_max: REPLICA_BYTES_MAX,
            reconnect: Some(Reconnect::default()),
            ticket: None,
            conditions: None,
        }
    }
}
