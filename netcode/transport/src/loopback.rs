//! A connection within one process: two bounded pipes. For tests, and for a client in the server's own process.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use crate::connection::{Connection, Datagrams, Lane, Peer, Queued, Signals, joined};
use crate::error::{CloseReason, TransportError};
use crate::limits::Limits;

/// What a pipe holds before its writer has to wait, like a kernel's buffer.
const PIPE_BYTES_MAX: usize = 64 * 1024;

/// One direction.
#[derive(Debug, Default)]
struct Pipe {
    messages: VecDeque<Bytes>,
    bytes: usize,
    /// The writer's last words; read after the messages.
    closed: Option<CloseReason>,
    /// The reader is gone: nothing more is taken.
    abandoned: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    fn wake_reader(&mut self) {
        self.reader.take().into_iter().for_each(Waker::wake);
    }

    fn wake_writer(&mut self) {
        self.writer.take().into_iter().for_each(Waker::wake);
    }
}

/// One end of a loopback.
#[derive(Debug)]
pub struct Loopback {
    incoming: Arc<Mutex<Pipe>>,
    outgoing: Arc<Mutex<Pipe>>,
    waiting: VecDeque<Bytes>,
    queued: Queued,
    closing: Option<CloseReason>,
    message_bytes_max: usize,
}

/// Makes two connected ends, with the limits of the first and of the second.
pub fn loopback(first: &Limits, second: &Limits) -> (Loopback, Loopback) {
    let (there, back) = (Arc::<Mutex<Pipe>>::default(), Arc::<Mutex<Pipe>>::default());
    let end = |incoming: &Arc<_>, outgoing: &Arc<_>, limits: &Limits| Loopback {
        incoming: Arc::clone(incoming),
        outgoing: Arc::clone(outgoing),
        waiting: VecDeque::new(),
        queued: Queued::default(),
        closing: None,
        message_bytes_max: limits.message_bytes_max,
    };
    (end(&back, &there, first), end(&there, &back, second))
}

fn lock(pipe: &Mutex<Pipe>) -> MutexGuard<'_, Pipe> {
    // Nothing under the lock can leave a pipe half-changed, so poison means nothing.
    pipe.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Connection for Loopback {
    fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, TransportError>> {
        let _the_rest_later = self.poll_flush(context);
        let mut pipe = lock(&self.incoming);
        if let Some(message) = pipe.messages.pop_front() {
            pipe.bytes -= message.len();
            pipe.wake_writer();
            let fits = message.len() <= self.message_bytes_max;
            let bytes_max = self.message_bytes_max;
            return Poll::Ready(if fits { Ok(message) } else { Err(TransportError::TooLarge { bytes_max }) });
        }
        if let Some(reason) = &pipe.closed {
            return Poll::Ready(Err(TransportError::Closed(reason.clone())));
        }
        pipe.reader = Some(context.waker().clone());
        Poll::Pending
    }

    fn send(&mut self, _: Lane, parts: &[Bytes]) {
        if self.closing.is_some() {
            return;
        }
        let message = joined(parts);
        self.queued.messages += 1;
        self.queued.bytes += message.len();
        self.waiting.push_back(message);
    }

    fn datagrams(&self) -> Option<Datagrams> {
        None
    }

    fn signals(&self) -> Signals {
        Signals::default()
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        let mut pipe = lock(&self.outgoing);
        if pipe.abandoned {
            let error = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
            return Poll::Ready(Err(TransportError::Lost(error)));
        }
        while let Some(message) = self.waiting.front() {
            // An empty pipe takes any message: one may be larger than the pipe.
            if pipe.bytes > 0 && pipe.bytes + message.len() > PIPE_BYTES_MAX {
                pipe.writer = Some(context.waker().clone());
                return Poll::Pending;
            }
            self.queued.messages -= 1;
            self.queued.bytes -= message.len();
            pipe.bytes += message.len();
            pipe.messages.extend(self.waiting.pop_front());
            pipe.wake_reader();
        }
        if let (Some(reason), None) = (&self.closing, &pipe.closed) {
            pipe.closed = Some(reason.clone());
            pipe.wake_reader();
        }
        Poll::Ready(Ok(()))
    }

    fn queued(&self) -> Queued {
        self.queued
    }

    fn close(&mut self, code: u16, reason: &str) {
        self.closing.get_or_insert_with(|| CloseReason { code: Some(code), reason: reason.to_owned() });
    }

    fn poll_finish(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match self.poll_flush(context) {
            Poll::Ready(_) => Poll::Ready(()), // what is in the pipe stays readable
            Poll::Pending => Poll::Pending,
        }
    }

    fn peer(&self) -> Peer {
        Peer::Loopback
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        let mut outgoing = lock(&self.outgoing);
        outgoing.closed.get_or_insert_default();
        outgoing.wake_reader();
        drop(outgoing);
        let mut incoming = lock(&self.incoming);
        incoming.abandoned = true;
        incoming.messages.clear();
        incoming.wake_writer();
    }
}
