//! One session: its connection, what it sees, what it may still ask for.
//!
//! Two tasks of the shard's thread touch a session, never at the same time: its own ([`crate::intake`]), which reads, and the
//! shard's ([`crate::shard`]), which packs every frame into it and writes at once with the waker of the session's task, so
//! that nobody has to be woken as long as the client keeps up.

use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use evertick_protocol::{
    CallOutcome, CallReply, Close, CloseCode, FailCode, Frame, Pong, ServerMessage, SessionFrame, TopicList,
    pack_frame,
};
use evertick_schema::{Identity, SessionId, Timestamp};
use evertick_transport::{Connection, Lane, TransportError};

use crate::budget::Budget;
use crate::config::SessionLimits;
use crate::metrics::Metrics;

/// Room for a frame's message beyond the size of the last one: cell blocks differ little from frame to frame.
const FRAME_BYTES_MARGIN: usize = 128;

/// What of the last frame is asked for between frames.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    pub(crate) tick: u64,
    pub(crate) time: Timestamp,
    pub(crate) tick_cost_us: u32,
}

/// Why a session is over.
#[derive(Debug)]
pub(crate) enum End {
    /// We end it, and say so.
    Close(Close),
    /// The connection is gone, or the client ended it.
    Gone(TransportError),
}

impl End {
    pub(crate) fn close(code: CloseCode, message: impl Into<String>) -> Self {
        Self::Close(Close { code, message: message.into() })
    }
}

pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) identity: Identity,
    pub(crate) calls: Budget,
    pub(crate) pings: Budget,
    pub(crate) calls_in_flight: u32,
    /// Answers to calls of the message at hand that do not go to the host.
    failed: Vec<CallReply>,
    /// Whether it takes frames before the disk has what they tell.
    pub(crate) unconfirmed: bool,
    connection: Box<dyn Connection>,
    limits: SessionLimits,
    /// What it sees.
    topics: TopicList,
    /// Room for the next frame's message, from the last one's size.
    frame_bytes: usize,
    /// Of the session's own task.
    waker: Waker,
    end: Option<End>,
}

impl Session {
    pub(crate) fn new(
        id: SessionId,
        identity: Identity,
        unconfirmed: bool,
        connection: Box<dyn Connection>,
        limits: SessionLimits,
    ) -> Self {
        let now = Instant::now();
        Self {
            id,
            identity,
            calls: Budget::new(limits.calls_per_second, limits.calls_burst, limits.calls_refused_max, now),
            pings: Budget::new(
                limits.pings_per_second,
                limits.pings_per_second * 2,
                limits.pings_per_second * 20,
                now,
            ),
            calls_in_flight: 0,
            failed: Vec::new(),
            unconfirmed,
            connection,
            limits,
            topics: TopicList::default(),
            frame_bytes: 0,
            waker: Waker::noop().clone(),
            end: None,
        }
    }

