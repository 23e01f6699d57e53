//! Where a client connects to: `ws://host:port/path` or `wss://host:port/path`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A WebSocket address in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Whether TLS is asked for (`wss`).
    pub tls: bool,
    /// The host: a name, or an address without brackets.
    pub host: String,
    /// The port; 80 or 443 when the text has none.
    pub port: u16,
    /// The path and query, starting with `/`.
    pub path: String,
}

/// Why a text is no WebSocket address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{url}` is not a server's address: {problem}; write ws://host:port or wss://host:port")]
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
    let (tls, rest) = match (text.strip_prefix("ws://"), text.strip_prefix("wss://")) {
        (Some(rest), _) => (false, rest),
        (_, Some(rest)) => (true, rest),
        _ => return Err("it starts with neither ws:// nor wss://"),
    };
    let rest = rest.split('#').next().unwrap_or_default();
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
        None if tls => 443,
        None => 80,
    };
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok(Url { tls, host: host.to_owned(), port, path })
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "wss" } else { "ws" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}{}", self.host, self.port, self.path)
        } else {
            write!(f, "{scheme}://{}:{}{}", self.host, self.port, self.path)
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
            (url.tls, url.host, url.port, url.path)
        };
        assert_eq!(parts("ws://localhost:7778"), (false, "localhost".into(), 7778, "/".into()));
        assert_eq!(
            parts("wss://play.example/a/b?c=d#e"),
            (true, "play.example".into(), 443, "/a/b?c=d".into())
        );
        assert_eq!(parts("ws://[::1]:9/"), (false, "::1".into(), 9, "/".into()));
        assert_eq!(parts("ws://[::1]?x"), (false, "::1".into(), 80, "/?x".into()));
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
        ] {
            let error = text.parse::<Url>().unwrap_err();
            assert!(error.to_string().contains("write ws://host:port"), "{error}");
        }
    }
}
