//! A QUIC or WebTransport session as a [`Connection`].
//!
//! ```text
//!  Control ── the stream that the client opened, both ways ── records, and at last the end
//!  World ──── a stream from the server ────────────────────── records
//!  Latest ─── datagrams; from a server, what is too large for one: a stream a message
//! ```
//!
//! Messages that quinn has no room for yet wait in queues of shared byte strings here; those are what
//! [`Connection::queued`] tells of. The end is a handshake of its own: each side ends the world, waits until the peer has all of it,
//! ends control with its last words and waits until the other has ended too. Only then is the QUIC connection closed, which would
//! throw away what is still under way.

use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use web_transport_quinn::{RecvStream, SendStream, Session};

use super::arriving::{Arriving, Side};
use super::framing::WORLD;
use super::latest::Sending;
use super::outgoing::Outgoing;
use crate::connection::{Connection, Datagrams, Lane, Peer, Queued, Signals, joined};
use crate::error::TransportError;
use crate::limits::Limits;

/// What quinn sends first when it can't send all: answers before the world, the world before what is too large for a datagram.
const CONTROL_PRIORITY: i32 = 2;
const WORLD_PRIORITY: i32 = 1;

pub(crate) struct QuicConnection {
    session: Session,
    side: Side,
    control: Outgoing,
    world: Outgoing,
    latest: Sending,
    arriving: Arriving,
    closing: Option<(u16, String)>,
    /// Whether the last words are in the control stream.
    end_queued: bool,
    /// A client's socket lives as long as its connections.
    _endpoint: Option<quinn::Endpoint>,
    /// Held for as long as this counts as a connection of its listener.
    _permit: Option<OwnedSemaphorePermit>,
}

impl QuicConnection {
    pub(crate) fn new(
        side: Side,
        session: Session,
        (writer, reader): (SendStream, RecvStream),
        limits: &Limits,
        endpoint: Option<quinn::Endpoint>,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Self {
        Self {
            session,
            side,
            control: Outgoing::opened(writer, CONTROL_PRIORITY),
            world: Outgoing::unopened(WORLD, WORLD_PRIORITY),
            latest: Sending::default(),
            arriving: Arriving::new(side, reader, limits),
            closing: None,
            end_queued: false,
            _endpoint: endpoint,
            _permit: permit,
        }
    }

    /// Gives quinn as much of the queues as it takes; ready when nothing is left, the last words included.
    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        let Self { session, control, world, latest, .. } = self;
        let idle_max = self.arriving.idle_max();
        let drained =
            [control.poll_drain(session, idle_max, context), world.poll_drain(session, idle_max, context)];
        // The world's stream is the first that is opened.
        let latest_drained = !world.is_opening() && latest.poll_drain(session, context).is_ready();
        let mut all = latest_drained;
        for lane in drained {
            match lane {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => all = false,
            }
        }
        if !all {
            return Poll::Pending;
        }
        if let Some((code, reason)) = &self.closing
            && !self.end_queued
        {
            if world.poll_finish(context).is_pending() {
                return Poll::Pending;
            }
            self.end_queued = true;
            control.push_end(*code, reason);
            return control.poll_drain(session, idle_max, context);
        }
        Poll::Ready(Ok(()))
    }

    /// Sends as a datagram if it fits into one.
    fn send_latest(&mut self, parts: &[Bytes]) {
        let length: usize = parts.iter().map(Bytes::len).sum();
        let bytes_max = self.session.max_datagram_size();
        if length > bytes_max {
            return match self.side {
                // What a client says of that kind is small; where it is not, or the server takes no datagrams, it goes in order.
                Side::Client => self.control.push_message(parts),
                Side::Server if bytes_max == 0 => self.world.push_message(parts),
                Side::Server => self.latest.push(parts),
            };
        }
        // quinn makes room by dropping what waits longest.
        let pushes_out = length > self.session.datagram_send_buffer_space();
        let refused = self.session.send_datagram(joined(parts)).is_err();
        if pushes_out || refused {
            self.latest.drop_one();
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
        self.arriving.poll_message(&mut self.session, context)
    }

    fn last_lane(&self) -> Lane {
        self.arriving.last_lane()
    }

    fn send(&mut self, lane: Lane, parts: &[Bytes]) {
        if self.closing.is_some() {
            return;
        }
        match (lane, self.side) {
            (Lane::Control, _) | (Lane::World, Side::Client) => self.control.push_message(parts),
            (Lane::World, Side::Server) => self.world.push_message(parts),
            (Lane::Latest, _) => self.send_latest(parts),
        }
    }

    fn datagrams(&self) -> Option<Datagrams> {
        let bytes_max = self.session.max_datagram_size();
        (bytes_max > 0).then(|| Datagrams { bytes_max, room: self.session.datagram_send_buffer_space() })
    }

    fn signals(&self) -> Signals {
        let path = (*self.session).stats().path;
        Signals {
            round_trip: Some(path.rtt),
            lost_packets: path.lost_packets,
            congestion_window: Some(path.cwnd),
            latest_dropped: self.latest.dropped(),
        }
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.poll_drain(context)
    }

    fn queued(&self) -> Queued {
        let lanes = [self.control.queued(), self.world.queued(), self.latest.queued()];
        Queued {
            messages: lanes.iter().map(|lane| lane.messages).sum(),
            bytes: lanes.iter().map(|lane| lane.bytes).sum(),
        }
    }

    fn close(&mut self, code: u16, reason: &str) {
        if self.closing.is_none() {
            self.closing = Some((code, reason.to_owned()));
            self.latest.clear();
        }
    }

    fn poll_finish(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let written = match self.poll_drain(context) {
            Poll::Ready(Ok(())) => self.control.poll_finish(context).is_ready(),
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        };
        let heard = self.arriving.poll_discard(&mut self.session, context).is_ready();
        if !(written && heard) {
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
