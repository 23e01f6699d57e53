//! A stream of messages that arrives.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use web_transport_quinn::{ReadError, RecvStream};

use super::faults;
use super::framing::{Deframer, Record};
use crate::error::TransportError;

/// The next bytes of a stream; `None` at its end.
pub(super) fn poll_chunk(
    stream: &mut RecvStream,
    bytes_max: usize,
    context: &mut Context<'_>,
) -> Poll<Result<Option<Bytes>, ReadError>> {
    // The waker is kept by the connection, not by the future, which may thus be made anew each time.
    let chunk = ready!(pin!(stream.read_chunk(bytes_max, true)).poll(context));
    Poll::Ready(chunk.map(|chunk| chunk.map(|chunk| chunk.bytes)))
}

/// A stream with records.
pub(super) struct Incoming {
    stream: RecvStream,
    deframer: Deframer,
    idle_max: Duration,
    /// Whether nothing more comes of it.
    ended: bool,
}

impl Incoming {
    pub(super) fn new(stream: RecvStream, message_bytes_max: usize, idle_max: Duration) -> Self {
        Self { stream, deframer: Deframer::new(message_bytes_max), idle_max, ended: false }
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended
    }

    /// The next record, `None` at the stream's end.
    pub(super) fn poll_record(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Record>, TransportError>> {
        if self.ended {
            return Poll::Ready(Ok(None));
        }
        let result = loop {
            match self.deframer.next() {
                Ok(Some(record)) => return Poll::Ready(Ok(Some(record))),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
            match ready!(poll_chunk(&mut self.stream, usize::MAX, context)) {
                Ok(Some(chunk)) => self.deframer.push(chunk),
                Ok(None) if self.deframer.is_between_records() => break Ok(None),
                Ok(None) => break Err(TransportError::Lost(std::io::ErrorKind::UnexpectedEof.into())),
                Err(error) => break Err(faults::of_read(error, self.idle_max)),
            }
        };
        self.ended = true;
        Poll::Ready(result)
    }

    /// Reads and throws away; ready at the stream's end, or when more than `bytes_max` are read.
    pub(super) fn poll_discard(&mut self, bytes_max: &mut usize, context: &mut Context<'_>) -> Poll<()> {
        while !self.ended && *bytes_max > 0 {
            match ready!(poll_chunk(&mut self.stream, usize::MAX, context)) {
                Ok(Some(chunk)) => *bytes_max = bytes_max.saturating_sub(chunk.len()),
                Ok(None) | Err(_) => self.ended = true,
            }
        }
        Poll::Ready(())
    }
}
