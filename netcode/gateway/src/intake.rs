//! The life of one connection: handshake, Hello, its session's messages, the end.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;
use evertick_protocol::{
    ClientMessage, CloseCode, FailCode, Hello, Inputs, PROTOCOL_VERSION, ProtocolError, Report,
    ServerMessage, SessionSecret, Welcome,
};
use evertick_schema::{SchemaHash, SessionId};
use evertick_transport::{Connection, ConnectionExt, Lane};

use crate::auth::Account;
use crate::budget::Verdict;
use crate::metrics::{Counter, Metrics};
use crate::outbox::{Outbox, Unsent};
use crate::session::{End, Session, end_of};
use crate::shard::{Arrival, Common, Phase, Shard};

/// Messages of one session that are handled before other sessions get a turn.
const MESSAGES_PER_TURN_MAX: u32 = 32;

/// Takes up a connection and stays with it to its end.
pub(crate) async fn run(shard: Rc<Shard>, arrival: Arrival) {
    let metrics = &shard.common.metrics;
    let _open = Held::new(&metrics.connections_open);
    let mut connection = match arrival {
        Arrival::Connection(connection) => connection,
        Arrival::Incoming(incoming) => {
            let peer = incoming.peer();
            match unless_stopping(&shard, incoming.upgrade()).await {
                Some(Ok(connection)) => connection,
                Some(Err(error)) => {
                    if error.is_failure() {
                        metrics.handshakes_failed.add(1);
                        tracing::debug!(%peer, %error, "a connection failed in its handshake");
                    }
                    return;
                }
                None => return,
            }
        }
    };
    match hello(&shard, connection.as_mut()).await {
        Ok(newcomer) => converse(&shard, connection, &newcomer).await,
        Err(end) => farewell(&shard.common, connection, end).await,
    }
}

/// What a Hello asks for, by whom.
struct Newcomer {
    account: Account,
    schema: SchemaHash,
    unconfirmed: bool,
}

/// Waits for the Hello and finds out who it is from.
async fn hello(shard: &Shard, connection: &mut dyn Connection) -> Result<Newcomer, End> {
    let time_max = shard.common.limits.hello_time_max;
    let message = match tokio::time::timeout(time_max, unless_stopping(shard, connection.recv())).await {
        Ok(Some(message)) => message.map_err(end_of)?,
        Ok(None) => return Err(stopping()),
        Err(_) => return Err(End::close(CloseCode::Timeout, format!("no Hello within {time_max:?}"))),
    };
    count_in(&shard.common, &message);
    let (schema, unconfirmed, token) = match decode(&message)? {
        ClientMessage::Hello(Hello { protocol: PROTOCOL_VERSION, resume: Some(_), .. }) => {
            shard.common.metrics.resumes_refused.add(1);
            let text = "the session is not kept any more; open a new one";
            return Err(End::close(CloseCode::Expired, text));
        }
        ClientMessage::Hello(Hello { protocol: PROTOCOL_VERSION, schema, unconfirmed, token, .. }) => {
            (schema, unconfirmed, token)
        }
        ClientMessage::Hello(Hello { protocol, .. }) => {
            let text = format!("the client speaks protocol {protocol}, this server {PROTOCOL_VERSION}");
            return Err(End::close(CloseCode::Unsupported, text));
        }
        _ => return Err(End::close(CloseCode::BadMessage, "the first message must be a Hello")),
    };
    match shard.common.auth.authenticate(token) {
        Ok(account) => Ok(Newcomer { account, schema, unconfirmed }),
        Err(error) => {
            shard.common.metrics.unauthorized.add(1);
            Err(End::close(CloseCode::Unauthorized, error.to_string()))
        }
    }
}

