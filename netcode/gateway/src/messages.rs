//! What the messages of a session's client ask for.

use std::time::Instant;

use bytes::Bytes;
use evertick_protocol::{ClientMessage, CloseCode, FailCode, Inputs, Report};
use evertick_schema::SessionId;
use evertick_transport::Lane;

use crate::budget::Verdict;
use crate::intake::{bad, count_in, stopping};
use crate::metrics::Metrics;
use crate::outbox::{Outbox, Unsent};
use crate::session::{End, Session};
use crate::shard::{Common, Shard};

/// Does what a connection's message asks for: one thing or many.
pub(crate) fn handle(shard: &Shard, session: &mut Session, message: &Bytes) -> Result<(), End> {
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
            useless(session, now)
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
        ClientMessage::Ping { client_us, results } => {
            session.acknowledge(results);
            ping(shard, session, client_us, now)
        }
        ClientMessage::Bye => Err(End::close(CloseCode::Normal, "goodbye")),
        ClientMessage::Hello(_) => Err(End::close(CloseCode::BadMessage, "a second Hello")),
        ClientMessage::Subscribe { query, text } => {
            ask(shard, session, query, now, |outbox, id| outbox.subscribe(id, query, text))
        }
        ClientMessage::Unsubscribe { query } => {
            ask(shard, session, query, now, |outbox, id| outbox.unsubscribe(id, query))
        }
        ClientMessage::Input(inputs) => input(shard, session, inputs, now),
        ClientMessage::Report(told) => report(session, told, now, &shard.common.metrics),
    }
}

/// Notes that something came that nobody needs.
fn useless(session: &mut Session, now: Instant) -> Result<(), End> {
    match session.useless.ask(now) {
        Verdict::Flooding => Err(End::close(CloseCode::Flooding, "far too much that is of no use")),
        Verdict::Granted | Verdict::Limited => Ok(()),
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
    session.forget_query(query);
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
fn report(session: &mut Session, told: Report, now: Instant, metrics: &Metrics) -> Result<(), End> {
    if !session.reports.take(now) {
        return useless(session, now);
    }
    metrics.reports.add(1);
    metrics.staleness_us.record(told.staleness_us.into());
    metrics.round_trip_us.record(told.round_trip_us.into());
    metrics.jitter_us.record(told.jitter_us.into());
    session.report_use(now, metrics);
    metrics.reported_states_received.add(told.states_received.into());
    metrics.reported_states_lost.add(told.states_lost.into());
    Ok(())
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
    if seq <= session.seq {
        metrics.calls_doubled.add(1);
        return useless(session, now);
    }
    if seq - session.seq > 1 {
        let text = format!("call {seq} came after call {}: calls are numbered without gaps", session.seq);
        return Err(End::close(CloseCode::BadMessage, text));
    }
    session.seq = seq;
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
