//! A connection to a client that takes everything and says nothing but Hello.

use std::task::{Context, Poll};

use bytes::Bytes;
use evertick_protocol::{ClientMessage, Hello};
use evertick_transport::{Connection, Datagrams, Lane, Peer, Queued, Signals, TransportError};

/// The server's end of it.
pub(crate) struct Sink {
    hello: Option<Bytes>,
}

impl Sink {
    /// To the client of this number.
    pub(crate) fn new(number: u64) -> Self {
        let mut hello = Vec::new();
        ClientMessage::Hello(Hello::new(&number.to_le_bytes())).encode(&mut hello);
        Self { hello: Some(hello.into()) }
    }
}

impl Connection for Sink {
    fn poll_recv(&mut self, _: &mut Context<'_>) -> Poll<Result<Bytes, TransportError>> {
        match self.hello.take() {
            Some(hello) => Poll::Ready(Ok(hello)),
            None => Poll::Pending,
        }
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
