//! What a session may ask for, and what is beyond.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod host;

use common::{Over, Raw, send, serve, serve_with_inbox, with_limits};
use evertick_gateway::GatewayConfig;
use evertick_protocol::{
    CallOutcome, ClientMessage, CloseCode, FailCode, Input, Inputs, Report, ServerMessage,
};
use evertick_transport::{ConnectionExt, Lane};
use host::module::{Say, Spawn, result};
use host::soon;

suite!(Loopback over_loopback, WebSocket over_websocket, Quic over_quic: [
    too_many_calls_are_limited_and_far_too_many_are_flooding,
    pings_are_answered_and_floods_of_them_are_not,
    inputs_come_to_the_host_once,
    a_flood_of_inputs_ends_a_session,
    reports_are_counted_once_a_second,
    floods_of_what_is_skipped_end_a_session,
    a_full_inbox_is_busy,
    calls_in_flight_have_a_bound
]);

/// Inputs of one reducer for ticks, newest first, as an Input message on the latest lane.
fn send_inputs(client: &mut Raw, ticks: &[u64]) {
    let inputs: Vec<_> = ticks.iter().map(|tick| Input { tick: *tick, reducer: 3, args: b"left" }).collect();
    let (mut buffer, mut bytes) = (Vec::new(), Vec::new());
    ClientMessage::Input(Inputs::new(&inputs, &mut buffer)).encode(&mut bytes);
    client.connection.send(Lane::Latest, &[bytes.into()]);
}

async fn too_many_calls_are_limited_and_far_too_many_are_flooding(over: Over) {
    let limits = with_limits(|limits| {
        limits.calls_per_second = 1;
        limits.calls_burst = 5;
        limits.calls_refused_max = 10;
    });
    let host = serve(over, &limits);
    let mut client = Raw::open(host.connection().await, b"ann").await;
    for seq in 1..=30 {
        client.call(seq, Say::NUMBER, &result(&"x".to_owned())).await;
    }
    let close = client.until_closed().await;
    assert_eq!(close.code, CloseCode::Flooding);
    let limited =
        |outcome: &CallOutcome| matches!(outcome, CallOutcome::Failed { code: FailCode::RateLimited, .. });
    let refused = client.results.iter().filter(|(_, outcome)| limited(outcome)).count();
    // A token or two may have come back meanwhile on a slow machine.
    assert!((10..=14).contains(&refused), "{refused}");
    host.until("the host has the rest", |host| host.calls().len() as u64 == host.metrics().calls_forwarded)
        .await;
    assert!((5..=9).contains(&host.calls().len()), "{:?}", host.calls());
    assert_eq!(host.metrics().calls_rate_limited, refused as u64);
}

async fn pings_are_answered_and_floods_of_them_are_not(over: Over) {
    let host = serve(over, &with_limits(|limits| limits.pings_per_second = 1));
    let mut client = Raw::open(host.connection().await, b"ann").await;
    client.ask(1, Spawn::NUMBER, &[]).await;
    send(&mut *client.connection, &ClientMessage::Ping { client_us: 55, results: 0 }).await;
    let bytes = soon(client.connection.recv()).await.unwrap();
    let ServerMessage::Pong(pong) = ServerMessage::decode(&bytes).unwrap() else { panic!() };
    assert_eq!((pong.client_us, pong.tick, pong.tick_cost_us), (55, client.replica.tick(), 123));
    for _ in 0..60 {
        send(&mut *client.connection, &ClientMessage::Ping { client_us: 0, results: 0 }).await;
    }
    assert_eq!(client.until_closed().await.code, CloseCode::Flooding);
}

async fn inputs_come_to_the_host_once(over: Over) {
    let host = serve(over, &with_limits(|_| {}));
    let mut client = Raw::open(host.connection().await, b"ann").await;
    client.ask(1, Spawn::NUMBER, &[]).await;
    for ticks in [&[1001, 1000][..], &[1001, 1000], &[1002, 1001, 1000], &[1000]] {
        send_inputs(&mut client, ticks);
        client.connection.flush().await.unwrap();
    }
    host.until("the inputs", |host| host.metrics().inputs_doubled == 5).await;
    host.until("the inputs at the host", |host| host.inputs().len() == 3).await;
    assert_eq!(host.inputs(), [(1000, 3), (1001, 3), (1002, 3)]);
    assert_eq!((host.metrics().inputs_forwarded, host.metrics().inputs_late), (3, 0));

    // A Pong tells how early the latest of them was, once.
    for early in [true, false] {
        send(&mut *client.connection, &ClientMessage::Ping { client_us: 1, results: 0 }).await;
        let bytes = soon(client.connection.recv()).await.unwrap();
        let ServerMessage::Pong(pong) = ServerMessage::decode(&bytes).unwrap() else { panic!() };
        assert_eq!(pong.slack_us.is_some_and(|slack| slack > 0), early);
        assert_eq!(pong.slack_us.is_some(), early);
    }
    // A tick that was long ago.
    client.ask(2, Spawn::NUMBER, &[]).await;
    let late = [Input { tick: 0, reducer: 4, args: b"" }];
    let mut buffer = Vec::new();
    send(&mut *client.connection, &ClientMessage::Input(Inputs::new(&late, &mut buffer))).await;
    host.until("the late input", |host| host.metrics().inputs_late == 1).await;
}

