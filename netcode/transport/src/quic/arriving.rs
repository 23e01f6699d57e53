//! What arrives on all lanes of a session, in the order in which it may be seen.
//!
//! * Nothing is seen before the first record of the control stream: a world without its greeting makes no sense.
//! * The end of the control stream is told when the world's stream has ended too. The sender says its last words on
//!   control only when the peer has the whole world, so that wait is short; it is bounded for senders that don't.
//! * After what a peer did wrong nothing more of it counts.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Sleep;
use web_transport_quinn::generic::poll::Session as _;
use web_transport_quinn::{RecvStream, Session, SessionError, WebTransportError};

use super::faults::{broken, is_broken};
use super::framing::{LATEST, Record, WORLD};
use super::incoming::{Incoming, poll_chunk};
use super::latest::Receiving;
use crate::connection::Lane;
use crate::error::{CloseReason, TransportError};
use crate::limits::Limits;

/// How long the end of the control stream waits for that of the world.
const WORLD_END_TIME_MAX: Duration = Duration::from_secs(2);

/// What is read and thrown away after the end.
const DISCARD_BYTES_MAX: usize = 1024 * 1024;

/// Who somebody is in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Opens the control stream.
    Client,
    /// Opens all others.
    Server,
}

pub(super) struct Arriving {
    side: Side,
    message_bytes_max: usize,
    idle_max: Duration,
    control: Incoming,
    world: Option<Incoming>,
    /// Streams whose first byte has not arrived; as many as the peer may open.
    opening: Vec<RecvStream>,
    latest: Receiving,
    /// Whether a record of control was seen.
    greeted: bool,
    /// World and latest take turns.
    latest_turn: bool,
    /// Of the last message.
    last_lane: Lane,
    /// What the control stream ended with.
    end: Option<TransportError>,
    patience: Option<Pin<Box<Sleep>>>,
    /// Whether the end has been told.
    over: bool,
    discard_bytes_max: usize,
}

impl Arriving {
    pub(super) fn new(side: Side, control: RecvStream, limits: &Limits) -> Self {
        let idle_max = limits.keep_alive.interval.saturating_mul(limits.keep_alive.silent_intervals_max);
        Self {
            side,
            message_bytes_max: limits.message_bytes_max,
            idle_max,
            control: Incoming::new(control, limits.message_bytes_max, idle_max),
            world: None,
            opening: Vec::new(),
            latest: Receiving::new(limits.message_bytes_max),
            greeted: false,
            latest_turn: false,
            last_lane: Lane::Control,
            end: None,
            patience: None,
            over: false,
            discard_bytes_max: DISCARD_BYTES_MAX,
        }
    }

    /// The lane of the last message.
    pub(super) fn last_lane(&self) -> Lane {
        self.last_lane
    }

    /// Silence after which a session counts as gone.
    pub(super) fn idle_max(&self) -> Duration {
        self.idle_max
    }

    /// The next message of any lane. After an error there is nothing more.
    pub(super) fn poll_message(
        &mut self,
        session: &mut Session,
        context: &mut Context<'_>,
    ) -> Poll<Result<Bytes, TransportError>> {
        if self.over {
            return Poll::Ready(Err(TransportError::Closed(CloseReason::default())));
        }
        let next = ready!(self.poll_lanes(session, context));
        self.over = next.is_err();
        Poll::Ready(next)
    }

    fn poll_lanes(
        &mut self,
        session: &mut Session,
        context: &mut Context<'_>,
    ) -> Poll<Result<Bytes, TransportError>> {
        self.take_streams(session, context)?;
        if self.end.is_none()
            && let Poll::Ready(record) = self.control.poll_record(context)
        {
            self.greeted = true;
            self.end = Some(match record {
                Ok(Some(Record::Message(message))) => {
                    self.last_lane = Lane::Control;
                    return Poll::Ready(Ok(message));
                }
                Ok(Some(Record::Close(reason))) => TransportError::Closed(reason),
                Ok(None) => TransportError::Closed(CloseReason::default()),
                Err(error) if is_broken(&error) => return Poll::Ready(Err(error)),
                Err(error) => error,
            });
            // The world's stream is there by now, if there is one.
            self.take_streams(session, context)?;
        }
        if !self.greeted {
            return Poll::Pending;
        }
        for _ in 0..2 {
            self.latest_turn = !self.latest_turn;
            let (lane, next) = match self.latest_turn {
                true => (Lane::Latest, self.poll_latest(session, context)),
                false => (Lane::World, self.poll_world(context)),
            };
            if next.is_ready() {
                self.last_lane = lane;
                return next;
            }
        }
        self.poll_end(context).map(Err)
    }

