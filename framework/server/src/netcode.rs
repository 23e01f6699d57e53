//! What a studio sets of the netcode, call by call. Each sets a field of [`GatewayConfig`](crate::GatewayConfig),
//! [`HostConfig`](crate::HostConfig) or [`ListenerOptions`](crate::ListenerOptions), which have the rarer ones too.

use std::time::Duration;

use evertick_transport::KeepAlive;

use crate::builder::ServerBuilder;

/// Intervals of silence after which a client counts as gone: it is asked twice before.
const SILENT_INTERVALS_MAX: u32 = 3;

/// Settings of the netcode. Their bounds are checked by [`start`](ServerBuilder::start).
impl ServerBuilder {
    /// The byte budget of a session: bytes a second that it is sent in the long run, without the transport's framing. What is ordered
    /// (who comes and goes, results, values at rest) is always sent; what moves gets what is left, the nearest first. 64 KiB by default;
    /// 2 KiB to 1 GiB, or 0: no budget.
    pub fn bytes_per_second(mut self, bytes: u32) -> Self {
        self.gateway.limits.bytes_per_second = bytes;
        self
    }

    /// Bytes that a session may be sent at once beyond its budget, as for the first view of the world. 32 KiB by default; 2 KiB to 1 GiB.
    pub fn bytes_burst(mut self, bytes: u32) -> Self {
        self.gateway.limits.bytes_burst = bytes;
        self
    }

    /// How long a session is kept whose connection was lost, so that its client can go on with it; its `disconnect` reducer runs after that.
    /// 60 s by default, an hour at most; 0: it is over at once.
    pub fn resume_time(mut self, time: Duration) -> Self {
        self.gateway.limits.resume_time = time;
        self
    }

    /// Sessions without a connection that are kept, all together; with more, a lost connection ends its session. 16,384 by default,
    /// a million at most.
    pub fn parked_sessions_max(mut self, sessions: usize) -> Self {
        self.gateway.parked_sessions_max = sessions;
        self
    }

    /// Sessions that may be open, parked ones included; further ones are told that the world is full. 100,000 by default; 1 to a million.
    pub fn sessions_max(mut self, sessions: usize) -> Self {
        self.host.sessions_max = sessions;
        self
    }

    /// Connections of a listener at the same time, those in their handshake included. 10,000 by default; 1 to a million.
    pub fn connections_max(mut self, connections: usize) -> Self {
        self.connection.connections_max = connections;
        self
    }

    /// Calls (and queries) of a session: so many a second in the long run, so many at once. 60 and 120 by default; each 1 to a million.
    pub fn calls_per_second(mut self, calls: u32, burst: u32) -> Self {
        (self.gateway.limits.calls_per_second, self.gateway.limits.calls_burst) = (calls, burst);
        self
    }

    /// Calls of a session that have no result yet; more are answered with `Busy`. 256 by default; 1 to 65,536.
    pub fn calls_in_flight_max(mut self, calls: u32) -> Self {
        self.gateway.limits.calls_in_flight_max = calls;
        self
    }

    /// Messages of inputs a second, and inputs handed on, of a session; twice as many at once. A client sends one message a tick, so
    /// give several times the tick rate. 120 by default; 1 to a million.
    pub fn inputs_per_second(mut self, inputs: u32) -> Self {
        self.gateway.limits.inputs_per_second = inputs;
        self
    }

    /// Bytes that wait for a client which reads slowly. Above `soft` it is sent nothing that moves; above `behind`, nothing that has a place,
    /// and all that anew when it has caught up; above `most`, it is closed as too slow. 64 KiB, 256 KiB and 4 MiB by default; 1 KiB to 1 GiB.
    pub fn outgoing_bytes(mut self, soft: usize, behind: usize, most: usize) -> Self {
        let limits = &mut self.gateway.limits;
        (limits.outgoing_bytes_soft, limits.outgoing_bytes_behind) = (soft, behind);
        limits.outgoing_bytes_max = most;
        self
    }

    /// The largest message from a client, in bytes. 64 KiB by default; 1 KiB to 16 MiB.
    pub fn message_bytes_max(mut self, bytes: usize) -> Self {
        self.connection.limits.message_bytes_max = bytes;
        self
    }

    /// Silence after which a connection counts as lost; its client is asked twice before. 30 s by default; 1 s to 10 minutes.
    pub fn silence_max(mut self, time: Duration) -> Self {
        // Rounded up, so that all of them are no shorter than the time.
        let interval = (time + Duration::from_nanos(SILENT_INTERVALS_MAX.into()) - Duration::from_nanos(1))
            / SILENT_INTERVALS_MAX;
        self.connection.limits.keep_alive =
            KeepAlive { interval, silent_intervals_max: SILENT_INTERVALS_MAX };
        self
    }

    /// The gateway's threads. One for every two cores by default; 1 to 256. A QUIC port and its connections stay on one of them.
    pub fn shards(mut self, threads: usize) -> Self {
        self.gateway.shards = threads;
        self
    }

    /// The time over which a frame is handed to the sessions of a thread that has more than 256: so much later than the first the last one
    /// sees the world, and so much less bursty the network is. 7 ms by default, one second at most; no more than half a tick is used.
    pub fn spread_time(mut self, time: Duration) -> Self {
        self.gateway.spread_time = time;
        self
    }

    /// QUIC handshakes at the same time beyond which a client must first show that its address is its own: a round trip more for
    /// it, and nothing to gain for a flood with forged addresses. 64 by default; 0 to 65,536, where 0 asks everybody.
    pub fn unvalidated_handshakes_max(mut self, handshakes: usize) -> Self {
        self.ports.unvalidated_handshakes_max = handshakes;
        self
    }
}
