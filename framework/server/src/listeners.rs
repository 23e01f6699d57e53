//! Which ports a server opens, and what they tell of each other.

use std::sync::Arc;

use evertick_transport::tls::ServerConfig;
use evertick_transport::{Discovery, Listener, ListenerOptions, QuicCertificate, QuicOptions};

use crate::error::{Error, Result};

/// The addresses that a builder was given.
#[derive(Default)]
pub(crate) struct Ports {
    pub(crate) websocket: Vec<String>,
    pub(crate) quic: Vec<String>,
    /// For all of them.
    pub(crate) tls: Option<Arc<ServerConfig>>,
}

impl Ports {
    /// Whether there is a way in.
    pub(crate) fn check(&self) -> Result<()> {
        if self.websocket.is_empty() && self.quic.is_empty() { Err(Error::NoListener) } else { Ok(()) }
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
            ..QuicOptions::default()
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
