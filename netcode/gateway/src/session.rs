//! One session: its connection, what it sees, what it may still ask for.
//!
//! Two tasks of the shard's thread touch a session, never at the same time: its own ([`crate::intake`]), which reads, and the
//! shard's ([`crate::shard`]), which packs every frame into it and writes at once with the waker of the session's task, so
//! that nobody has to be woken as long as the client keeps up.

use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use evertick_protocol::{
    CallOutcome, CallReply, Close, CloseCode, FailCode, Frame, FramePacker, Pong, QueryOutcome, QueryReply,
    ServerMessage,
};
use evertick_schema::{Identity, SessionId, Timestamp};
use evertick_transport::{Connection, Lane, TransportError};

use crate::budget::{Bucket, Budget};
use crate::config::SessionLimits;
use crate::inputs::InputFilter;
use crate::metrics::Metrics;
use crate::packing::{Packer, Room, Stream};

/// What of the last frame is asked for between frames.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    pub(crate) number: u64,
    pub(crate) tick: u64,
    pub(crate) time: Timestamp,
    pub(crate) tick_cost_us: u32,
    /// When the tick started, as far as this shard can tell.
    pub(crate) started: Option<Instant>,
}

impl Clock {
    /// The clock once `frame` is there.
    pub(crate) fn after(self, frame: &Frame, now: Instant) -> Self {
        let Frame { number, tick, time, tick_cost_us, .. } = *frame;
        // A tick's later frames say nothing of its start.
        let started = if tick == self.tick {
            self.started
        } else {
            now.checked_sub(Duration::from_micros(tick_cost_us.into()))
        };
        Self { number, tick, time, tick_cost_us, started }
    }

    /// The time from `now` until `tick` starts, in microseconds, when ticks are `tick_us` long.
    pub(crate) fn slack_us(self, tick: u64, tick_us: u32, now: Instant) -> Option<i64> {
        let passed = now.saturating_duration_since(self.started?).as_micros() as i64;
        let ahead = i64::try_from(i128::from(tick) - i128::from(self.tick)).ok()?;
        Some(ahead.saturating_mul(tick_us.into()).saturating_sub(passed))
    }
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
    pub(crate) reports: Bucket,
    pub(crate) inputs: InputFilter,
    pub(crate) calls_in_flight: u32,
    /// Answers to calls of the message at hand that do not go to the host.
    failed: Vec<CallReply>,
    /// Answers to queries of the message at hand that do not go to the host.
    refused: Vec<QueryReply>,
    /// Whether it takes frames before the disk has what they tell.
    pub(crate) unconfirmed: bool,
    connection: Box<dyn Connection>,
    limits: SessionLimits,
    stream: Stream,
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
            reports: Bucket::new(1, 2, now),
            inputs: InputFilter::new(limits.inputs_per_second, now),
            calls_in_flight: 0,
            failed: Vec::new(),
            refused: Vec::new(),
            unconfirmed,
            connection,
            limits,
            stream: Stream::new(id, &limits, now),
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
        self.send(Lane::Control, &[bytes.into()], metrics);
        self.write();
    }

    pub(crate) fn pong(&mut self, client_us: u64, clock: Clock, metrics: &Metrics) {
        let Clock { tick, time, tick_cost_us, .. } = clock;
        let slack_us = self.inputs.take_slack_us();
        let pong = Pong { client_us, tick, time, tick_cost_us, slack_us };
        self.tell(&ServerMessage::Pong(pong), metrics);
    }

    /// Notes the answer to a call that does not go to the host.
    pub(crate) fn fail(&mut self, seq: u32, code: FailCode, message: String) {
        self.failed.push(CallReply { seq, result: CallOutcome::Failed { code, message, id: 0 } });
    }

    /// Notes that a query is refused.
    pub(crate) fn refuse_query(&mut self, query: u32, message: String) {
        self.refused.push(QueryReply { query, outcome: QueryOutcome::Refused { message } });
    }

    /// Sends the answers to calls and queries that did not go to the host.
    pub(crate) fn tell_failed(&mut self, clock: Clock, metrics: &Metrics) {
        for lane in [Lane::Control, Lane::World] {
            let mut packer = FramePacker::new();
            match lane {
                // They may overtake the world.
                Lane::Control => self.failed.drain(..).for_each(|reply| packer.result(&reply)),
                _ => self.refused.drain(..).for_each(|reply| packer.query(&reply)),
            }
            let mut parts = Vec::new();
            if packer.finish(clock.number, clock.tick, clock.time, &mut parts) > 0 {
                self.send(lane, &parts, metrics);
                self.write();
            }
        }
    }

    /// The lane of the message that came last.
    pub(crate) fn last_lane(&self) -> Lane {
        self.connection.last_lane()
    }

    /// Packs a frame for this session and writes it.
    pub(crate) fn deliver<'f>(
        &mut self,
        frame: &'f Frame,
        packer: &mut Packer<'f>,
        now: Instant,
        metrics: &Metrics,
    ) {
        if self.end.is_some() {
            return;
        }
        let own = frame.sessions.get(&self.id);
        if let Some(own) = own {
            self.count_results(&own.results, metrics);
        }
        let room = Room {
            datagrams: self.connection.datagrams(),
            states: self.connection.queued().bytes <= self.limits.outgoing_bytes_soft,
        };
        if self.stream.pack(frame, own, room, now, packer, metrics) > 0 {
            if !packer.world.is_empty() {
                self.send(Lane::World, &packer.world, metrics);
            }
            for datagram in &packer.datagrams {
                self.send(Lane::Latest, std::slice::from_ref(datagram), metrics);
            }
            self.write();
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

    fn send(&mut self, lane: Lane, message: &[Bytes], metrics: &Metrics) {
        metrics.messages_out.add(1);
        metrics.bytes_out.add(message.iter().map(|part| part.len() as u64).sum());
        self.connection.send(lane, message);
    }

    /// Writes what was queued, as far as the client takes it.
    fn write(&mut self) {
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
