//! A QUIC or WebTransport session as a [`Connection`].
//!
//! Messages that quinn has no room for yet wait in a queue of shared byte strings here; that queue is what
//! [`Connection::queued`] tells of. The end is a handshake of its own: each side ends its stream with its last words and
//! waits until the other has ended too, and only then is the QUIC connection closed, which would throw away what is
//! still under way.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use quinn::ConnectionError;
use tokio::sync::OwnedSemaphorePermit;
use web_transport_quinn::generic::poll::SendStream as _;
use web_transport_quinn::{
    ReadError, RecvStream, SendStream, Session, SessionError, WebTransportError, WriteError,
};

use super::framing::{Deframer, Record, close_record, put_prefix};
use crate::connection::{Connection, Datagrams, Lane, Peer, Queued, Signals};
use crate::error::{CloseReason, TransportError};
use crate::limits::Limits;

/// Parts shorter than this are copied next to their neighbours: cheaper than one more chunk in quinn's buffer.
const SHARED_BYTES_MIN: usize = 512;

/// What is read and thrown away after the end.
const DISCARD_BYTES_MAX: usize = 1024 * 1024;

pub(crate) struct QuicConnection {
    session: Session,
    writer: SendStream,
    reader: RecvStream,
    deframer: Deframer,
    chunks: VecDeque<Bytes>,
    /// Where in the stream each queued message ends, counted in bytes from its start.
    ends: VecDeque<u64>,
    /// Bytes queued and written since the start.
    queued_to: u64,
    written_to: u64,
    idle_max: Duration,
    closing: Option<(u16, String)>,
    writer_finished: bool,
    /// Whether the peer's stream has come to its end.
    peer_ended: bool,
    /// Whether it made no sense from some point on; what still arrives is thrown away.
    peer_broken: bool,
    discard_bytes_max: usize,
    /// A client's socket lives as long as its connection.
    _endpoint: Option<quinn::Endpoint>,
    /// Held for as long as this counts as a connection of its listener.
    _permit: Option<OwnedSemaphorePermit>,
}

impl QuicConnection {
    pub(crate) fn new(
        session: Session,
        (writer, reader): (SendStream, RecvStream),
        limits: &Limits,
        endpoint: Option<quinn::Endpoint>,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Self {
        Self {
            session,
            writer,
            reader,
            deframer: Deframer::new(limits.message_bytes_max),
            chunks: VecDeque::new(),
            ends: VecDeque::new(),
            queued_to: 0,
            written_to: 0,
            idle_max: limits.keep_alive.interval.saturating_mul(limits.keep_alive.silent_intervals_max),
            closing: None,
            writer_finished: false,
            peer_ended: false,
            peer_broken: false,
            discard_bytes_max: DISCARD_BYTES_MAX,
            _endpoint: endpoint,
            _permit: permit,
        }
    }

    fn enqueue(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.queued_to += bytes.len() as u64;
            self.chunks.push_back(bytes);
        }
    }

