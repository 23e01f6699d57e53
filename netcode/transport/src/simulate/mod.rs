//! A bad network around a good connection: for tests, and to feel what players far away feel.
//!
//! Each direction is a [`Line`] on which messages are under way for a while. What the lanes promise holds: on the ordered ones a loss is a
//! delay, because the message is sent again; on the latest one messages vanish, come twice and overtake each other. Where the connection
//! has no datagrams all lanes are one order, so one loss holds up everything, as over TCP.

mod conditions;
mod line;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::time::{Instant, Sleep};

pub use conditions::Conditions;
use line::{Item, Line};

use crate::connection::{Connection, Datagrams, Lane, Peer, Queued, Signals, joined};
use crate::error::{CloseReason, TransportError};

/// While more than this is under way to this end, nothing is taken from the connection: its peer then waits, as it would for a
/// real network that is full.
const INCOMING_BYTES_MAX: usize = 4 * 1024 * 1024;
const INCOMING_MESSAGES_MAX: usize = 4096;

/// Messages that one poll takes from the connection before it lets other tasks run.
const MESSAGES_PER_POLL_MAX: usize = 256;

/// Puts a network of these conditions between `connection` and who uses it, both ways. Needs a tokio runtime with time. What is under way
/// counts as [queued](Connection::queued); the end, too, takes its time to arrive.
pub fn simulate(connection: Box<dyn Connection>, conditions: Conditions) -> Box<dyn Connection> {
    Box::new(Simulated {
        connection,
        conditions,
        outgoing: Line::new(conditions, conditions.seed),
        incoming: Line::new(conditions, !conditions.seed),
        closing: false,
        lane: Lane::Control,
        timer: None,
    })
}

struct Simulated {
    connection: Box<dyn Connection>,
    conditions: Conditions,
    outgoing: Line<(u16, String)>,
    incoming: Line<TransportError>,
    closing: bool,
    /// Of the last message that was received.
    lane: Lane,
    /// Until the next message arrives, on either line.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Simulated {
    /// Hands over what has crossed the network.
    fn deliver(&mut self) {
        let now = Instant::now();
        while let Some(item) = self.outgoing.pop(now) {
            match item {
                Item::Message { lane, parts } => self.connection.send(lane, &parts),
                Item::End((code, reason)) => self.connection.close(code, &reason),
            }
        }
    }

    /// Takes what has come to the network's other side.
    fn take(&mut self, context: &mut Context<'_>) {
        for _ in 0..MESSAGES_PER_POLL_MAX {
            let queued = self.incoming.queued();
            let full = queued.bytes > INCOMING_BYTES_MAX || queued.messages >= INCOMING_MESSAGES_MAX;
            if full || self.incoming.is_ended() {
                return;
            }
            match self.connection.poll_recv(context) {
                Poll::Ready(Ok(message)) => {
                    let lane = self.line_of(self.connection.last_lane());
                    self.incoming.push(Instant::now(), lane, vec![message]);
                }
                Poll::Ready(Err(end)) => self.incoming.push_end(Instant::now(), end),
                Poll::Pending => return,
            }
        }
        context.waker().wake_by_ref();
    }

    /// What may happen to a message of that lane: without datagrams there is one order only.
    fn line_of(&self, lane: Lane) -> Lane {
        if self.connection.datagrams().is_some() { lane } else { Lane::Control }
    }

    /// Wakes the task when the next message arrives; ready when that is now.
    fn poll_timer(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let next = self.outgoing.next_at().into_iter().chain(self.incoming.next_at()).min();
        let Some(next) = next else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(next)));
        if timer.deadline() != next {
            timer.as_mut().reset(next);
        }
        timer.as_mut().poll(context)
    }

    /// Whether all that was sent has crossed the network.
    fn poll_outgoing(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.deliver();
        if self.outgoing.next_at().is_none() {
            return Poll::Ready(());
        }
        if self.poll_timer(context).is_ready() {
            // Due since we looked, or the other line's turn.
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl Connection for Simulated {
    fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, TransportError>> {
        self.deliver();
        let _the_rest_later = self.connection.poll_flush(context);
        self.take(context);
        match self.incoming.pop(Instant::now()) {
            Some(Item::Message { lane, parts }) => {
                self.lane = lane;
                return Poll::Ready(Ok(joined(&parts)));
            }
            Some(Item::End(end)) => return Poll::Ready(Err(end)),
            None if self.incoming.is_ended() && self.incoming.next_at().is_none() => {
                return Poll::Ready(Err(TransportError::Closed(CloseReason::default())));
            }
            None => {}
        }
        if self.poll_timer(context).is_ready() {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }

    fn last_lane(&self) -> Lane {
        self.lane
    }

    fn send(&mut self, lane: Lane, parts: &[Bytes]) {
        if !self.closing {
            let lane = self.line_of(lane);
            self.outgoing.push(Instant::now(), lane, parts.to_vec());
        }
    }

    fn datagrams(&self) -> Option<Datagrams> {
        let Datagrams { bytes_max, room } = self.connection.datagrams()?;
        Some(Datagrams { bytes_max, room: room.min(self.outgoing.latest_room()) })
    }

    fn signals(&self) -> Signals {
        let signals = self.connection.signals();
        Signals {
            round_trip: signals.round_trip.map(|time| time + 2 * self.conditions.latency),
            latest_dropped: signals.latest_dropped + self.outgoing.latest_dropped(),
            ..signals
        }
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        let crossed = self.poll_outgoing(context);
        match self.connection.poll_flush(context) {
            Poll::Ready(Ok(())) if crossed.is_pending() => Poll::Pending,
            flushed => flushed,
        }
    }

    fn queued(&self) -> Queued {
        let (under_way, behind) = (self.outgoing.queued(), self.connection.queued());
        Queued { messages: under_way.messages + behind.messages, bytes: under_way.bytes + behind.bytes }
    }

    fn close(&mut self, code: u16, reason: &str) {
        if !std::mem::replace(&mut self.closing, true) {
            self.outgoing.push_end(Instant::now(), (code, reason.to_owned()));
        }
    }

    fn poll_finish(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.poll_outgoing(context).is_ready() {
            return self.connection.poll_finish(context);
        }
        // A peer that is gone needs not be waited for.
        match self.connection.poll_flush(context) {
            Poll::Ready(Err(_)) => self.connection.poll_finish(context),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }

    fn peer(&self) -> Peer {
        self.connection.peer()
    }
}