/// Opens a session, serves it, and sees it off.
async fn converse(shard: &Shard, connection: Box<dyn Connection>, newcomer: &Newcomer) {
    let Newcomer { account, schema, unconfirmed } = newcomer;
    let common = &shard.common;
    let id = SessionId(common.next_session.fetch_add(1, Ordering::Relaxed));
    let peer = connection.peer();
    let session = Session::new(id, account.identity, *unconfirmed, connection, common.limits);
    let session = Rc::new(RefCell::new(session));
    welcome(shard, &mut session.borrow_mut(), *schema);
    // The session must stand here before the host hears of it, or its first frame would find nobody.
    let registered = Registered::new(shard, id, *unconfirmed, &session);
    let (told_host, end) = match announce(shard, id, account).await {
        Ok(()) => {
            common.metrics.sessions_opened.add(1);
            tracing::debug!(session = id.0, identity = %account.identity, %peer, "a session opened");
            (true, serve(shard, &session).await)
        }
        Err(end) => (false, end),
    };
    tracing::debug!(session = id.0, ?end, "a session ends");
    drop(registered);
    let session = Rc::into_inner(session).expect("only this task and the register held the session");
    if told_host {
        shard.outbox.close(id);
    }
    farewell(common, session.into_inner().into_connection(), end).await;
}

fn welcome(shard: &Shard, session: &mut Session, schema: SchemaHash) {
    let description = &shard.common.description;
    let clock = shard.clock(session.unconfirmed);
    let welcome = Welcome {
        protocol: PROTOCOL_VERSION,
        resumed: false,
        session: session.id,
        secret: SessionSecret::default(),
        identity: session.identity,
        tick: clock.tick,
        tick_us: description.tick_us,
        time: clock.time,
        schema: description.hash,
        calls: 0,
        bytes_per_second: shard.common.limits.bytes_per_second,
        description: (schema != description.hash).then_some(&description.json),
    };
    session.tell(&ServerMessage::Welcome(welcome), &shard.common.metrics);
}

/// Tells the host of a new session; waits for room in its inbox.
async fn announce(shard: &Shard, session: SessionId, account: &Account) -> Result<(), End> {
    let open = shard.outbox.open(session, account.identity, account.roles.clone());
    let send = unless_stopping(shard, open);
    match tokio::time::timeout(shard.common.limits.hello_time_max, send).await {
        Ok(Some(Ok(()))) => Ok(()),
        Ok(_) => Err(stopping()),
        Err(_) => Err(End::close(CloseCode::Internal, "the server is too busy for a new session; try again")),
    }
}

/// Handles the session's messages until it is over.
async fn serve(shard: &Shard, session: &RefCell<Session>) -> End {
    loop {
        for _ in 0..MESSAGES_PER_TURN_MAX {
            let next = poll_fn(|context| session.borrow_mut().poll_next(context)).await;
            let handled = next.and_then(|message| handle(shard, &mut session.borrow_mut(), &message));
            if let Err(end) = handled {
                return end;
            }
        }
        tokio::task::yield_now().await;
    }
}

/// Does what a connection's message asks for: one thing or many.
fn handle(shard: &Shard, session: &mut Session, message: &Bytes) -> Result<(), End> {
    let metrics = &shard.common.metrics;
    count_in(&shard.common, message);
    let now = Instant::now();
    let in_flight = session.calls_in_flight;
    let by_datagram = session.last_lane() == Lane::Latest;
    let handled = ClientMessage::decode_all(message).try_for_each(|message| match (message, by_datagram) {
        (Ok(message @ (ClientMessage::Input(_) | ClientMessage::Report(_))), true) => {
            obey(shard, session, message, now)
        }
        (_, true) => {
            metrics.datagrams_refused.add(1);
            Ok(())
        }
        (message, false) => obey(shard, session, message.map_err(bad)?, now),
    });
    metrics.calls_forwarded.add(u64::from(session.calls_in_flight - in_flight));
    session.tell_failed(shard.clock(session.unconfirmed), metrics);
    handled
}

