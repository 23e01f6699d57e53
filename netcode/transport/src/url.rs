//! Where a client connects to: `ws://host:port/path`, `wss://host:port/path` or `quic://host:port`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::certificate::CertificateHash;

/// What is spoken at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// WebSocket in plaintext.
    Ws,
    /// WebSocket over TLS.
    Wss,
    /// QUIC, which always is TLS.
    Quic,
}

impl Scheme {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::Quic => "quic",
        }
    }

    fn default_port(self) -> u16 {
        if self == Self::Ws { 80 } else { 443 }
    }
}

/// A server's address in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// What is spoken there.
    pub scheme: Scheme,
    /// The host: a name, or an address without brackets.
    pub host: String,
    /// The port; 80 or 443 when the text has none.
    pub port: u16,
    /// The path and query, starting with `/`; of no use with QUIC.
    pub path: String,
    /// The one certificate that the server is to have, whoever signed it: `quic://host:port#certificate=` and its SHA-256 in
    /// hexadecimal digits. For QUIC only; any other fragment is thrown away.
    pub certificate: Option<CertificateHash>,
}

/// Why a text is no server's address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{url}` is not a server's address: {problem}; write ws://host:port, wss://host:port or quic://host:port"
)]
pub struct UrlError {
    /// The text.
    pub url: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        parse(text).map_err(|problem| UrlError { url: text.to_owned(), problem })
    }
}

fn parse(text: &str) -> Result<Url, &'static str> {
    if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return Err("it has white space or control characters");
    }
    let (scheme, rest) = match text.split_once("://") {
        Some(("ws", rest)) => (Scheme::Ws, rest),
        Some(("wss", rest)) => (Scheme::Wss, rest),
        Some(("quic", rest)) => (Scheme::Quic, rest),
        _ => return Err("it starts with none of ws://, wss:// and quic://"),
    };
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let certificate = match fragment.strip_prefix("certificate=") {
        Some(hash) if scheme == Scheme::Quic => {
            Some(hash.parse().map_err(|_| "its certificate is not 64 hexadecimal digits")?)
        }
        _ => None,
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err("a user name does not belong there");
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(bracketed) => {
            let (host, port) = bracketed.split_once(']').ok_or("the bracket is not closed")?;
            (
                host,
                if port.is_empty() {
                    None
                } else {
                    Some(port.strip_prefix(':').ok_or("the port needs a colon")?)
                },
            )
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if host.is_empty() {
        return Err("it has no host");
    }
    let port = match port {
        Some(port) => port.parse().map_err(|_| "the port is not a number up to 65535")?,
        None => scheme.default_port(),
    };
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok(Url { scheme, host: host.to_owned(), port, path, certificate })
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.scheme.as_str();
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}{}", self.host, self.port, self.path)?;
        } else {
            write!(f, "{scheme}://{}:{}{}", self.host, self.port, self.path)?;
        }
        match &self.certificate {
            Some(hash) => write!(f, "#certificate={hash}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn takes_addresses_apart() {
        let parts = |text: &str| {
            let url: Url = text.parse().unwrap();
            assert_eq!(url.to_string().parse::<Url>().unwrap(), url);
            (url.scheme, url.host, url.port, url.path)
        };
        assert_eq!(parts("ws://localhost:7778"), (Scheme::Ws, "localhost".into(), 7778, "/".into()));
        assert_eq!(
            parts("wss://play.example/a/b?c=d#e"),
            (Scheme::Wss, "play.example".into(), 443, "/a/b?c=d".into())
        );
        assert_eq!(parts("ws://[::1]:9/"), (Scheme::Ws, "::1".into(), 9, "/".into()));
        assert_eq!(parts("ws://[::1]?x"), (Scheme::Ws, "::1".into(), 80, "/?x".into()));
        assert_eq!(parts("quic://play.example"), (Scheme::Quic, "play.example".into(), 443, "/".into()));

        let text = format!("quic://[::1]:7777/#certificate={}", "0f".repeat(32));
        let url: Url = text.parse().unwrap();
        assert_eq!(url.certificate, Some(CertificateHash([0x0f; 32])));
        assert_eq!(url.to_string(), text);
    }

    #[test]
    fn says_what_is_wrong() {
        for text in [
            "",
            "http://x",
            "ws://",
            "ws://:80",
            "ws://a:b",
            "ws://a:99999",
            "ws://u@h",
            "ws://[::1",
            "ws://[::1]80",
            "ws://a b",
            "quic://a#certificate=abc",
        ] {
            let error = text.parse::<Url>().unwrap_err();
            assert!(error.to_string().contains("write ws://host:port"), "{error}");
        }
    }
}