    /// Gives quinn as much of the queue as it takes; ready when nothing is left.
    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        while !self.chunks.is_empty() {
            let chunks = self.chunks.make_contiguous();
            // The waker is kept by the connection, not by the future, which may thus be made anew each time.
            let written = ready!(pin!(self.writer.write_chunks(chunks)).poll(context));
            let written = written.map_err(|error| self.write_error(error))?;
            self.chunks.drain(..written.chunks);
            self.written_to += written.bytes as u64;
            while self.ends.front().is_some_and(|end| *end <= self.written_to) {
                self.ends.pop_front();
            }
        }
        Poll::Ready(Ok(()))
    }

    /// The next bytes of the peer's stream; `None` at its end.
    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, TransportError>> {
        let chunk = ready!(pin!(self.reader.read_chunk(usize::MAX, true)).poll(context));
        Poll::Ready(match chunk {
            Ok(chunk) => Ok(chunk.map(|chunk| chunk.bytes)),
            Err(ReadError::SessionError(error)) => Err(self.session_error(error)),
            Err(ReadError::Reset(_) | ReadError::InvalidReset(_)) => {
                Err(TransportError::Protocol("the stream of messages was reset".to_owned()))
            }
            Err(other) => Err(TransportError::Lost(io::Error::other(other))),
        })
    }

    fn write_error(&self, error: WriteError) -> TransportError {
        match error {
            WriteError::SessionError(error) => self.session_error(error),
            WriteError::Stopped(_) | WriteError::InvalidStopped(_) => {
                TransportError::Protocol("the stream of messages was stopped".to_owned())
            }
            WriteError::ClosedStream => TransportError::Lost(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn session_error(&self, error: SessionError) -> TransportError {
        match error {
            SessionError::WebTransportError(WebTransportError::Closed(code, reason)) => {
                // Zero is what an end without a code looks like.
                let code = u16::try_from(code).ok().filter(|code| *code != 0);
                TransportError::Closed(CloseReason { code, reason })
            }
            SessionError::ConnectionError(ConnectionError::TimedOut) => TransportError::Silent(self.idle_max),
            SessionError::ConnectionError(ConnectionError::TransportError(error)) => {
                TransportError::Protocol(error.to_string())
            }
            other => TransportError::Lost(io::Error::other(other)),
        }
    }

    /// The code and reason for QUIC's own close.
    fn last_words(&self) -> (u32, &[u8]) {
        let (code, reason) = self.closing.as_ref().map_or((0, ""), |(code, reason)| (*code, reason));
        (code.into(), reason.as_bytes())
    }
}

impl Connection for QuicConnection {
    fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, TransportError>> {
        // An error in writing is seen when reading too, after what the peer had sent before.
        let _the_rest_later = self.poll_drain(context);
        if self.peer_ended || self.peer_broken {
            return Poll::Ready(Err(TransportError::Closed(CloseReason::default())));
        }
        loop {
            match self.deframer.next() {
                Ok(Some(Record::Message(message))) => return Poll::Ready(Ok(message)),
                Ok(Some(Record::Close(reason))) => {
                    self.peer_ended = true;
                    return Poll::Ready(Err(TransportError::Closed(reason)));
                }
                Ok(None) => {}
                Err(error) => {
                    self.peer_broken = true;
                    return Poll::Ready(Err(error));
                }
            }
            match ready!(self.poll_chunk(context)) {
                Ok(Some(chunk)) => self.deframer.push(chunk),
                Ok(None) => {
                    self.peer_ended = true;
                    return Poll::Ready(Err(if self.deframer.is_between_records() {
                        TransportError::Closed(CloseReason::default())
                    } else {
                        TransportError::Lost(io::ErrorKind::UnexpectedEof.into())
                    }));
                }
                Err(error) => {
                    self.peer_ended = true;
                    return Poll::Ready(Err(error));
                }
            }
        }
    }

    fn send(&mut self, _: Lane, parts: &[Bytes]) {
        if self.closing.is_some() {
            return;
        }
        let lengths = || parts.iter().map(Bytes::len);
        let copied: usize = lengths().filter(|length| *length < SHARED_BYTES_MIN).sum();
        let mut small = BytesMut::with_capacity(5 + copied);
        put_prefix(lengths().sum(), &mut small);
        for part in parts {
            if part.len() < SHARED_BYTES_MIN {
                small.extend_from_slice(part);
            } else {
                self.enqueue(small.split().freeze());
                self.enqueue(part.clone());
            }
        }
        self.enqueue(small.freeze());
        self.ends.push_back(self.queued_to);
    }

    fn datagrams(&self) -> Option<Datagrams> {
        None
    }

    fn signals(&self) -> Signals {
        Signals::default()
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.poll_drain(context)
    }

    fn queued(&self) -> Queued {
        let bytes = usize::try_from(self.queued_to - self.written_to).unwrap_or(usize::MAX);
        Queued { messages: self.ends.len(), bytes }
    }

    fn close(&mut self, code: u16, reason: &str) {
        if self.closing.is_none() {
            self.enqueue(close_record(code, reason));
            self.closing = Some((code, reason.to_owned()));
        }
    }

    fn poll_finish(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let written = match self.poll_drain(context) {
            Poll::Ready(Ok(())) => {
                if !std::mem::replace(&mut self.writer_finished, true) {
                    // Fails only when the stream is over already.
                    let _over = self.writer.finish();
                }
                // Acknowledged to its end, or beyond hope.
                self.writer.poll_closed(context).is_ready()
            }
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        };
        while !self.peer_ended && self.discard_bytes_max > 0 {
            match self.poll_chunk(context) {
                Poll::Ready(Ok(Some(chunk))) => {
                    self.discard_bytes_max = self.discard_bytes_max.saturating_sub(chunk.len());
                }
                Poll::Ready(Ok(None) | Err(_)) => self.peer_ended = true,
                Poll::Pending => return Poll::Pending,
            }
        }
        if !written {
            return Poll::Pending;
        }
        let (code, reason) = self.last_words();
        self.session.close(code, reason);
        Poll::Ready(())
    }

    fn peer(&self) -> Peer {
        Peer::Socket(self.session.remote_address()) // as of now: a client may move to another network
    }
}

impl Drop for QuicConnection {
    /// Cuts the peer off, unless both sides are done.
    fn drop(&mut self) {
        if self.session.close_reason().is_none() {
            let (code, reason) = self.last_words();
            // At once; the session's own way would linger in a task.
            let code = match self.session.request() {
                Some(_) => web_transport_quinn::proto::error_to_http3(code),
                None => code.into(),
            };
            (*self.session).close(quinn::VarInt::try_from(code).unwrap_or_default(), reason);
        }
    }
}
