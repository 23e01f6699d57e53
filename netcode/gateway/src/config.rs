//! What a gateway is given: bounds, and what it tells new clients.

use std::time::Duration;

use bytes::Bytes;
use evertick_schema::{ModuleDescription, SchemaHash};

/// How a gateway is set up.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// I/O threads; at least 1.
    pub shards: usize,
    /// Bounds of a session.
    pub limits: SessionLimits,
    /// Frames that may wait for a shard. A shard that falls further behind closes all its sessions as too slow: frames carry
    /// changes of rosters that must not be lost, so there is no skipping one.
    pub frames_waiting_max: usize,
    /// Calls that a shard hands to the host at once. While the host's inbox is full, so many gather; further ones are
    /// answered with `Busy`.
    pub batch_len_max: usize,
    /// Connections that may wait for a shard to take them up.
    pub arrivals_waiting_max: usize,
    /// Sessions without a connection that are kept for their clients to come back, all together. Beyond that, a lost connection ends
    /// its session. Each has at most 256 KiB of results, and commonly next to nothing.
    pub parked_sessions_max: usize,
    /// A shard with more than 256 sessions hands them a frame over this time, in turns, so that neither the network nor the clients' messages
    /// see bursts; the last one sees the world so much later. Half a tick at most, whatever is said here. The work alone may take longer. 0: as
    /// fast as it goes.
    pub spread_time: Duration,
    /// The id of the first session. Ids count up from there; a server that must not see one again after a restart
    /// gives a number beyond the last.
    pub first_session: u64,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            shards: (cores / 2).max(1),
            limits: SessionLimits::default(),
            frames_waiting_max: 64,
            batch_len_max: 1024,
            arrivals_waiting_max: 1024,
            parked_sessions_max: 16 * 1024,
            spread_time: Duration::from_millis(7),
            first_session: 1,
        }
    }
}

/// What one session may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// The time from the finished handshake to the Hello, and from there to the host having taken the session up.
    pub hello_time_max: Duration,
    /// Calls per second, in the long run.
    pub calls_per_second: u32,
    /// Calls at once.
    pub calls_burst: u32,
    /// Calls beyond the rate that are answered with `RateLimited` (and forgiven at the rate) before the session is
    /// closed as flooding.
    pub calls_refused_max: u32,
    /// Calls without a result yet; more are answered with `Busy`.
    pub calls_in_flight_max: u32,
    /// Pings per second; bursts of twice as many. Those beyond are not answered, and twenty times as many are flooding.
    pub pings_per_second: u32,
    /// Input messages per second, and inputs handed on per second; bursts of twice as many. What is beyond is dropped, and twenty
    /// times as many messages are flooding.
    pub inputs_per_second: u32,
    /// Bytes per second that a session is sent, in the long run. What is ordered is always sent; states get what is left, the most
    /// urgent first. 0: no limit.
    pub bytes_per_second: u32,
    /// Bytes at once beyond that.
    pub bytes_burst: u32,
    /// Bytes that wait for a client to read them, above which it gets no states.
    pub outgoing_bytes_soft: usize,
    /// Bytes that wait for a client to read them, above which its topics with a place fall behind: they are not sent any more until
    /// the client has caught up, and are then sent anew.
    pub outgoing_bytes_behind: usize,
    /// Messages that may wait for a client to read them; with more, it is closed as too slow.
    pub outgoing_messages_max: usize,
    /// Bytes that may wait for a client to read them; with more, it is closed as too slow.
    pub outgoing_bytes_max: usize,
    /// How long a session is kept whose connection was lost, for its client to come back; 0: not at all.
    pub resume_time: Duration,
    /// How long a closed client has to take its last messages.
    pub linger: Duration,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            hello_time_max: Duration::from_secs(10),
            calls_per_second: 60,
            calls_burst: 120,
            calls_refused_max: 600,
            calls_in_flight_max: 256,
            pings_per_second: 10,
            inputs_per_second: 120,
            bytes_per_second: 64 * 1024,
            bytes_burst: 32 * 1024,
            outgoing_bytes_soft: 64 * 1024,
            outgoing_bytes_behind: 256 * 1024,
            outgoing_messages_max: 256,
            outgoing_bytes_max: 4 * 1024 * 1024,
            resume_time: Duration::from_secs(60),
            linger: Duration::from_secs(2),
        }
    }
}

/// What the gateway tells clients about the module that the server runs.
#[derive(Clone, Debug)]
pub struct ServerDescription {
    /// The canonical JSON of the module's description.
    pub json: Bytes,
    /// Its fingerprint.
    pub hash: SchemaHash,
    /// The length of a tick in microseconds.
    pub tick_us: u32,
}

impl ServerDescription {
    /// Of this module, at this tick length.
    pub fn new(module: &ModuleDescription, tick_us: u32) -> Self {
        let json = module.to_json();
        Self { hash: SchemaHash::of(&json), json: json.into(), tick_us }
    }
}
