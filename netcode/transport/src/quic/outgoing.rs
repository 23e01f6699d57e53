//! A stream of messages on its way out, with the queue of what quinn has no room for yet.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use web_transport_quinn::generic::poll::{SendStream as _, Session as _};
use web_transport_quinn::{SendStream, Session};

use super::faults;
use super::framing::{close_record, put_prefix};
use crate::connection::Queued;
use crate::error::TransportError;

/// Parts shorter than this are copied next to their neighbours: cheaper than one more chunk in quinn's buffer.
const SHARED_BYTES_MIN: usize = 512;

/// A stream with records, opened when there is something to say.
pub(super) struct Outgoing {
    /// The stream's first byte, until it is queued.
    kind: Option<u8>,
    /// Which streams quinn prefers: the higher.
    priority: i32,
    stream: Option<SendStream>,
    chunks: VecDeque<Bytes>,
    /// Where in the stream each queued message ends, counted in bytes from its start.
    ends: VecDeque<u64>,
    /// Bytes queued and written since the start.
    queued_to: u64,
    written_to: u64,
    finished: bool,
}

impl Outgoing {
    /// A stream that is opened with its first message.
    pub(super) fn unopened(kind: u8, priority: i32) -> Self {
        Self {
            kind: Some(kind),
            priority,
            stream: None,
            chunks: VecDeque::new(),
            ends: VecDeque::new(),
            queued_to: 0,
            written_to: 0,
            finished: false,
        }
    }

    /// A stream that is open; its first byte is written.
    pub(super) fn opened(stream: SendStream, priority: i32) -> Self {
        // Fails only when the stream is over already.
        let _over = stream.set_priority(priority);
        Self { kind: None, stream: Some(stream), ..Self::unopened(0, priority) }
    }

    /// Whether nothing was ever sent.
    pub(super) fn is_unused(&self) -> bool {
        self.kind.is_some()
    }

    /// Whether messages wait for the stream to be opened.
    pub(super) fn is_opening(&self) -> bool {
        self.stream.is_none() && !self.is_unused()
    }

    pub(super) fn push_message(&mut self, parts: &[Bytes]) {
        let lengths = || parts.iter().map(Bytes::len);
        let copied: usize = lengths().filter(|length| *length < SHARED_BYTES_MIN).sum();
        let mut small = BytesMut::with_capacity(6 + copied);
        small.extend(self.kind.take());
        put_prefix(lengths().sum(), &mut small);
        for part in parts {
            if part.len() < SHARED_BYTES_MIN {
                small.put_slice(part);
            } else {
                self.enqueue(small.split().freeze());
                self.enqueue(part.clone());
            }
        }
        self.enqueue(small.freeze());
        self.ends.push_back(self.queued_to);
    }

    pub(super) fn push_end(&mut self, code: u16, reason: &str) {
        self.enqueue(close_record(code, reason));
    }

    fn enqueue(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.queued_to += bytes.len() as u64;
            self.chunks.push_back(bytes);
        }
    }

    pub(super) fn queued(&self) -> Queued {
        let bytes = usize::try_from(self.queued_to - self.written_to).unwrap_or(usize::MAX);
        Queued { messages: self.ends.len(), bytes }
    }

    /// Gives quinn as much of the queue as it takes; ready when nothing is left.
    pub(super) fn poll_drain(
        &mut self,
        session: &mut Session,
        idle_max: Duration,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), TransportError>> {
        while !self.chunks.is_empty() {
            let stream = match &mut self.stream {
                Some(stream) => stream,
                none => {
                    let opened = ready!(session.poll_open_uni(context));
                    let opened = opened.map_err(|error| faults::of_session(error, idle_max))?;
                    // Fails only when the stream is over already.
                    let _over = opened.set_priority(self.priority);
                    none.insert(opened)
                }
            };
            let chunks = self.chunks.make_contiguous();
            // The waker is kept by the connection, not by the future, which may thus be made anew each time.
            let written = ready!(pin!(stream.write_chunks(chunks)).poll(context));
            let written = written.map_err(|error| faults::of_write(error, idle_max))?;
            self.chunks.drain(..written.chunks);
            self.written_to += written.bytes as u64;
            while self.ends.front().is_some_and(|end| *end <= self.written_to) {
                self.ends.pop_front();
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Ends the stream, once it is drained; ready when the peer has all of it, or never will.
    pub(super) fn poll_finish(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(()) };
        if !std::mem::replace(&mut self.finished, true) {
            // Fails only when the stream is over already.
            let _over = stream.finish();
        }
        stream.poll_closed(context).map(|_acknowledged_or_beyond_hope| ())
    }
}
