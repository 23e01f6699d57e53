//! How a client that knows a server's WebSocket address finds its QUIC ports and their certificates: a little JSON document,
//! which the WebSocket listener's HTTP side answers with.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::certificate::CertificateHash;

/// Where the document stands on a WebSocket listener.
pub(crate) const PATH: &str = "/evertick.json";

/// The largest document that a client reads, in bytes.
pub(crate) const BYTES_MAX: usize = 16 * 1024;

/// One QUIC port of a server. Clones are the same one.
#[derive(Clone, Debug)]
pub struct QuicOffer {
    port: u16,
    /// Of a self-signed certificate, which may be renewed.
    certificate: Option<Arc<Mutex<CertificateHash>>>,
}

impl QuicOffer {
    pub(crate) fn new(port: u16, certificate: Option<CertificateHash>) -> Self {
        Self { port, certificate: certificate.map(|hash| Arc::new(Mutex::new(hash))) }
    }

    /// The UDP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The fingerprint by which to trust its certificate; `None` when that is for who signed it.
    pub fn certificate(&self) -> Option<CertificateHash> {
        let hash = self.certificate.as_ref()?;
        Some(*hash.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn renew(&self, hash: CertificateHash) {
        if let Some(certificate) = &self.certificate {
            *certificate.lock().unwrap_or_else(PoisonError::into_inner) = hash;
        }
    }
}

/// What a WebSocket listener tells of the server's other ways in, as JSON at `/evertick.json`:
///
/// ```json
/// {"quic":[{"port":7777,"certificate":"0f…64 hexadecimal digits"}]}
/// ```
///
/// `certificate` is missing where the certificate is signed by somebody.
#[derive(Clone, Debug, Default)]
pub struct Discovery {
    /// The QUIC ports, in the order in which clients are to try them.
    pub quic: Vec<QuicOffer>,
}

#[derive(Serialize, Deserialize)]
struct Document {
    #[serde(default)]
    quic: Vec<Offer>,
}

#[derive(Serialize, Deserialize)]
struct Offer {
    port: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
}

impl Discovery {
    /// The document as of now.
    pub fn to_json(&self) -> String {
        let offer = |offer: &QuicOffer| Offer {
            port: offer.port,
            certificate: offer.certificate().map(|hash| hash.to_string()),
        };
        let document = Document { quic: self.quic.iter().map(offer).collect() };
        serde_json::to_string(&document).unwrap_or_default()
    }

    /// Reads a document; offers that make no sense are left out.
    pub(crate) fn from_json(json: &[u8]) -> Option<Self> {
        let document: Document = serde_json::from_slice(json).ok()?;
        let offer = |offer: Offer| match offer.certificate.map(|hash| hash.parse()) {
            None => Some(QuicOffer::new(offer.port, None)),
            Some(Ok(hash)) => Some(QuicOffer::new(offer.port, Some(hash))),
            Some(Err(_)) => None,
        };
        Some(Self { quic: document.quic.into_iter().filter_map(offer).collect() })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn says_what_it_reads() {
        let self_signed = QuicOffer::new(7, Some(CertificateHash([1; 32])));
        let discovery = Discovery { quic: vec![self_signed.clone(), QuicOffer::new(8, None)] };
        self_signed.renew(CertificateHash([0xab; 32]));
        let json = discovery.to_json();
        let hash = "ab".repeat(32);
        assert_eq!(json, format!(r#"{{"quic":[{{"port":7,"certificate":"{hash}"}},{{"port":8}}]}}"#));
        let read = Discovery::from_json(json.as_bytes()).unwrap();
        assert_eq!(read.to_json(), json);
        assert_eq!(Discovery::default().to_json(), r#"{"quic":[]}"#);
    }

    #[test]
    fn what_makes_no_sense_is_left_out() {
        let json = br#"{"quic":[{"port":1,"certificate":"short"},{"port":2,"new":[]}],"more":1}"#;
        assert_eq!(Discovery::from_json(json).unwrap().quic[0].port(), 2);
        assert!(Discovery::from_json(b"{}").unwrap().quic.is_empty());
        for json in [&b""[..], b"7", br#"{"quic":[{"port":70000}]}"#] {
            assert!(Discovery::from_json(json).is_none());
        }
    }
}
