//! Certificates that nobody signed: made here, and trusted by their fingerprint.
//!
//! A browser takes such a certificate for WebTransport when the page names its SHA-256, its key is on P-256 and it is valid for
//! at most 14 days (`serverCertificateHashes`). So a server in development needs no certificate authority: it makes a
//! certificate that lives [`LIFETIME`], renews it well before, and tells its fingerprint by its
//! [`Discovery`](crate::Discovery).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, date_time_ymd};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, SignatureScheme};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::error::TlsError;
use crate::tls::{self, ClientConfig, ServerConfig};

/// How long a certificate is valid from when it is made; with [`BACKDATED`] less than the 14 days that browsers allow.
const LIFETIME: Duration = Duration::from_hours(12 * 24);

/// How long before it is made a certificate is valid already, for clients whose clocks are behind.
const BACKDATED: Duration = Duration::from_hours(12);

/// The SHA-256 of a certificate's DER bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CertificateHash(pub [u8; 32]);

impl CertificateHash {
    /// Of this certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl fmt::Display for CertificateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for CertificateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text is not a [`CertificateHash`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a certificate's SHA-256 is 64 hexadecimal digits")]
pub struct BadCertificateHash;

impl FromStr for CertificateHash {
    type Err = BadCertificateHash;

    fn from_str(text: &str) -> Result<Self, BadCertificateHash> {
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(BadCertificateHash);
        }
        let mut hash = [0; 32];
        for (byte, at) in hash.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| BadCertificateHash)?;
        }
        Ok(Self(hash))
    }
}

/// Makes a certificate for `localhost` and this machine's loopback addresses, which lives for 12 days. Costs about a
/// millisecond.
pub(crate) fn self_signed() -> Result<(Arc<ServerConfig>, CertificateHash), TlsError> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut params = CertificateParams::new(names)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + now.saturating_sub(BACKDATED);
    params.not_after = epoch + (now + LIFETIME);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = params.self_signed(&key)?.der().clone();
    let hash = CertificateHash::of(&certificate);
    let config = tls::server(vec![certificate], PrivatePkcs8KeyDer::from(key.serialize_der()).into())?;
    Ok((config, hash))
}

/// A client's configuration that trusts the certificate with this fingerprint, and nothing else. Neither its names nor its
/// dates count: who has the fingerprint from a trusted place needs no more.
pub(crate) fn client_for(hash: CertificateHash) -> Result<ClientConfig, TlsError> {
    let provider = tls::provider();
    let verifier = Arc::new(Pinned { hash, provider: Arc::clone(&provider) });
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

#[derive(Debug)]
struct Pinned {
    hash: CertificateHash,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if CertificateHash::of(end_entity) == self.hash {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn browsers_take_what_is_made() {
        assert!(LIFETIME + BACKDATED <= Duration::from_hours(13 * 24));
        let (_, one) = self_signed().unwrap();
        let (_, other) = self_signed().unwrap();
        assert_ne!(one, other);
        assert_eq!(one.to_string().parse::<CertificateHash>().unwrap(), one);
        for text in ["", "00", &"g".repeat(64), &"é".repeat(32)] {
            assert!(text.parse::<CertificateHash>().is_err());
        }
    }
}
