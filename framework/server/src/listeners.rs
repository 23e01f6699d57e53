//! Which ports a server opens, and what they tell of each other.

use std::sync::Arc;

use evertick_transport::tls::ServerConfig;
use evertick_transport::{Discovery, Listener, ListenerOptions, QuicCertificate, QuicOptions};

use crate::check::count;
use crate::error::{Error, Result};

/// The addresses that a builder was given.
pub(crate) struct Ports {
    pub(crate) websocket: Vec<String>,
    pub(crate) quic: Vec<String>,
    /// For all of them.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// Of QUIC: see [`QuicOptions`].
    pub(crate) unvalidated_handshakes_max: usize,
}

/// More handshakes than these are a flood.
const UNVALIDATED_HANDSHAKES_MAX: u64 = 64 * 1024;

impl Default for Ports {
    fn default() -> Self {
        let QuicOptions { unvalidated_handshakes_max, .. } = QuicOptions::default();
        Self { websocket: Vec::new(), quic: Vec::new(), tls: None, unvalidated_handshakes_max }
    }
}

impl Ports {
    /// Whether there is a way in.
    pub(crate) fn check(&self) -> Result<()> {
        if self.websocket.is_empty() && self.quic.is_empty() { Err(Error::NoListener) } else { Ok(()) }
    }

    pub(crate) fn check_settings(&self) -> Result<()> {
        let handshakes = self.unvalidated_handshakes_max as u64;
        count("unvalidated_handshakes_max", handshakes, 0..=UNVALIDATED_HANDSHAKES_MAX)
    }

    /// Opens all ports: those of WebSockets, which tell of the others, then those of QUIC.
    pub(crate) fn bind(&self, bounds: &ListenerOptions) -> Result<Vec<Listener>> {
        let quic_options = QuicOptions {
            certificate: match &self.tls {
                Some(tls) => QuicCertificate::Signed(Arc::clone(tls)),
                None => QuicCertificate::DEVELOPMENT,
            },
            limits: bounds.limits,
            connections_max: bounds.connections_max,
            unvalidated_handshakes_max: self.unvalidated_handshakes_max,
        };
        let quic = self.quic.iter().map(|address| Listener::bind_quic(address, quic_options.clone()));
        let quic = quic.collect::<Result<Vec<_>, _>>()?;
        let discovery = Discovery { quic: quic.iter().filter_map(Listener::quic_offer).cloned().collect() };
        let options = ListenerOptions { tls: self.tls.clone(), discovery, ..bounds.clone() };
        let websocket = self.websocket.iter().map(|address| Listener::bind(address, options.clone()));
        let mut all = websocket.collect::<Result<Vec<_>, _>>()?;
        all.extend(quic);
        Ok(all)
    }
}