/// Does one thing that a client asks for.
fn obey(shard: &Shard, session: &mut Session, message: ClientMessage<'_>, now: Instant) -> Result<(), End> {
    match message {
        ClientMessage::Call { seq, reducer, args } => call(shard, session, (seq, reducer, args), now),
        ClientMessage::Ping { client_us, .. } => ping(shard, session, client_us, now),
        ClientMessage::Bye => Err(End::close(CloseCode::Normal, "goodbye")),
        ClientMessage::Hello(_) => Err(End::close(CloseCode::BadMessage, "a second Hello")),
        ClientMessage::Subscribe { query, text } => {
            ask(shard, session, query, now, |outbox, id| outbox.subscribe(id, query, text))
        }
        ClientMessage::Unsubscribe { query } => {
            ask(shard, session, query, now, |outbox, id| outbox.unsubscribe(id, query))
        }
        ClientMessage::Input(inputs) => input(shard, session, inputs, now),
        ClientMessage::Report(told) => {
            report(session, told, now, &shard.common.metrics);
            Ok(())
        }
    }
}

/// Passes a query, or its end, on to the host; it counts as a call does.
fn ask(
    shard: &Shard,
    session: &mut Session,
    query: u32,
    now: Instant,
    pass: impl FnOnce(&Outbox, SessionId) -> Result<(), Unsent>,
) -> Result<(), End> {
    let text = match session.calls.ask(now) {
        Verdict::Flooding => {
            return Err(End::close(CloseCode::Flooding, "queries went on far beyond the rate limit"));
        }
        Verdict::Limited => {
            format!("more than {} calls and queries per second", shard.common.limits.calls_per_second)
        }
        Verdict::Granted => match pass(&shard.outbox, session.id) {
            Ok(()) => return Ok(()),
            Err(Unsent::Full) => "the server has too much waiting; try again".to_owned(),
            Err(Unsent::HostGone) => return Err(stopping()),
        },
    };
    shard.common.metrics.queries_refused.add(1);
    session.refuse_query(query, text);
    Ok(())
}

/// Passes new inputs on to the host.
fn input(shard: &Shard, session: &mut Session, inputs: Inputs<'_>, now: Instant) -> Result<(), End> {
    let clock = shard.clock(session.unconfirmed);
    let tick_us = shard.common.description.tick_us;
    let id = session.id;
    let slack_us = |tick| clock.slack_us(tick, tick_us, now);
    let taken = session.inputs.take(inputs, now, slack_us, |input| shard.outbox.input(id, input).is_ok());
    let metrics = &shard.common.metrics;
    metrics.inputs_forwarded.add(taken.forwarded);
    metrics.inputs_doubled.add(taken.doubled);
    metrics.inputs_late.add(taken.late);
    metrics.inputs_refused.add(taken.refused);
    if taken.flooding {
        return Err(End::close(CloseCode::Flooding, "far too many inputs"));
    }
    Ok(())
}

/// Counts how a client gets along; what comes more often than once a second is not.
fn report(session: &mut Session, told: Report, now: Instant, metrics: &Metrics) {
    if !session.reports.take(now) {
        return;
    }
    metrics.reports.add(1);
    let staleness = match told.staleness_us {
        0..=50_000 => &metrics.reports_staleness_le_50_ms,
        50_001..=100_000 => &metrics.reports_staleness_le_100_ms,
        100_001..=250_000 => &metrics.reports_staleness_le_250_ms,
        _ => &metrics.reports_staleness_above_250_ms,
    };
    staleness.add(1);
    let round_trip = match told.round_trip_us {
        0..=50_000 => &metrics.reports_round_trip_le_50_ms,
        50_001..=150_000 => &metrics.reports_round_trip_le_150_ms,
        _ => &metrics.reports_round_trip_above_150_ms,
    };
    round_trip.add(1);
    metrics.reported_states_received.add(told.states_received.into());
    metrics.reported_states_lost.add(told.states_lost.into());
}

fn ping(shard: &Shard, session: &mut Session, client_us: u64, now: Instant) -> Result<(), End> {
    match session.pings.ask(now) {
        Verdict::Granted => {
            shard.common.metrics.pings.add(1);
            let clock = shard.clock(session.unconfirmed);
            session.pong(client_us, clock, &shard.common.metrics);
        }
        Verdict::Limited => {}
        Verdict::Flooding => return Err(End::close(CloseCode::Flooding, "far too many pings")),
    }
    Ok(())
}

