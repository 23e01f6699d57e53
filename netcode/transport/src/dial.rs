//! Getting to a server by the best way it offers.
//!
//! A client knows one address, of the WebSocket listener. It asks there for the server's QUIC ports
//! ([`Discovery`](crate::Discovery)); if there are some, QUIC gets a head start, and the WebSocket follows when QUIC
//! takes too long or fails. Whichever is there first is used, the other is dropped. So networks that swallow UDP cost a moment
//! and nothing else.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::client::{ClientOptions, connect};
use crate::connection::Connection;
use crate::discovery::{self, Discovery};
use crate::error::ConnectError;
use crate::http;
use crate::url::{Scheme, Url};

/// How long the question for the QUIC ports may take.
const DISCOVERY_TIME_MAX: Duration = Duration::from_secs(1);

/// How long QUIC is tried alone (RFC 8305's connection attempt delay): a WebSocket needs a round trip more, so on a network
/// that lets UDP through QUIC is nearly always there by then.
const QUIC_HEAD_START: Duration = Duration::from_millis(250);

/// Connects like [`connect`]; with `ws://` and `wss://` by QUIC if the server offers it and it can be reached, within
/// `handshake_time_max` and a second. `quic://` is QUIC or nothing.
///
/// The port and the certificate's fingerprint are taken from the server's own answer, so they are as trustworthy as the
/// address given: over `wss://` they come from whom the roots say, over `ws://` from anybody on the way.
pub async fn connect_best(url: &str, options: &ClientOptions) -> Result<Box<dyn Connection>, ConnectError> {
    let parsed: Url = url.parse()?;
    if parsed.scheme == Scheme::Quic {
        return connect(url, options).await;
    }
    // Any trouble here is the WebSocket's to report.
    let offered = tokio::time::timeout(DISCOVERY_TIME_MAX, Box::pin(discover(&parsed, options))).await;
    let Some(quic) = offered.ok().flatten().and_then(|found| quic_url(&parsed, &found, options)) else {
        return connect(url, options).await;
    };
    tracing::debug!(%url, %quic, "the server offers QUIC");
    race(Box::pin(connect(&quic, options)), QUIC_HEAD_START, Box::pin(connect(url, options))).await
}

/// The address of the first QUIC port that this client has means to trust.
fn quic_url(known: &Url, found: &Discovery, options: &ClientOptions) -> Option<String> {
    let trusted = |offer: &&discovery::QuicOffer| offer.certificate().is_some() || options.tls.is_some();
    let offer = found.quic.iter().find(trusted)?;
    let url = Url {
        scheme: Scheme::Quic,
        host: known.host.clone(),
        port: offer.port(),
        path: "/".to_owned(),
        certificate: offer.certificate(),
    };
    Some(url.to_string())
}

async fn discover(url: &Url, options: &ClientOptions) -> Option<Discovery> {
    let mut stream = TcpStream::connect((url.host.as_str(), url.port)).await.ok()?;
    let json = if url.scheme == Scheme::Wss {
        let name = ServerName::try_from(url.host.clone()).ok()?;
        let connector = TlsConnector::from(options.tls.clone()?);
        let mut stream = connector.connect(name, stream).await.ok()?;
        http::get_discovery(&mut stream, &url.host, discovery::BYTES_MAX).await
    } else {
        http::get_discovery(&mut stream, &url.host, discovery::BYTES_MAX).await
    };
    Discovery::from_json(&json.ok()?)
}

/// The first of the two that succeeds; `second` starts after `head_start`, or when `first` has failed. When both fail, the
/// second's error counts.
async fn race<T, E>(
    first: impl Future<Output = Result<T, E>>,
    head_start: Duration,
    second: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let (mut first, second) = (pin!(first), pin!(second));
    if let Ok(result) = tokio::time::timeout(head_start, &mut first).await {
        return match result {
            Ok(won) => Ok(won),
            Err(_) => second.await,
        };
    }
    let mut second = second;
    tokio::select! {
        biased;
        result = &mut first => match result {
            Ok(won) => Ok(won),
            Err(_) => second.await,
        },
        result = &mut second => match result {
            Ok(won) => Ok(won),
            Err(error) => first.await.map_err(|_| error),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::sleep;

    use super::*;

    const HEAD_START: Duration = Duration::from_millis(250);

    async fn after(
        ms: u64,
        result: Result<&'static str, &'static str>,
    ) -> Result<&'static str, &'static str> {
        sleep(Duration::from_millis(ms)).await;
        result
    }

    async fn timed(
        first: impl Future<Output = Result<&'static str, &'static str>>,
        second: impl Future<Output = Result<&'static str, &'static str>>,
    ) -> (Result<&'static str, &'static str>, u128) {
        let start = tokio::time::Instant::now();
        let result = race(first, HEAD_START, second).await;
        (result, start.elapsed().as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_that_succeeds_wins() {
        assert_eq!(timed(after(240, Ok("quic")), after(0, Ok("ws"))).await, (Ok("quic"), 240));
        assert_eq!(timed(after(260, Ok("quic")), after(20, Ok("ws"))).await, (Ok("quic"), 260));
        assert_eq!(timed(after(900, Ok("quic")), after(20, Ok("ws"))).await, (Ok("ws"), 270));
        assert_eq!(timed(pending(), after(20, Ok("ws"))).await, (Ok("ws"), 270));
        assert_eq!(timed(after(10, Err("no")), after(20, Ok("ws"))).await, (Ok("ws"), 30));
        assert_eq!(timed(after(300, Err("no")), after(90, Ok("ws"))).await, (Ok("ws"), 340));
        assert_eq!(timed(after(900, Ok("quic")), after(90, Err("no ws"))).await, (Ok("quic"), 900));
        assert_eq!(timed(after(900, Err("no")), after(90, Err("no ws"))).await, (Err("no ws"), 900));
    }
}
