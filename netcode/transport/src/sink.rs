//! A connection to nobody.

use std::task::{Context, Poll};

use bytes::Bytes;

use crate::connection::{Connection, Datagrams, Lane, Peer, Queued, Signals};
use crate::error::TransportError;

/// A connection to a peer that says one thing, takes everything at once and never ends: what is above a transport can be measured with it, and
/// nothing else.
#[derive(Debug)]
pub struct Sink {
    first: Option<Bytes>,
}

impl Sink {
    /// To a peer whose only message is this.
    pub fn new(message: impl Into<Bytes>) -> Self {
        Self { first: Some(message.into()) }
    }
}

impl Connection for Sink {
    fn poll_recv(&mut self, _: &mut Context<'_>) -> Poll<Result<Bytes, TransportError>> {
        self.first.take().map_or(Poll::Pending, |message| Poll::Ready(Ok(message)))
    }

    fn send(&mut self, _: Lane, _: &[Bytes]) {}

    fn datagrams(&self) -> Option<Datagrams> {
        None
    }

    fn signals(&self) -> Signals {
        Signals::default()
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn queued(&self) -> Queued {
        Queued::default()
    }

    fn close(&mut self, _: u16, _: &str) {}

    fn poll_finish(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    fn peer(&self) -> Peer {
        Peer::Loopback
    }
}
