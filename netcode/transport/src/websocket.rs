//! A WebSocket as a [`Connection`]. `tokio-websockets` reads, answers pings and masks; [`Wire`] writes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_websockets::{CloseCode, Error, Message, WebSocketStream};

use crate::connection::{Connection, Datagrams, Lane, Peer, Queued, Signals};
use crate::error::{CloseReason, TransportError};
use crate::limits::{KeepAlive, Limits};
use crate::wire::Wire;

/// Application close codes travel as WebSocket codes from here: 4000–4999 are free for private use.
const CLOSE_CODE_BASE: u16 = 4000;

/// The longest close reason in bytes; the protocol's own limit.
const REASON_BYTES_MAX: usize = 123;

/// While more than this waits to be written, nothing is read: a peer that sends pings and takes no pongs must
/// not grow the queue.
const QUEUED_BYTES_TO_READ_MAX: usize = 4 * 1024 * 1024;

/// Frames other than messages that one poll reads before it lets other tasks run.
const CONTROLS_PER_POLL_MAX: u32 = 32;

/// What is read and thrown away after the end, so that the peer's kernel delivers our last words.
const DISCARD_BYTES_MAX: usize = 1024 * 1024;

/// Which side of the connection this is: a client's frames are masked, a server's are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

pub(crate) struct WebSocket<S> {
    stream: WebSocketStream<Wire<S>>,
    role: Role,
    peer: Peer,
    message_bytes_max: usize,
    keep_alive: KeepAlive,
    timer: Interval,
    /// Whether anything arrived since the timer last fired.
    heard: bool,
    silent_intervals: u32,
    closing: bool,
    discard_bytes_max: usize,
    /// Held for as long as this counts as a connection of its listener.
    _permit: Option<tokio::sync::OwnedSemaphorePermit>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    pub(crate) fn new(
        stream: WebSocketStream<Wire<S>>,
        role: Role,
        peer: Peer,
        limits: &Limits,
        permit: Option<tokio::sync::OwnedSemaphorePermit>,
    ) -> Self {
        let keep_alive = limits.keep_alive;
        let mut timer = tokio::time::interval_at(Instant::now() + keep_alive.interval, keep_alive.interval);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            stream,
            role,
            peer,
            message_bytes_max: limits.message_bytes_max,
            keep_alive,
            timer,
            heard: false,
            silent_intervals: 0,
            closing: false,
            discard_bytes_max: DISCARD_BYTES_MAX,
            _permit: permit,
        }
    }

    /// Gives `message` to `tokio-websockets` and what it makes of it to the wire. Both accept at once.
    fn enqueue(&mut self, message: Message) {
        let mut context = Context::from_waker(Waker::noop());
        let mut stream = Pin::new(&mut self.stream);
        // It refuses only after a close has been seen, when nothing needs to be sent any more.
        if stream.as_mut().start_send(message).is_ok() {
            let _accepted_by_wire = stream.poll_flush(&mut context);
        }
    }

    /// Notes silence and asks; an error when the peer counts as gone.
    fn poll_keep_alive(&mut self, context: &mut Context<'_>) -> Result<(), TransportError> {
        while self.timer.poll_tick(context).is_ready() {
            if std::mem::take(&mut self.heard) {
                self.silent_intervals = 0;
                continue;
            }
            self.silent_intervals += 1;
            if self.silent_intervals >= self.keep_alive.silent_intervals_max {
                return Err(TransportError::Silent(self.keep_alive.interval * self.silent_intervals));
            }
            self.enqueue(Message::ping(Bytes::new()));
        }
        Ok(())
    }

    fn error(&self, error: Error) -> TransportError {
        match error {
            Error::PayloadTooLong { .. } => TransportError::TooLarge { bytes_max: self.message_bytes_max },
            Error::Io(error) => TransportError::Lost(error),
            Error::Protocol(error) => TransportError::Protocol(error.to_string()),
            other => TransportError::Lost(io::Error::other(other)),
        }
    }
}

fn close_reason(message: &Message) -> CloseReason {
    let Some((code, reason)) = message.as_close() else { return CloseReason::default() };
    CloseReason { code: u16::from(code).checked_sub(CLOSE_CODE_BASE), reason: reason.to_owned() }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Connection for WebSocket<S> {
    fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, TransportError>> {
        self.poll_keep_alive(context)?;
        for _ in 0..CONTROLS_PER_POLL_MAX {
            let written = self.stream.get_mut().poll_drain(context)?;
            if written.is_pending() && self.queued().bytes > QUEUED_BYTES_TO_READ_MAX {
                return Poll::Pending;
            }
            let Poll::Ready(next) = Pin::new(&mut self.stream).poll_next(context) else {
                // Reading may have queued a pong.
                let _more_later = self.stream.get_mut().poll_drain(context)?;
                return Poll::Pending;
            };
            let message = match next {
                Some(Ok(message)) => message,
                Some(Err(error)) => return Poll::Ready(Err(self.error(error))),
                None => return Poll::Ready(Err(TransportError::Closed(CloseReason::default()))),
            };
            self.heard = true;
            if message.is_binary() {
                return Poll::Ready(Ok(message.into_payload().into()));
            }
            if message.is_text() {
                let problem = "a text message; only binary ones are understood".to_owned();
                return Poll::Ready(Err(TransportError::Protocol(problem)));
            }
            if message.is_close() {
                return Poll::Ready(Err(TransportError::Closed(close_reason(&message))));
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn send(&mut self, _: Lane, parts: &[Bytes]) {
        if self.closing {
            return;
        }
        match self.role {
            Role::Server => self.stream.get_mut().push(parts),
            Role::Client => {
                let mut payload = BytesMut::with_capacity(parts.iter().map(Bytes::len).sum());
                parts.iter().for_each(|part| payload.extend_from_slice(part));
                self.enqueue(Message::binary(payload));
            }
        }
    }

    fn datagrams(&self) -> Option<Datagrams> {
        None
    }

    fn signals(&self) -> Signals {
        Signals::default()
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.stream.get_mut().poll_drain(context).map_err(TransportError::Lost)
    }

    fn queued(&self) -> Queued {
        self.stream.get_ref().queued()
    }

    fn close(&mut self, code: u16, reason: &str) {
        if std::mem::replace(&mut self.closing, true) {
            return;
        }
        let code = CLOSE_CODE_BASE.saturating_add(code).min(4999);
        let code = CloseCode::try_from(code).unwrap_or(CloseCode::NORMAL_CLOSURE);
        self.enqueue(Message::close(Some(code), &reason[..reason.floor_char_boundary(REASON_BYTES_MAX)]));
    }

    fn poll_finish(&mut self, context: &mut Context<'_>) -> Poll<()> {
        // An answer to the peer's close may still wait above the wire, which takes it at once.
        let _accepted_by_wire = Pin::new(&mut self.stream).poll_flush(context);
        // Once the connection is broken there is nobody left to wait for.
        let _broken = ready!(self.stream.get_mut().poll_finish(context, &mut self.discard_bytes_max));
        Poll::Ready(())
    }

    fn peer(&self) -> Peer {
        self.peer
    }
}