async fn a_flood_of_inputs_ends_a_session(over: Over) {
    let host = serve(over, &with_limits(|limits| limits.inputs_per_second = 1));
    let mut client = Raw::open(host.connection().await, b"ann").await;
    let input = [Input { tick: 5, reducer: 3, args: b"" }];
    let mut buffer = Vec::new();
    for _ in 0..60 {
        send(&mut *client.connection, &ClientMessage::Input(Inputs::new(&input, &mut buffer))).await;
    }
    assert_eq!(client.until_closed().await.code, CloseCode::Flooding);
}

async fn reports_are_counted_once_a_second(over: Over) {
    let host = serve(over, &with_limits(|_| {}));
    let mut client = Raw::open(host.connection().await, b"ann").await;
    let report =
        Report { staleness_us: 80_000, round_trip_us: 200_000, states_received: 7, ..Report::default() };
    let mut bytes = Vec::new();
    (0..200).for_each(|_| ClientMessage::Report(report).encode(&mut bytes));
    ClientMessage::Call { seq: 1, reducer: Spawn::NUMBER, args: &[] }.encode(&mut bytes);
    client.connection.send(Lane::Control, &[bytes.into()]);
    client.connection.flush().await.unwrap();
    client.until_results(1).await;
    let metrics = host.metrics();
    assert_eq!((metrics.reports, metrics.reported_states_received), (2, 14));
    for (spread, value) in [(metrics.staleness_us, 80_000), (metrics.round_trip_us, 200_000)] {
        assert_eq!(spread.count, 2);
        assert!(spread.p50.abs_diff(value) < value / 50, "{spread:?}");
    }
}

async fn floods_of_what_is_skipped_end_a_session(over: Over) {
    let host = serve(
        over,
        &with_limits(|limits| {
            limits.calls_per_second = 1;
            limits.calls_in_flight_max = 10;
            limits.calls_refused_max = 10;
        }),
    );
    for skipped in [
        ClientMessage::Call { seq: 1, reducer: Spawn::NUMBER, args: &[] },
        ClientMessage::Report(Report::default()),
    ] {
        let mut client = Raw::open(host.connection().await, b"ann").await;
        for _ in 0..60 {
            send(&mut *client.connection, &skipped).await;
        }
        assert_eq!(client.until_closed().await.code, CloseCode::Flooding, "{skipped:?}");
    }
}

async fn a_full_inbox_is_busy(over: Over) {
    let config = GatewayConfig { batch_len_max: 2, ..with_limits(|_| {}) };
    let host = serve_with_inbox(over, &config, 1);
    let mut client = Raw::open(host.connection().await, b"ann").await;
    client.take().await.unwrap();
    host.pause(true);
    client.call(1, Spawn::NUMBER, &[]).await;
    host.until("the inbox is full", |host| host.inbox_len() == 1).await;
    client.calls(2..6).await;
    client.until_results(2).await;
    let busy = |(_, outcome): &(u32, CallOutcome)| {
        matches!(outcome, CallOutcome::Failed { code: FailCode::Busy, .. })
    };
    assert!(client.results.iter().all(busy), "{:?}", client.results);
    assert_eq!(client.results.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [4, 5]);
    host.pause(false);
    client.until_results(5).await;
    assert!(matches!(client.results[4], (3, CallOutcome::Ok(_))));
    assert_eq!((host.metrics().calls_forwarded, host.metrics().calls_busy), (3, 2));
}

async fn calls_in_flight_have_a_bound(over: Over) {
    let host = serve(over, &with_limits(|limits| limits.calls_in_flight_max = 2));
    let mut client = Raw::open(host.connection().await, b"ann").await;
    client.take().await.unwrap();
    host.pause(true);
    for seq in 1..=3 {
        client.call(seq, Spawn::NUMBER, &[]).await;
    }
    client.until_results(1).await;
    assert!(matches!(client.results[0], (3, CallOutcome::Failed { code: FailCode::Busy, .. })));
    host.pause(false);
    client.until_results(3).await;
    client.ask(4, Spawn::NUMBER, &[]).await;
    assert!(matches!(client.results[3], (4, CallOutcome::Ok(_))));
}
