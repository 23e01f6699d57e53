//! The latest lane where a datagram is too small: messages on streams of their own.
//!
//! ```text
//! stream = kind u8 (2), then one message to the stream's end
//! ```

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use web_transport_quinn::generic::poll::Session as _;
use web_transport_quinn::{RecvStream, SendStream, Session};

use super::framing::LATEST;
use super::incoming::poll_chunk;
use crate::connection::Queued;
use crate::error::TransportError;

/// Messages that wait to be written at a time, and their bytes. What is beyond is dropped: it would be old when it arrives.
const WAITING_MAX: usize = 4;
const WAITING_BYTES_MAX: usize = 64 * 1024;

/// Bytes of messages that have arrived in part; a peer never has more than `WAITING_MAX` begun, but packets get lost.
const ARRIVING_BYTES_MAX: usize = 512 * 1024;

/// The lowest priority of all streams.
const PRIORITY: i32 = 0;

/// What goes out.
#[derive(Default)]
pub(super) struct Sending {
    waiting: VecDeque<Message>,
    bytes: usize,
    dropped: u64,
}

struct Message {
    /// Opened when the message's turn comes.
    stream: Option<SendStream>,
    /// Its kind, and the message.
    chunks: Vec<Bytes>,
    bytes: usize,
}

impl Sending {
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Counts a message that was, or will be, dropped elsewhere.
    pub(super) fn drop_one(&mut self) {
        self.dropped += 1;
    }

    pub(super) fn queued(&self) -> Queued {
        Queued { messages: self.waiting.len(), bytes: self.bytes }
    }

    pub(super) fn push(&mut self, parts: &[Bytes]) {
        let bytes = 1 + parts.iter().map(Bytes::len).sum::<usize>();
        if self.waiting.len() == WAITING_MAX || self.bytes + bytes > WAITING_BYTES_MAX {
            return self.drop_one();
        }
        self.bytes += bytes;
        let parts = parts.iter().filter(|part| !part.is_empty()).cloned();
        let chunks = std::iter::once(Bytes::from_static(&[LATEST])).chain(parts).collect();
        self.waiting.push_back(Message { stream: None, chunks, bytes });
    }

    /// Gives quinn what it takes; ready when nothing is left. A message for which no stream is to be had is dropped.
    pub(super) fn poll_drain(&mut self, session: &mut Session, context: &mut Context<'_>) -> Poll<()> {
        while let Some(message) = self.waiting.front_mut() {
            let stream = match &mut message.stream {
                Some(stream) => stream,
                none => match session.poll_open_uni(context) {
                    Poll::Ready(Ok(opened)) => {
                        // Fails only when the stream is over already.
                        let _over = opened.set_priority(PRIORITY);
                        none.insert(opened)
                    }
                    // The stream that is waited for now is taken by a later message.
                    Poll::Ready(Err(_)) | Poll::Pending => {
                        self.dropped += 1;
                        self.pop();
                        continue;
                    }
                },
            };
            // The waker is kept by the connection, not by the future, which may thus be made anew each time.
            let written = pin!(stream.write_chunks(&mut message.chunks)).poll(context);
            match written {
                Poll::Ready(Ok(written)) => {
                    message.chunks.drain(..written.chunks);
                    message.bytes -= written.bytes;
                    self.bytes -= written.bytes;
                    if !message.chunks.is_empty() {
                        continue;
                    }
                    // Fails only when the stream is over already.
                    let _over = stream.finish();
                }
                // The peer does not want it, or is gone, which the other streams will tell.
                Poll::Ready(Err(_)) => self.dropped += 1,
                Poll::Pending => return Poll::Pending,
            }
            self.pop();
        }
        Poll::Ready(())
    }

    fn pop(&mut self) {
        if let Some(message) = self.waiting.pop_front() {
            self.bytes -= message.bytes;
        }
    }

    /// Forgets what is not yet written: the connection ends.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.bytes = 0;
    }
}

/// What comes in.
pub(super) struct Receiving {
    /// As many as the peer may open.
    streams: Vec<(RecvStream, BytesMut)>,
    bytes: usize,
    bytes_max: usize,
}

impl Receiving {
    pub(super) fn new(message_bytes_max: usize) -> Self {
        Self { streams: Vec::new(), bytes: 0, bytes_max: ARRIVING_BYTES_MAX.min(message_bytes_max) }
    }

    /// Takes a stream whose first byte was read.
    pub(super) fn begin(&mut self, stream: RecvStream) {
        self.streams.push((stream, BytesMut::new()));
    }

    /// A message that is complete.
    pub(super) fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, TransportError>> {
        let mut index = 0;
        while let Some((stream, arrived)) = self.streams.get_mut(index) {
            match poll_chunk(stream, usize::MAX, context) {
                Poll::Pending => index += 1,
                Poll::Ready(Ok(Some(chunk))) => {
                    self.bytes += chunk.len();
                    if self.bytes > self.bytes_max {
                        return Poll::Ready(Err(TransportError::TooLarge { bytes_max: self.bytes_max }));
                    }
                    arrived.extend_from_slice(&chunk);
                }
                Poll::Ready(end) => {
                    let (_, message) = self.streams.swap_remove(index);
                    self.bytes -= message.len();
                    // The peer may give up one that is too old by now.
                    if end.is_ok() {
                        return Poll::Ready(Ok(message.freeze()));
                    }
                }
            }
        }
        Poll::Pending
    }
}