    /// The next message, or the end. Writes what is waiting.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, End>> {
        if !self.waker.will_wake(context.waker()) {
            self.waker = context.waker().clone();
        }
        if self.end.is_none()
            && let Poll::Ready(result) = self.connection.poll_recv(context)
        {
            match result {
                Ok(message) => return Poll::Ready(Ok(message)),
                Err(error) => self.end = Some(end_of(error)),
            }
        }
        match self.end.take() {
            Some(end) => Poll::Ready(Err(end)),
            None => Poll::Pending,
        }
    }

    /// Ends the session; its task does the rest. The first end counts; returns whether this is it.
    pub(crate) fn end(&mut self, end: End) -> bool {
        let first = self.end.is_none();
        if first {
            self.end = Some(end);
            self.waker.wake_by_ref();
        }
        first
    }

    /// Queues and writes a message that is not a frame.
    pub(crate) fn tell(&mut self, message: &ServerMessage<'_>, metrics: &Metrics) {
        let mut bytes = Vec::with_capacity(128);
        message.encode(&mut bytes);
        self.send(Lane::Control, bytes, metrics);
    }

    pub(crate) fn pong(&mut self, client_us: u64, clock: Clock, metrics: &Metrics) {
        let Clock { tick, time, tick_cost_us } = clock;
        self.tell(
            &ServerMessage::Pong(Pong { client_us, tick, time, tick_cost_us, slack_us: None }),
            metrics,
        );
    }

    /// Notes the answer to a call that does not go to the host.
    pub(crate) fn fail(&mut self, seq: u32, code: FailCode, message: String) {
        self.failed.push(CallReply { seq, result: CallOutcome::Failed { code, message, id: 0 } });
    }

    /// Sends the answers to calls that did not go to the host.
    pub(crate) fn tell_failed(&mut self, clock: Clock, metrics: &Metrics) {
        if self.failed.is_empty() {
            return;
        }
        let own = SessionFrame { results: std::mem::take(&mut self.failed), ..SessionFrame::default() };
        let nothing_else = Frame { tick: clock.tick, time: clock.time, ..Frame::default() };
        let mut bytes = Vec::with_capacity(128);
        pack_frame(&nothing_else, Some(&own), &mut self.topics, &mut bytes);
        self.send(Lane::Control, bytes, metrics);
    }

    /// Packs a frame for this session and writes it.
    pub(crate) fn deliver(&mut self, frame: &Frame, metrics: &Metrics) {
        if self.end.is_some() {
            return;
        }
        let own = frame.sessions.get(&self.id);
        if let Some(own) = own {
            self.count_results(&own.results, metrics);
        }
        let mut bytes = Vec::with_capacity(self.frame_bytes);
        if pack_frame(frame, own, &mut self.topics, &mut bytes) {
            self.frame_bytes = bytes.len() + FRAME_BYTES_MARGIN;
            self.send(Lane::World, bytes, metrics);
        }
        if let Some(close) = own.and_then(|own| own.close.clone()) {
            self.end(End::Close(close));
        }
    }

    fn count_results(&mut self, results: &[CallReply], metrics: &Metrics) {
        let (mut ok, mut refused, mut failed) = (0, 0, 0);
        for reply in results {
            match reply.result {
                CallOutcome::Ok(_) => ok += 1,
                CallOutcome::Refused { .. } => refused += 1,
                CallOutcome::Failed { .. } => failed += 1,
            }
        }
        metrics.calls_ok.add(ok);
        metrics.calls_refused.add(refused);
        metrics.calls_failed.add(failed);
        self.calls_in_flight = self.calls_in_flight.saturating_sub(results.len() as u32);
    }

    fn send(&mut self, lane: Lane, message: Vec<u8>, metrics: &Metrics) {
        metrics.messages_out.add(1);
        metrics.bytes_out.add(message.len() as u64);
        self.connection.send(lane, &[message.into()]);
        match self.connection.poll_flush(&mut Context::from_waker(&self.waker)) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => _ = self.end(End::Gone(error)),
            Poll::Pending => self.check_queue(),
        }
    }

    fn check_queue(&mut self) {
        let queued = self.connection.queued();
        if queued.messages > self.limits.outgoing_messages_max
            || queued.bytes > self.limits.outgoing_bytes_max
        {
            let message = format!(
                "{} messages ({} bytes) wait for the client to read them; read faster or see less of the world",
                queued.messages, queued.bytes
            );
            self.end(End::close(CloseCode::TooSlow, message));
        }
    }

    /// The connection, for its last words.
    pub(crate) fn into_connection(self) -> Box<dyn Connection> {
        self.connection
    }
}

/// What the end of a connection means for its session.
pub(crate) fn end_of(error: TransportError) -> End {
    let code = match &error {
        TransportError::Closed(_) | TransportError::Lost(_) => return End::Gone(error),
        TransportError::TooLarge { .. } => CloseCode::TooLarge,
        TransportError::Protocol(_) => CloseCode::BadMessage,
        TransportError::Silent(_) => CloseCode::Timeout,
    };
    End::close(code, error.to_string())
}
