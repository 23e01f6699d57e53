//! The little HTTP that stands before a WebSocket: reading one request head, and turning away what is no upgrade.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::discovery;

/// The longest request head in bytes.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// A WebSocket.
    Upgrade,
    /// The document of [`crate::discovery`].
    Discovery,
    /// Something else, which is answered with this status.
    Other { status: u16 },
}

/// Reads one request head. Returns what it asks for and all bytes read, which may go beyond the head.
pub(crate) async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<(Request, Bytes)> {
    let mut head = BytesMut::with_capacity(1024);
    loop {
        if head.windows(4).any(|four| four == b"\r\n\r\n") {
            return Ok((classify(&head), head.freeze()));
        }
        if head.len() >= HEAD_BYTES_MAX {
            return Ok((Request::Other { status: 431 }, head.freeze()));
        }
        if !could_be_http(&head) {
            return Ok((Request::Other { status: 400 }, head.freeze()));
        }
        if stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Whether the bytes so far may be the start of a request: a method in capitals and a space.
fn could_be_http(head: &[u8]) -> bool {
    let method = head.split(|byte| *byte == b' ').next().unwrap_or_default();
    method.len() <= 16 && method.iter().all(u8::is_ascii_uppercase)
}

fn classify(head: &[u8]) -> Request {
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let request_line = lines.next().unwrap_or_default();
    if !request_line.windows(7).any(|part| part == b"HTTP/1.") {
        return Request::Other { status: 400 };
    }
    let asks = lines.filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        Some((line[..colon].trim_ascii(), line[colon + 1..].trim_ascii()))
    });
    let mut asks = asks.filter(|(name, _)| name.eq_ignore_ascii_case(b"upgrade"));
    if asks.any(|(_, value)| value.eq_ignore_ascii_case(b"websocket")) {
        if request_line.starts_with(b"GET ") { Request::Upgrade } else { Request::Other { status: 405 } }
    } else if request_line.strip_prefix(b"GET ").is_some_and(asks_for_discovery) {
        Request::Discovery
    } else {
        Request::Other { status: 426 }
    }
}

fn asks_for_discovery(target: &[u8]) -> bool {
    let path = target.split(|byte| matches!(byte, b' ' | b'?')).next().unwrap_or_default();
    path == discovery::PATH.as_bytes()
}

/// Answers a request, and says that the connection ends.
pub(crate) async fn answer<S: AsyncWrite + Unpin>(stream: &mut S, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

/// The whole text of an answer with a JSON document that any page may read: there is no secret in it.
pub(crate) fn document(json: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\nAccess-Control-Allow-Origin: *\r\nCache-Control: no-store\r\nContent-Length: {}\r\n\r\n{json}",
        json.len(),
    )
}

/// Asks for the document of [`crate::discovery`] and reads it, which must be there within `bytes_max` bytes.
pub(crate) async fn get_discovery<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    host: &str,
    bytes_max: usize,
) -> io::Result<Vec<u8>> {
    let request = format!("GET {} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n", discovery::PATH);
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut answer = Vec::with_capacity(1024);
    stream.take(bytes_max as u64).read_to_end(&mut answer).await?;
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n");
    match head {
        Some(head) if answer.starts_with(b"HTTP/1.1 200 ") => Ok(answer.split_off(head + 4)),
        _ => Err(io::Error::new(io::ErrorKind::NotFound, "the server has no such document")),
    }
}

/// The whole text of an answer with a status and a line of text, for a request that is of no use.
pub(crate) fn response(status: u16) -> String {
    let (phrase, text) = match status {
        400 => ("Bad Request", "This is not an HTTP request."),
        405 => ("Method Not Allowed", "A WebSocket upgrade is a GET request."),
        426 => (
            "Upgrade Required",
            "This is an Evertick game server. Connect with a WebSocket client (ws:// or wss://).",
        ),
        431 => ("Request Header Fields Too Large", "The request's head is too long."),
        _ => ("Service Unavailable", "The server has as many connections as it takes. Try again later."),
    };
    let upgrade = if status == 426 { "Upgrade: websocket\r\n" } else { "" };
    format!(
        "HTTP/1.1 {status} {phrase}\r\n{upgrade}Connection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n{text}\n",
        text.len() + 1,
    )
}

/// A stream from which bytes were read that somebody else is to read again.
#[derive(Debug)]
pub(crate) struct Rewound<S> {
    read: Bytes,
    stream: S,
}

impl<S> Rewound<S> {
    pub(crate) fn new(read: Bytes, stream: S) -> Self {
        Self { read, stream }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let count = self.read.len().min(buffer.remaining());
        buffer.put_slice(&self.read[..count]);
        self.read.advance(count);
        if self.read.is_empty() {
            self.read = Bytes::new(); // gives the memory back
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    async fn read(text: &[u8]) -> Request {
        read_request(&mut &*text).await.unwrap().0
    }

    #[tokio::test]
    async fn tells_an_upgrade_from_the_rest() {
        assert_eq!(read(b"GET / HTTP/1.1\r\nHost: x\r\nupgrade: WebSocket\r\n\r\n").await, Request::Upgrade);
        assert_eq!(read(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await, Request::Other { status: 426 });
        assert_eq!(read(b"GET /evertick.json HTTP/1.1\r\n\r\n").await, Request::Discovery);
        assert_eq!(read(b"GET /evertick.json?x=1 HTTP/1.1\r\n\r\n").await, Request::Discovery);
        assert_eq!(read(b"PUT /evertick.json HTTP/1.1\r\n\r\n").await, Request::Other { status: 426 });
        assert_eq!(
            read(b"POST / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n").await,
            Request::Other { status: 405 }
        );
        assert_eq!(read(b"\x16\x03\x01garbage").await, Request::Other { status: 400 });
        assert_eq!(read(b"GET /\r\n\r\n").await, Request::Other { status: 400 });
        let long = [b"GET / HTTP/1.1\r\nX: ".as_slice(), &[b'a'; HEAD_BYTES_MAX]].concat();
        assert_eq!(read(&long).await, Request::Other { status: 431 });
        assert!(read_request(&mut b"GET / HT".as_slice()).await.is_err());
    }

    #[tokio::test]
    async fn rewound_bytes_come_first() {
        let mut stream = Rewound::new(Bytes::from_static(b"abc"), b"def".as_slice());
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"abcdef");
    }
}
