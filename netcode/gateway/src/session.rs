//! One session: its connection, what it sees, what it may still ask for.
//!
//! Two tasks of the shard's thread touch a session, never at the same time: its own ([`crate::intake`]), which reads, and the
//! shard's ([`crate::shard`]), which packs every frame into it and writes at once with the waker of the session's task, so
//! that nobody has to be woken as long as the client keeps up.
//!
//! A session whose connection is lost may be parked: frames then go on telling what it would see, until its client comes
//! back ([`crate::resume`]).

use std::mem::offset_of;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use evertick_protocol::{
    CallOutcome, CallReply, Close, CloseCode, FailCode, Frame, Pong, QueryOutcome, QueryReply, ResyncTopics,
    ServerMessage, SessionSecret, prefetch,
};
use evertick_schema::{Identity, SessionId};
use evertick_transport::{Connection, Lane, TransportError};

use crate::budget::{Bucket, Budget};
use crate::clock::Clock;
use crate::config::SessionLimits;
use crate::inputs::InputFilter;
use crate::metrics::{Counted, Metrics, Tally};
use crate::outbox::Outbox;
use crate::packing::{Pace, Packer, Room, Stream};
use crate::resume::Resumption;
use crate::usage::Usage;

/// A connection, counted for as long as it lives.
pub(crate) struct Line {
    pub(crate) connection: Box<dyn Connection>,
    _open: Counted,
}

impl Line {
    pub(crate) fn new(connection: Box<dyn Connection>, open: Counted) -> Self {
        Self { connection, _open: open }
    }
}

/// Why nothing more is read from a connection.
#[derive(Debug)]
pub(crate) enum End {
    /// We end the session, and say so.
    Close(Close),
    /// The connection is gone, or the client ended it.
    Gone(TransportError),
    /// The session goes on over another.
    Replaced(Box<Resumption>),
}

impl End {
    pub(crate) fn close(code: CloseCode, message: impl Into<String>) -> Self {
        Self::Close(Close { code, message: message.into() })
    }
}

/// What each frame touches stands first and together: with thousands of sessions a frame finds nothing of them in the near caches.
#[repr(C)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    /// `None` while the session is parked.
    line: Option<Line>,
    /// Of the session's own task.
    waker: Waker,
    /// Takes the connection's place at the task's next turn.
    successor: Option<Box<Resumption>>,
    /// Never [`End::Replaced`].
    end: Option<Box<End>>,
    /// Whether it takes frames before the disk has what they tell.
    pub(crate) unconfirmed: bool,
    usage: Usage,
    stream: Stream,
    limits: SessionLimits,
    pub(crate) identity: Identity,
    pub(crate) secret: SessionSecret,
    /// The number of the last call that was taken.
    pub(crate) seq: u32,
    pub(crate) calls: Budget,
    pub(crate) pings: Budget,
    pub(crate) reports: Bucket,
    /// What is heard and of no use: calls that came already, reports that come too often, datagrams that should not be any.
    pub(crate) useless: Budget,
    pub(crate) inputs: InputFilter,
    pub(crate) calls_in_flight: u32,
    /// Answers to calls of the message at hand that do not go to the host.
    failed: Vec<CallReply>,
    /// Answers to queries of the message at hand that do not go to the host.
    refused: Vec<QueryReply>,
}

impl Session {
    pub(crate) fn new(
        id: SessionId,
        (identity, secret): (Identity, SessionSecret),
        unconfirmed: bool,
        line: Line,
        limits: SessionLimits,
    ) -> Self {
        let now = Instant::now();
        Self {
            id,
            identity,
            secret,
            seq: 0,
            calls: Budget::new(limits.calls_per_second, limits.calls_burst, limits.calls_refused_max, now),
            pings: Budget::new(
                limits.pings_per_second,
                limits.pings_per_second * 2,
                limits.pings_per_second * 20,
                now,
            ),
            reports: Bucket::new(1, 2, now),
            // A client that comes back sends the calls again that have no results yet.
            useless: Budget::new(
                limits.calls_per_second,
                limits.calls_in_flight_max.saturating_mul(4),
                limits.calls_refused_max,
                now,
            ),
            inputs: InputFilter::new(limits.inputs_per_second, now),
            calls_in_flight: 0,
            failed: Vec::new(),
            refused: Vec::new(),
            unconfirmed,
            line: Some(line),
            limits,
            stream: Stream::new(id, &limits, now),
            usage: Usage::new(now),
            waker: Waker::noop().clone(),
            end: None,
            successor: None,
        }
    }

