//! The trait that everything above the transports is written against.

use std::fmt;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::error::TransportError;

/// One connection that carries whole binary messages both ways, on [lanes](Lane).
pub trait Connection: Send + Unpin + 'static {
    /// The next message. After an error the connection yields nothing more; it may still be able to deliver
    /// what is sent before [`Connection::close`].
    ///
    /// Writes what is queued as a side effect, so that a task that only receives still answers pings.
    fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, TransportError>>;

    /// The lane of the message that was received last; [`Lane::Control`] where all lanes are one order.
    fn last_lane(&self) -> Lane {
        Lane::Control
    }

    /// Queues one message, which is the concatenation of `parts`, on a lane. Large parts are shared, not copied, where the
    /// transport allows it. Nothing is written until the connection is polled, but for datagrams, which the transport has at once.
    fn send(&mut self, lane: Lane, parts: &[Bytes]);

    /// What [`Lane::Latest`] can take now; `None` when it goes in order with everything else.
    fn datagrams(&self) -> Option<Datagrams>;

    /// What the transport knows of the way to the peer.
    fn signals(&self) -> Signals;

    /// Writes what is queued; ready when nothing is left.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>>;

    /// What is queued and not yet written.
    fn queued(&self) -> Queued;

    /// Queues the end of the connection: `code` is the application's own (below 1000), `reason` is for a person and is
    /// cut to what the transport carries. Messages that are sent later are dropped.
    fn close(&mut self, code: u16, reason: &str);

    /// Writes what is queued, ends the connection and waits, throwing away what still arrives, until the peer has
    /// closed too. Without the wait the peer's kernel may discard the last messages.
    fn poll_finish(&mut self, context: &mut Context<'_>) -> Poll<()>;

    /// Who is on the other side.
    fn peer(&self) -> Peer;
}

/// The futures of a connection.
pub trait ConnectionExt: Connection {
    /// Waits for the next message. Safe to cancel.
    fn recv(&mut self) -> impl Future<Output = Result<Bytes, TransportError>> + Send {
        poll_fn(|context| self.poll_recv(context))
    }

    /// Waits until everything queued is written. Safe to cancel.
    fn flush(&mut self) -> impl Future<Output = Result<(), TransportError>> + Send {
        poll_fn(|context| self.poll_flush(context))
    }

    /// Closes with a code and a reason, and waits up to `linger` for the peer to have got them.
    fn finish(&mut self, code: u16, reason: &str, linger: Duration) -> impl Future<Output = ()> + Send {
        self.close(code, reason);
        async move {
            // A peer that doesn't take the end within the time is cut off, which is what dropping does.
            let _cut_off = tokio::time::timeout(linger, poll_fn(|context| self.poll_finish(context))).await;
        }
    }
}

impl<C: Connection + ?Sized> ConnectionExt for C {}

/// A message of which the parts are given; one part is not copied.
pub(crate) fn joined(parts: &[Bytes]) -> Bytes {
    match parts {
        [one] => one.clone(),
        _ => {
            let mut all = BytesMut::with_capacity(parts.iter().map(Bytes::len).sum());
            parts.iter().for_each(|part| all.extend_from_slice(part));
            all.freeze()
        }
    }
}

/// Which way a message goes. Order holds within [`Lane::Control`] and within [`Lane::World`]. Where a transport has one stream
/// only, all lanes go over it in the order in which they were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// What must arrive, and must not wait for the world: greetings, calls, questions for the time and their answers.
    Control,
    /// What must arrive, in order with the rest of the world.
    World,
    /// Of which only the newest matters: it may be lost, doubled and overtaken, and is never sent again.
    Latest,
}

/// What the latest lane can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagrams {
    /// The largest message that goes as one datagram; changes with the path.
    pub bytes_max: usize,
    /// Bytes that can be sent now without pushing out what still waits to be sent.
    pub room: usize,
}

/// What a transport knows of the way to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Signals {
    /// The time there and back, smoothed, where the transport measures it.
    pub round_trip: Option<Duration>,
    /// Packets that got lost, since the start; 0 where the kernel keeps that to itself.
    pub lost_packets: u64,
    /// Bytes that may be under way at a time.
    pub congestion_window: Option<u64>,
    /// Messages of the latest lane that were dropped on this side, since the start: there was no room, or, for a long one, no stream.
    pub latest_dropped: u64,
}

/// What a connection has accepted and not yet written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Queued {
    /// Messages, of which the first may be partly written.
    pub messages: usize,
    /// Bytes, framing included.
    pub bytes: usize,
}

/// Who is on the other side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Another process, at this address.
    Socket(SocketAddr),
    /// This process.
    Loopback,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) => address.fmt(f),
            Self::Loopback => f.write_str("loopback"),
        }
    }
}
