//! What the gateway counts.

use std::sync::Arc;

use evertick_metrics::{Counter, Recent, Spread};

/// One of something, counted for as long as it lives.
pub(crate) struct Counted {
    metrics: Arc<Metrics>,
    of: fn(&Metrics) -> &Counter,
}

impl Counted {
    /// Counts one more of what `of` counts.
    pub(crate) fn new(metrics: &Arc<Metrics>, of: fn(&Metrics) -> &Counter) -> Self {
        of(metrics).add(1);
        Self { metrics: Arc::clone(metrics), of }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.of)(&self.metrics).sub(1);
    }
}

/// Close codes and how many there are of them: `closes[code]`; 0 stands for connections that broke or that the client
/// ended without a word.
pub const CLOSE_CODES: usize = 13;

/// What [`MetricsSnapshot::values`] calls them.
const CLOSE_NAMES: [&str; CLOSE_CODES] = [
    "gone",
    "normal",
    "bad_message",
    "too_large",
    "flooding",
    "too_slow",
    "unauthorized",
    "unsupported",
    "shutdown",
    "internal",
    "timeout",
    "replaced",
    "expired",
];

macro_rules! metrics {
    (
        counters { $($(#[doc = $doc:literal])+ $name:ident,)+ }
        gathered { $($(#[doc = $gathered_doc:literal])+ $gathered:ident,)+ }
        recent { $($(#[doc = $recent_doc:literal])+ $recent:ident,)+ }
    ) => {
        /// What the gateway counts, shared by its threads. All counters but `sessions_open`, `sessions_parked`, `sessions_behind` and
        /// `connections_open` only grow.
        #[derive(Debug, Default)]
        pub struct Metrics {
            $($(#[doc = $doc])+ pub $name: Counter,)+
            $($(#[doc = $gathered_doc])+ pub $gathered: Counter,)+
            $($(#[doc = $recent_doc])+ pub $recent: Recent,)+
            /// Ends of sessions and of connections that never became one, by close code; see [`CLOSE_CODES`].
            pub closes: [Counter; CLOSE_CODES],
        }

        /// The counters at one moment (each by itself: they are not read all at once).
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct MetricsSnapshot {
            $($(#[doc = $doc])+ pub $name: u64,)+
            $($(#[doc = $gathered_doc])+ pub $gathered: u64,)+
            $($(#[doc = $recent_doc])+ pub $recent: Spread,)+
            /// Ends of sessions and of connections that never became one, by close code; see [`CLOSE_CODES`].
            pub closes: [u64; CLOSE_CODES],
        }

        impl Metrics {
            /// The numbers now.
            pub fn snapshot(&self) -> MetricsSnapshot {
                MetricsSnapshot {
                    $($name: self.$name.get(),)+
                    $($gathered: self.$gathered.get(),)+
                    $($recent: self.$recent.spread(),)+
                    closes: std::array::from_fn(|code| self.closes[code].get()),
                }
            }
        }

        impl MetricsSnapshot {
            /// Every number with its name: counters under theirs, those that are spread as `name.p50` and so on, ends as `closes.code`.
            pub fn values(&self) -> impl Iterator<Item = (String, u64)> {
                let counters =
                    [$((stringify!($name), self.$name),)+ $((stringify!($gathered), self.$gathered),)+];
                let counters = counters.into_iter().map(|(name, value)| (name.to_owned(), value));
                let recent = [$((stringify!($recent), self.$recent),)+];
                let recent = recent.into_iter().flat_map(|(name, spread)| spread.values(name));
                let closes = CLOSE_NAMES.into_iter().zip(self.closes);
                let closes = closes.map(|(name, count)| (format!("closes.{name}"), count));
                counters.chain(recent).chain(closes)
            }
        }

        /// What handing out frames adds to the counters of these names, gathered by one thread: for each session and frame, telling the
        /// shared counters would cost more than packing.
        #[derive(Debug, Default)]
        pub(crate) struct Tally {
            $(pub(crate) $gathered: u64,)+
        }

        impl Tally {
            /// Adds what was gathered to `metrics`, and begins anew.
            pub(crate) fn tell(&mut self, metrics: &Metrics) {
                let Self { $($gathered,)+ } = std::mem::take(self);
                $(if $gathered > 0 {
                    metrics.$gathered.add($gathered);
                })+
            }
        }
    };
}

metrics! {
    counters {
    /// Connections that exist now, those without a session yet included.
    connections_open,
    /// Sessions that exist now, parked ones included.
    sessions_open,
    /// Sessions without a connection, which are kept for their clients to come back.
    sessions_parked,
    /// Sessions with a connection to which topics are not sent at present, because they are beyond its byte budget or it reads too slowly.
    sessions_behind,
    /// Sessions that were opened.
    sessions_opened,
    /// Connections beyond their listener's limit.
    connections_turned_away,
    /// Connections that failed in TCP, TLS or the HTTP upgrade.
    handshakes_failed,
    /// Connections dropped because every shard had too many waiting for it.
    arrivals_dropped,
    /// Hellos whose token proved nothing.
    unauthorized,
    /// Frames that the world published.
    frames_published,
    /// Frames that a shard lost because it was too far behind; each such loss closed its sessions.
    frames_lost,
    /// Sessions that were closed because their shard had lost a frame.
    sessions_lost_frames,
    /// Messages from clients.
    messages_in,
    /// Their bytes, without the transport's framing.
    bytes_in,
    /// Calls that went to the host.
    calls_forwarded,
    /// Calls that succeeded.
    calls_ok,
    /// Calls that the module's logic refused.
    calls_refused,
    /// Calls that failed in the host.
    calls_failed,
    /// Calls answered `RateLimited`.
    calls_rate_limited,
    /// Calls answered `Busy`: the host's inbox was full, or the session had too many calls in flight.
    calls_busy,
    /// Calls that the session had taken already: its client had come back, and sent them again.
    calls_doubled,
    /// Pings that were answered.
    pings,
    /// Bytes of ordered blocks as the world encodes them, once for all who see them.
    encoded_ordered,
    /// Bytes of events as the world encodes them, once.
    encoded_events,
    /// Bytes of states as the world encodes them, once.
    encoded_states,
    /// Messages of states that a connection had taken and dropped because they waited too long to be sent. Counted with reports.
    datagrams_dropped,
    /// Messages from clients by datagram that were dropped: they were malformed, or of a kind that must not be lost.
    datagrams_refused,
    /// Inputs that went to the host.
    inputs_forwarded,
    /// Inputs that had come before: each is sent several times.
    inputs_doubled,
    /// Forwarded inputs that came after their tick had started, as far as the gateway can tell.
    inputs_late,
    /// Inputs beyond the rate, of too many reducers, or while the host's inbox was full.
    inputs_refused,
    /// Subscriptions that were refused before they came to the host: beyond the rate, or its inbox was full.
    queries_refused,
    /// Sessions that went on over another connection.
    resumes,
    /// Hellos that asked for a session which is not kept any more, or with the wrong secret.
    resumes_refused,
    /// Connections that were lost with more sessions parked than are kept; these sessions ended.
    parks_refused,
    /// Sessions that nobody came back for in time.
    parks_expired,
    /// Reports of clients that were taken.
    reports,
    /// State messages that clients reported to have received.
    reported_states_received,
    /// State messages that clients reported to have lost.
    reported_states_lost,
    }
    // Those that `Tally` gathers.
    gathered {
    /// Messages queued for clients.
    messages_out,
    /// Their bytes, without the transport's framing.
    bytes_out,
    /// Bytes of what is ordered but for snapshots and events: roster changes, whole rows, rest values, results, message heads.
    bytes_ordered,
    /// Bytes of snapshots, as they were sent.
    bytes_snapshots,
    /// Bytes of events.
    bytes_events,
    /// Bytes of states that go at full rate: the nearest, and those of topics without a place.
    bytes_states_full,
    /// Bytes of states that go every second tick.
    bytes_states_half,
    /// Bytes of states that go every fourth tick.
    bytes_states_quarter,
    /// States that were due and were not sent because the session's byte budget was used up, or its client reads too slowly.
    states_over_budget,
    /// States that were due and were not sent because the datagram buffer had no room for them.
    states_without_room,
    /// Messages of states that were sent as datagrams, or alone when they were too long for one.
    datagrams_out,
    /// Topics that a session was not sent when it should have been: beyond its byte budget, or its client read too slowly.
    topics_behind,
    /// Topics that the host was asked to send anew, to sessions that were behind or have come back; all of a session count as one.
    resyncs,
    }
    recent {
    /// How old what clients show is, in microseconds: the 99th percentile since each one's last report, of the reports of the last ten seconds.
    staleness_us,
    /// The time to a client and back, in microseconds, of the same reports.
    round_trip_us,
    /// How much that time varies, in microseconds, of the same reports.
    jitter_us,
    /// How much of its byte budget a session was sent between two reports, in thousandths; what is ordered may take it beyond 1000. Nothing while
    /// there is no budget.
    budget_use_permille,
    }
}

#[cfg(test)]
mod tests {
    use evertick_protocol::CloseCode;

    use super::*;

    #[test]
    fn a_snapshot_is_what_was_counted() {
        let metrics = Metrics::default();
        metrics.bytes_out.add(5);
        metrics.sessions_open.add(2);
        metrics.sessions_open.sub(1);
        metrics.closes[4].add(1);
        let snapshot = metrics.snapshot();
        assert_eq!((snapshot.bytes_out, snapshot.sessions_open, snapshot.closes[4]), (5, 1, 1));
        let values: Vec<_> = snapshot.values().collect();
        for (name, value) in [("bytes_out", 5), ("closes.flooding", 1), ("staleness_us.count", 0)] {
            assert!(values.contains(&(name.to_owned(), value)), "{name}: {values:?}");
        }
        let named = |code: CloseCode| CLOSE_NAMES[code as usize];
        assert_eq!(
            [CloseCode::Normal, CloseCode::TooSlow, CloseCode::Expired].map(named),
            ["normal", "too_slow", "expired"]
        );
    }
}