/// Passes a call (its number, its reducer, its arguments) on to the host, or notes why not.
fn call(
    shard: &Shard,
    session: &mut Session,
    (seq, reducer, args): (u32, u32, &[u8]),
    now: Instant,
) -> Result<(), End> {
    let Common { limits, metrics, .. } = &*shard.common;
    let (code, message) = match session.calls.ask(now) {
        Verdict::Flooding => {
            return Err(End::close(CloseCode::Flooding, "calls went on far beyond the rate limit"));
        }
        Verdict::Limited => {
            metrics.calls_rate_limited.add(1);
            (FailCode::RateLimited, format!("more than {} calls per second", limits.calls_per_second))
        }
        Verdict::Granted if session.calls_in_flight >= limits.calls_in_flight_max => {
            metrics.calls_busy.add(1);
            (FailCode::Busy, format!("{} calls are waiting for their results", session.calls_in_flight))
        }
        Verdict::Granted => match shard.outbox.call(session.id, seq, reducer, args) {
            Ok(()) => {
                session.calls_in_flight += 1;
                return Ok(());
            }
            Err(Unsent::Full) => {
                metrics.calls_busy.add(1);
                (FailCode::Busy, "the server has too many calls waiting; try again".to_owned())
            }
            Err(Unsent::HostGone) => return Err(stopping()),
        },
    };
    session.fail(seq, code, message);
    Ok(())
}

fn decode(message: &Bytes) -> Result<ClientMessage<'_>, End> {
    ClientMessage::decode(message).map_err(bad)
}

fn bad(error: ProtocolError) -> End {
    End::close(CloseCode::BadMessage, error.to_string())
}

fn count_in(common: &Common, message: &Bytes) {
    common.metrics.messages_in.add(1);
    common.metrics.bytes_in.add(message.len() as u64);
}

/// Sends the last words, where there are any, and lets go of the connection.
async fn farewell(common: &Common, mut connection: Box<dyn Connection>, end: End) {
    match end {
        End::Close(close) => {
            common.metrics.closes[usize::from(close.code as u16)].add(1);
            let code = close.code as u16;
            let reason = close.message.clone();
            let mut bytes = Vec::with_capacity(64);
            ServerMessage::Closed(close).encode(&mut bytes);
            connection.send(Lane::World, &[bytes.into()]);
            connection.finish(code, &reason, common.limits.linger).await;
        }
        End::Gone(error) => {
            common.metrics.closes[0].add(1);
            tracing::debug!(peer = %connection.peer(), %error, "a connection is gone");
            connection.finish(CloseCode::Normal as u16, "", common.limits.linger).await;
        }
    }
}

fn stopping() -> End {
    End::close(CloseCode::Shutdown, "the server stops; connect again in a while")
}

/// `future`, or `None` when the gateway stops first.
async fn unless_stopping<T>(shard: &Shard, future: impl Future<Output = T>) -> Option<T> {
    let mut phase = shard.phase.clone();
    tokio::select! {
        biased;
        output = future => Some(output),
        _ = phase.wait_for(|phase| *phase != Phase::Running) => None,
    }
}

/// Counts something for as long as it lives.
struct Held<'a>(&'a Counter);

impl<'a> Held<'a> {
    fn new(counter: &'a Counter) -> Self {
        counter.add(1);
        Self(counter)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.sub(1);
    }
}

/// A session's place among those that frames are delivered to.
struct Registered<'a> {
    shard: &'a Shard,
    id: SessionId,
    unconfirmed: bool,
    _open: Held<'a>,
}

impl<'a> Registered<'a> {
    fn new(shard: &'a Shard, id: SessionId, unconfirmed: bool, session: &Rc<RefCell<Session>>) -> Self {
        shard.shared.unconfirmed.fetch_add(usize::from(unconfirmed), Ordering::Relaxed);
        shard.sessions.borrow_mut().insert(id, Rc::clone(session));
        Self { shard, id, unconfirmed, _open: Held::new(&shard.common.metrics.sessions_open) }
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.shard.sessions.borrow_mut().remove(&self.id);
        self.shard.shared.unconfirmed.fetch_sub(usize::from(self.unconfirmed), Ordering::Relaxed);
    }
}
