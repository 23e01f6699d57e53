//! What a server counts, all of it.

use std::sync::Arc;

use evertick_gateway::{Metrics, MetricsSnapshot};
use evertick_host::{HostMetrics, HostSnapshot};

/// The counters of a server at one moment.
#[derive(Clone, Debug)]
pub struct ServerSnapshot {
    /// Of the loop that owns the world.
    pub host: HostSnapshot,
    /// Of the sessions.
    pub gateway: MetricsSnapshot,
}

impl ServerSnapshot {
    /// Every number with its name, such as `host.ticks` or `gateway.staleness_us.p99`, for whoever collects them. `docs/studios.md` says what
    /// each means.
    pub fn values(&self) -> Vec<(String, f64)> {
        let host = self.host.values().map(|(name, value)| (format!("host.{name}"), value));
        let gateway = self.gateway.values().map(|(name, value)| (format!("gateway.{name}"), value as f64));
        host.chain(gateway).collect()
    }
}

/// Where a server counts.
#[derive(Clone, Debug)]
pub(crate) struct ServerMetrics {
    pub(crate) host: Arc<HostMetrics>,
    pub(crate) gateway: Arc<Metrics>,
}

impl ServerMetrics {
    pub(crate) fn snapshot(&self) -> ServerSnapshot {
        ServerSnapshot { host: self.host.snapshot(), gateway: self.gateway.snapshot() }
    }
}