    /// Takes the streams that the peer opened to their lanes.
    fn take_streams(
        &mut self,
        session: &mut Session,
        context: &mut Context<'_>,
    ) -> Result<(), TransportError> {
        // What is wrong with the session, if anything, the control stream tells.
        while let Poll::Ready(Ok(stream)) = session.poll_accept_uni(context) {
            if self.side == Side::Server {
                return Err(broken("the client opened a stream of a kind that only a server may open"));
            }
            self.opening.push(stream);
        }
        if self.side == Side::Server
            && let Poll::Ready(Ok(_)) = session.poll_accept_bi(context)
        {
            return Err(broken("the client opened a second stream in both directions"));
        }
        let mut index = 0;
        while let Some(stream) = self.opening.get_mut(index) {
            let Poll::Ready(first) = poll_chunk(stream, 1, context) else {
                index += 1;
                continue;
            };
            let stream = self.opening.swap_remove(index);
            match first.as_ref().map(|first| first.as_deref()) {
                Ok(Some([WORLD])) if self.world.is_none() => {
                    self.world = Some(Incoming::new(stream, self.message_bytes_max, self.idle_max));
                }
                Ok(Some([LATEST])) => self.latest.begin(stream),
                Ok(Some([WORLD])) => return Err(broken("the peer opened a second stream for the world")),
                Ok(Some(kind)) => return Err(broken(format!("a stream of the unknown kind {kind:?}"))),
                Ok(None) => return Err(broken("a stream ended before it said its kind")),
                // Given up by the peer before it was of use, or the session is gone.
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn poll_world(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, TransportError>> {
        let Some(world) = &mut self.world else { return Poll::Pending };
        match ready!(world.poll_record(context)) {
            Ok(Some(Record::Message(message))) => Poll::Ready(Ok(message)),
            Ok(Some(Record::Close(_))) => Poll::Ready(Err(broken("an end on the stream of the world"))),
            Ok(None) => Poll::Pending,
            Err(error) if is_broken(&error) || self.end.is_none() => Poll::Ready(Err(error)),
            Err(_) => Poll::Pending,
        }
    }

    fn poll_latest(
        &mut self,
        session: &mut Session,
        context: &mut Context<'_>,
    ) -> Poll<Result<Bytes, TransportError>> {
        match session.poll_recv_datagram(context) {
            Poll::Ready(Ok(message)) if message.len() <= self.message_bytes_max => Poll::Ready(Ok(message)),
            Poll::Ready(Ok(_)) => {
                Poll::Ready(Err(TransportError::TooLarge { bytes_max: self.message_bytes_max }))
            }
            Poll::Ready(Err(SessionError::WebTransportError(WebTransportError::UnknownSession))) => {
                Poll::Ready(Err(broken("a datagram of another session")))
            }
            // The end of the session is told by the control stream.
            Poll::Ready(Err(_)) | Poll::Pending => self.latest.poll_message(context),
        }
    }

    /// What control ended with, once the world has ended.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<TransportError> {
        if self.end.is_none() {
            return Poll::Pending;
        }
        if !self.opening.is_empty() || self.world.as_ref().is_some_and(|world| !world.is_ended()) {
            let sleep = || Box::pin(tokio::time::sleep(WORLD_END_TIME_MAX));
            ready!(self.patience.get_or_insert_with(sleep).as_mut().poll(context));
        }
        self.end.take().map_or(Poll::Pending, Poll::Ready)
    }

    /// Throws away what still arrives; ready when the control stream has ended, or too much was thrown away.
    pub(super) fn poll_discard(&mut self, session: &mut Session, context: &mut Context<'_>) -> Poll<()> {
        // Wrong or right makes no difference any more.
        let _whatever = self.take_streams(session, context);
        if let Some(world) = &mut self.world {
            let _more_later = world.poll_discard(&mut self.discard_bytes_max, context);
        }
        self.control.poll_discard(&mut self.discard_bytes_max, context)
    }
}