    /// The next message, or the end. Writes what is waiting.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, End>> {
        if !self.waker.will_wake(context.waker()) {
            self.waker = context.waker().clone();
        }
        if !matches!(self.end.as_deref(), Some(End::Close(_)))
            && let Some(successor) = self.successor.take()
        {
            self.end = None;
            return Poll::Ready(Err(End::Replaced(successor)));
        }
        if self.end.is_none()
            && let Some(line) = &mut self.line
            && let Poll::Ready(result) = line.connection.poll_recv(context)
        {
            match result {
                Ok(message) => return Poll::Ready(Ok(message)),
                Err(error @ TransportError::Silent(_)) => self.end = Some(End::Gone(error).into()),
                Err(error) => self.end = Some(end_of(error).into()),
            }
        }
        match self.end.take() {
            Some(end) => Poll::Ready(Err(*end)),
            None => Poll::Pending,
        }
    }

    /// Ends the session, or reading from its connection; its task does the rest. The first end counts, but that a connection is gone
    /// counts less; returns whether this is it.
    pub(crate) fn end(&mut self, end: End) -> bool {
        let first = matches!(self.end.as_deref(), None | Some(End::Gone(_)));
        if first {
            self.end = Some(end.into());
            self.waker.wake_by_ref();
        }
        first
    }

    /// Another connection is to take the place of the present one, which may be gone. Returns it when the session can't go on with it, or
    /// the one that was to come before.
    pub(crate) fn succeed(
        &mut self,
        resumption: Box<Resumption>,
    ) -> Result<Option<Box<Resumption>>, Box<Resumption>> {
        let over = matches!(self.end.as_deref(), Some(End::Close(_)));
        if over || !self.stream.resume(resumption.results, Instant::now()) {
            return Err(resumption);
        }
        self.waker.wake_by_ref();
        Ok(self.successor.replace(resumption))
    }

    /// Takes the connection away: the session is parked, or over.
    pub(crate) fn hang_up(&mut self) -> Option<Line> {
        self.line.take()
    }

    /// A connection that was to come and comes too late.
    pub(crate) fn take_successor(&mut self) -> Option<Box<Resumption>> {
        self.successor.take()
    }

    /// Goes on over another connection, behind its Welcome: tells what is gone, and asks the host for all else.
    pub(crate) fn go_on(&mut self, clock: Clock, outbox: &Outbox, metrics: &Metrics) {
        let parts = self.stream.pack_departed(clock);
        if !parts.is_empty() {
            self.send_now(Lane::World, &parts, metrics);
        }
        // When the host can't be asked, the topics are asked for one by one with the next frames.
        if outbox.resync(self.id, ResyncTopics::All).is_ok() {
            self.stream.asked_for_all(clock.tick);
            metrics.resyncs.add(1);
        }
    }

    pub(crate) fn connect(&mut self, line: Line) {
        self.line = Some(line);
        self.usage = Usage::new(Instant::now());
    }

    /// Whether topics are not sent for now, to a client that is there.
    pub(crate) fn is_behind(&self) -> bool {
        self.line.is_some() && self.stream.is_behind()
    }

    /// Counts what was sent since the last time, and what the connection has dropped of it.
    pub(crate) fn report_use(&mut self, now: Instant, metrics: &Metrics) {
        let Some(line) = &self.line else { return };
        let dropped = line.connection.signals().latest_dropped;
        self.usage.report(self.limits.bytes_per_second, dropped, now, metrics);
    }

    /// Queues and writes a message that is not a frame.
    pub(crate) fn tell(&mut self, message: &ServerMessage<'_>, metrics: &Metrics) {
        let mut bytes = Vec::with_capacity(128);
        message.encode(&mut bytes);
        self.send_now(Lane::Control, &[bytes.into()], metrics);
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

    /// The client has got so many results.
    pub(crate) fn acknowledge(&mut self, results: u64) {
        self.stream.acknowledge(results);
    }

    /// A query's number is used anew, or the query is over.
    pub(crate) fn forget_query(&mut self, query: u32) {
        self.stream.forget_query(query);
    }

    /// Sends the answers to calls and queries that did not go to the host. They go in order with all results, which the client counts.
    pub(crate) fn tell_failed(&mut self, clock: Clock, metrics: &Metrics) {
        if self.failed.is_empty() && self.refused.is_empty() {
            return;
        }
        self.stream.answer(self.failed.drain(..));
        let parts = self.stream.pack_answers(&self.refused, clock);
        self.refused.clear();
        if !parts.is_empty() {
            self.send_now(Lane::World, &parts, metrics);
        }
    }

    /// The lane of the message that came last.
    pub(crate) fn last_lane(&self) -> Lane {
        self.line.as_ref().map_or(Lane::Control, |line| line.connection.last_lane())
    }

    /// Has the processor fetch what [`Self::deliver`] needs of the session itself that is there.
    pub(crate) fn prefetch(session: *const Self) {
        const HOT_BYTES: usize = offset_of!(Session, stream) + Stream::HOT_BYTES;
        prefetch(session, HOT_BYTES);
    }

    /// Has it fetch what it needs besides: what [`Self::prefetch`] has fetched leads there.
    pub(crate) fn prefetch_rest(&self) {
        if let Some(line) = &self.line {
            prefetch(&raw const *line.connection, 1);
        }
        self.stream.prefetch();
    }

    /// Packs a frame for this session and writes it; or takes it in, while there is no connection.
    pub(crate) fn deliver<'f>(
        &mut self,
        frame: &'f Frame,
        packer: &mut Packer<'f>,
        now: Instant,
        outbox: &Outbox,
        metrics: &Metrics,
    ) {
        let own = frame.sessions.get(&self.id);
        if let Some(own) = own
            && !own.results.is_empty()
        {
            self.count_results(&own.results, metrics);
        }
        match &self.line {
            _ if matches!(self.end.as_deref(), Some(End::Close(_))) => return,
            // With a successor, results and topics count as its.
            Some(line) if self.end.is_none() && self.successor.is_none() => {
                let queued = line.connection.queued().bytes;
                let pace = match () {
                    () if queued == 0 => Pace::Good,
                    () if queued <= self.limits.outgoing_bytes_soft => Pace::Good,
                    () if queued <= self.limits.outgoing_bytes_behind => Pace::Slow,
                    () => Pace::TooSlow,
                };
                let room = Room { datagrams: line.connection.datagrams(), pace };
                if self.stream.pack(frame, own, room, now, packer) > 0 {
                    let Packer { world, datagrams, tally, .. } = packer;
                    if !world.is_empty() {
                        self.send(Lane::World, world, tally);
                    }
                    for datagram in datagrams {
                        self.send(Lane::Latest, std::slice::from_ref(datagram), tally);
                    }
                    self.write();
                }
                let wanted = &packer.wanted;
                if !wanted.is_empty() && outbox.resync(self.id, ResyncTopics::Some(wanted)).is_err() {
                    self.stream.not_asked(wanted);
                }
            }
            _ => self.stream.follow(frame, own),
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

    fn send(&mut self, lane: Lane, message: &[Bytes], tally: &mut Tally) {
        let Some(line) = &mut self.line else { return };
        let bytes = message.iter().map(|part| part.len() as u64).sum();
        tally.messages_out += 1;
        tally.bytes_out += bytes;
        self.usage.sent(bytes);
        line.connection.send(lane, message);
    }

    /// Queues and writes a message between frames.
    fn send_now(&mut self, lane: Lane, message: &[Bytes], metrics: &Metrics) {
        let mut tally = Tally::default();
        self.send(lane, message, &mut tally);
        tally.tell(metrics);
        self.write();
    }

    /// Writes what was queued, as far as the client takes it.
    fn write(&mut self) {
        let Some(line) = &mut self.line else { return };
        match line.connection.poll_flush(&mut Context::from_waker(&self.waker)) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => _ = self.end(End::Gone(error)),
            Poll::Pending => self.check_queue(),
        }
    }

    fn check_queue(&mut self) {
        let Some(line) = &self.line else { return };
        let queued = line.connection.queued();
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
