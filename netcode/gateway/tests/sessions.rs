//! Sessions from the client's side of the wire, byte for byte: what a gateway answers to good and to bad clients.
#![allow(clippy::unwrap_used, reason = "tests")]

mod host;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evertick_gateway::{GatewayConfig, SessionLimits};
use evertick_protocol::{
    CallOutcome, Changes, ClientMessage, Close, CloseCode, FailCode, Hello, Input, Inputs, PROTOCOL_VERSION,
    QueryOutcome, QueryReply, Replica, Report, Resume, ServerMessage, SessionSecret,
};
use evertick_schema::{EntityId, ModuleDescription, SchemaHash, SessionId};
use evertick_transport::{
    ClientOptions, ConnectError, Connection, ConnectionExt, Lane, Limits, Listener, ListenerOptions,
    QuicOptions, connect, tls,
};
use host::module::{self, Increment, Look, Say, Spawn, description, result};
use host::{Host, PATIENCE, soon};

/// A client made of nothing but the protocol.
struct Raw {
    connection: Box<dyn Connection>,
    replica: Replica,
    session: SessionId,
    results: Vec<(u32, CallOutcome)>,
    events: usize,
    queries: Vec<QueryReply>,
}

impl Raw {
    /// Connects and says Hello; the description comes with the Welcome.
    async fn open(mut connection: Box<dyn Connection>, token: &[u8]) -> Self {
        let hello = ClientMessage::Hello(Hello::new(token));
        send(&mut *connection, &hello).await;
        let bytes = soon(connection.recv()).await.unwrap();
        let ServerMessage::Welcome(welcome) = ServerMessage::decode(&bytes).unwrap() else {
            panic!("{bytes:?}")
        };
        let module = ModuleDescription::from_json(welcome.description.unwrap()).unwrap();
        assert_eq!((&module, welcome.schema), (&description(), description().hash()));
        let replica = Replica::new(&module).unwrap();
        Self {
            session: welcome.session,
            connection,
            replica,
            results: Vec::new(),
            events: 0,
            queries: Vec::new(),
        }
    }

    async fn call(&mut self, seq: u32, reducer: u32, args: &[u8]) {
        send(&mut *self.connection, &ClientMessage::Call { seq, reducer, args }).await;
    }

    /// Calls in one message, without arguments.
    async fn calls(&mut self, seqs: Range<u32>) {
        let mut bytes = Vec::new();
        for seq in seqs {
            ClientMessage::Call { seq, reducer: Spawn::NUMBER, args: &[] }.encode(&mut bytes);
        }
        self.connection.send(Lane::Control, &[bytes.into()]);
        self.connection.flush().await.unwrap();
    }

    /// Takes one message; `Err` is the server's last.
    async fn take(&mut self) -> Result<(), Close> {
        let bytes = soon(self.connection.recv()).await.unwrap();
        match ServerMessage::decode(&bytes).unwrap() {
            ServerMessage::Frame(frame) => {
                let mut changes = Changes::new();
                self.replica.apply(frame, &mut changes).unwrap();
                self.events += changes.events().count();
                self.results.extend(changes.results.drain(..).map(|reply| (reply.seq, reply.result)));
                self.queries.append(&mut changes.queries);
                Ok(())
            }
            ServerMessage::Pong(_) | ServerMessage::State(_) => Ok(()),
            ServerMessage::Closed(close) => Err(close),
            ServerMessage::Welcome(_) => panic!("a second Welcome"),
        }
    }

    async fn until_results(&mut self, count: usize) {
        while self.results.len() < count {
            self.take().await.unwrap();
        }
    }

    async fn until_closed(&mut self) -> Close {
        loop {
            if let Err(close) = self.take().await {
                return close;
            }
        }
    }
}

async fn send(connection: &mut dyn Connection, message: &ClientMessage<'_>) {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    connection.send(Lane::Control, &[bytes.into()]);
    // A server that has closed already is found out by what it said.
    let _closed = soon(connection.flush()).await;
}

/// Sends a first message and returns how the server ends it.
async fn turned_away(host: &Served, first: &[u8]) -> Close {
    let mut connection = host.connection().await;
    connection.send(Lane::Control, &[Bytes::copy_from_slice(first)]);
    let bytes = soon(connection.recv()).await.unwrap();
    match ServerMessage::decode(&bytes).unwrap() {
        ServerMessage::Closed(close) => close,
        other => panic!("{other:?}"),
    }
}

fn hello(protocol: u8, schema: SchemaHash, token: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    ClientMessage::Hello(Hello { protocol, schema, ..Hello::new(token) }).encode(&mut bytes);
    bytes
}

fn with_limits(change: impl FnOnce(&mut SessionLimits)) -> GatewayConfig {
    let mut limits = SessionLimits { linger: Duration::from_millis(200), ..SessionLimits::default() };
    change(&mut limits);
    GatewayConfig { shards: 2, limits, ..GatewayConfig::default() }
}

/// How clients of a test come in.
#[derive(Clone, Copy, Debug)]
enum Over {
    Loopback,
    WebSocket,
    Quic,
}

/// A host and the way to it.
struct Served {
    host: Host,
    url: Option<String>,
}

impl std::ops::Deref for Served {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}

impl Served {
    async fn connection(&self) -> Box<dyn Connection> {
        match &self.url {
            None => self.host.loopback(),
            Some(_) => self.dial().await.unwrap(),
        }
    }

    async fn dial(&self) -> Result<Box<dyn Connection>, ConnectError> {
        // A UDP port where nobody is says nothing.
        let limits = Limits { handshake_time_max: Duration::from_secs(3), ..Limits::CLIENT };
        let options = ClientOptions { limits, ..ClientOptions::default() };
        soon(connect(self.url.as_deref().unwrap(), &options)).await
    }
}

fn serve(over: Over, config: &GatewayConfig) -> Served {
    serve_with_inbox(over, config, 1024)
}

fn serve_with_inbox(over: Over, config: &GatewayConfig, inbox: usize) -> Served {
    serve_some(over, config, inbox, 100)
}

fn serve_some(over: Over, config: &GatewayConfig, inbox: usize, connections_max: usize) -> Served {
    let listener = match over {
        Over::Loopback => None,
        Over::WebSocket => {
            let send_buffer_bytes = 32 * 1024;
            let options = ListenerOptions { send_buffer_bytes, connections_max, ..Default::default() };
            Some(Listener::bind("127.0.0.1:0", options).unwrap())
        }
        Over::Quic => {
            let options = QuicOptions { connections_max, ..Default::default() };
            Some(Listener::bind_quic("127.0.0.1:0", options).unwrap())
        }
    };
    let url = listener.as_ref().map(Listener::url);
    Served { host: Host::with_inbox(config, listener.into_iter().collect(), inbox), url }
}

/// Makes each of the functions a test over each transport.
macro_rules! suite {
    ($($over:ident $name:ident),*: $tests:tt) => { $(suite!(@one $over $name $tests);)* };
    (@one $over:ident $name:ident [$($test:ident),*]) => {
        mod $name {
            use super::*;
            $(#[tokio::test]
            async fn $test() {
                super::$test(Over::$over).await;
            })*
        }
    };
}

suite!(Loopback over_loopback, WebSocket over_websocket, Quic over_quic: [
    a_session_sees_the_world_and_its_results,
    topics_are_entered_and_left,
    the_schema_decides_whether_the_description_is_sent,
    bad_beginnings_are_turned_away_with_a_reason,
    silence_instead_of_a_hello_times_out,
    garbage_ends_a_session_and_nobody_elses,
    bye_is_answered_and_told_to_the_host,
    the_host_can_end_a_session,
    too_many_calls_are_limited_and_far_too_many_are_flooding,
    pings_are_answered_and_floods_of_them_are_not,
    inputs_come_to_the_host_once,
    a_flood_of_inputs_ends_a_session,
    reports_are_counted_once_a_second,
    queries_are_passed_on_and_answered,
    a_session_that_is_not_kept_is_not_resumed,
    a_full_inbox_is_busy,
    many_calls_in_one_message_are_many_calls,
    calls_in_flight_have_a_bound,
    a_shard_that_loses_a_frame_closes_its_sessions_and_takes_new_ones
]);

suite!(WebSocket on_websockets, Quic on_quic: [
    a_client_that_stops_reading_is_closed_and_others_go_on,
    shutdown_delivers_what_was_published_and_says_why,
    shutdown_does_not_wait_for_those_who_do_not_listen,
    a_dropped_gateway_cuts_everyone_off
]);

async fn a_session_sees_the_world_and_its_results(over: Over) {
    let host = serve(over, &with_limits(|_| {}));
    let mut client = Raw::open(host.connection().await, b"ann").await;
    client.call(7, Spawn::NUMBER, &[]).await;
    client.call(8, Increment::NUMBER, &result(&EntityId(2))).await;
    client.call(9, Increment::NUMBER, &result(&EntityId(99))).await;
    client.call(10, module::Crash::NUMBER, &[]).await;
    client.call(11, 77, &[]).await;
    client.until_results(5).await;

    let seqs: Vec<_> = client.results.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(seqs, [7, 8, 9, 10, 11], "results come in the order of the calls");
    assert_eq!(client.results[0].1, CallOutcome::Ok(result(&EntityId(2))));
    assert_eq!(client.results[1].1, CallOutcome::Ok(result(&1_u32)));
    assert!(matches!(&client.results[2].1, CallOutcome::Refused { variant: 0, .. }));
    assert!(matches!(&client.results[3].1, CallOutcome::Failed { code: FailCode::Internal, id: 7, .. }));
    assert!(matches!(&client.results[4].1, CallOutcome::Failed { code: FailCode::UnknownReducer, .. }));
    assert_eq!(client.replica.get(module::SCORE, EntityId(2)), Some(&1_u32.to_le_bytes()[..]));

    let metrics = host.metrics();
    assert_eq!(
        (metrics.calls_forwarded, metrics.calls_ok, metrics.calls_refused, metrics.calls_failed),
        (5, 2, 1, 2)
    );
    assert_eq!((metrics.sessions_open, metrics.sessions_opened, metrics.connections_open), (1, 1, 1));
    assert!(metrics.bytes_in > 0 && metrics.bytes_out > 0);
}

async fn topics_are_entered_and_left(over: Over) {
    let host = serve(over, &with_limits(|_| {}));
    let mut client = Raw::open(host.connection().await, b"ann").await;
    client.call(1, Look::NUMBER, &[1]).await;
    client.until_results(1).await;
    assert_eq!(client.replica.len(module::SECRET), 1);
    client.call(2, Look::NUMBER, &[0]).await;
    client.until_results(2).await;
    assert_eq!(client.replica.len(module::SECRET), 0);
    client.call(3, Look::NUMBER, &[1]).await;
    client.until_results(3).await;
    assert_eq!(client.replica.len(module::SECRET), 1);
}

async fn the_schema_decides_whether_the_description_is_sent(over: Over) {
    let host = serve(over, &with_limits(|_| {}));
    let cases = [(description().hash(), false), (SchemaHash::UNKNOWN, true), (SchemaHash([9; 32]), true)];
    for (schema, described) in cases {
        let mut connection = host.connection().await;
        connection.send(Lane::Control, &[hello(PROTOCOL_VERSION, schema, b"ann").into()]);
        let bytes = soon(connection.recv()).await.unwrap();
        let ServerMessage::Welcome(welcome) = ServerMessage::decode(&bytes).unwrap() else { panic!() };
        assert_eq!(welcome.description.is_some(), described);
        assert_eq!(&welcome.identity.0[..4], b"ann\0");
        assert_eq!(welcome.tick_us, 50_000);
    }
}

async fn bad_beginnings_are_turned_away_with_a_reason(over: Over) {
    let host = serve(over, &with_limits(|_| {}));
    let close = turned_away(&host, b"\xff\xfe\xfd").await;
    assert_eq!(close.code, CloseCode::BadMessage);
    let close = turned_away(&host, &[]).await;
    assert_eq!(close.code, CloseCode::BadMessage);
    let close = turned_away(&host, &[0x04]).await;
    assert_eq!((close.code, &*close.message), (CloseCode::BadMessage, "the first message must be a Hello"));
    let close = turned_away(&host, &hello(99, SchemaHash::UNKNOWN, b"ann")).await;
    assert_eq!(close.code, CloseCode::Unsupported);
    assert!(close.message.contains("protocol 99"), "{}", close.message);
    let close = turned_away(&host, &hello(PROTOCOL_VERSION, SchemaHash::UNKNOWN, b"nobody")).await;
    assert_eq!((close.code, &*close.message), (CloseCode::Unauthorized, "there is no such account"));
    let close = turned_away(&host, &vec![0; Limits::SERVER.message_bytes_max + 1]).await;
    assert_eq!(close.code, CloseCode::TooLarge);

    let metrics = host.metrics();
    assert_eq!((metrics.sessions_opened, metrics.unauthorized), (0, 1));
    assert_eq!(metrics.closes[CloseCode::BadMessage as usize], 3);
    host.until("all connections are gone", |host| host.metrics().connections_open == 0).await;
}

async fn silence_instead_of_a_hello_times_out(over: Over) {
    let host = serve(over, &with_limits(|limits| limits.hello_time_max = Duration::from_millis(30)));
    let mut connection = host.connection().await;
    let bytes = soon(connection.recv()).await.unwrap();
    let ServerMessage::Closed(close) = ServerMessage::decode(&bytes).unwrap() else { panic!() };
    assert_eq!(close.code, CloseCode::Timeout);
}

async fn garbage_ends_a_session_and_nobody_elses(over: Over) {
    let host = serve(over, &with_limits(|_| {}));
    let mut good = Raw::open(host.connection().await, b"ann").await;
    for garbage in [&b"\x02"[..], b"\x77", b"\x03\x01", &[0x02, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]] {
        let mut bad = Raw::open(host.connection().await, b"bob").await;
        bad.connection.send(Lane::Control, &[Bytes::copy_from_slice(garbage)]);
        assert_eq!(bad.until_closed().await.code, CloseCode::BadMessage);
    }
    let mut twice = Raw::open(host.connection().await, b"bob").await;
    twice.connection.send(Lane::Control, &[hello(PROTOCOL_VERSION, SchemaHash::UNKNOWN, b"bob").into()]);
    assert_eq!(twice.until_closed().await.message, "a second Hello");

    host.until("the host heard of all ends", |host| host.sessions().len() == 1).await;
    good.call(1, Spawn::NUMBER, &[]).await;
    good.until_results(1).await;
}

async fn bye_is_answered_and_told_to_the_host(over: Over) {
    let host = serve(over, &with_limits(|_| {}));
    let mut client = Raw::open(host.connection().await, b"ann").await;
    host.until("the host knows the session", |host| host.sessions().contains(&client.session)).await;
    send(&mut *client.connection, &ClientMessage::Bye).await;
    assert_eq!(client.until_closed().await.code, CloseCode::Normal);
    host.until("the host forgets the session", |host| host.sessions().is_empty()).await;
    assert_eq!(host.metrics().closes[CloseCode::Normal as usize], 1);

    let lost = Raw::open(host.connection().await, b"bob").await;
    host.until("the host knows the session", |host| host.sessions().contains(&lost.session)).await;
    drop(lost);
    host.until("the host forgets a lost session", |host| host.sessions().is_empty()).await;
    assert_eq!(host.metrics().closes[0], 1);
}

async fn the_host_can_end_a_session(over: Over) {
    let host = serve(over, &with_limits(|_| {}));
    let mut client = Raw::open(host.connection().await, b"ann").await;
    host.until("the host knows the session", |host| host.sessions().contains(&client.session)).await;
    let close = Close { code: CloseCode::Unauthorized, message: "banned".to_owned() };
    host.dismiss(client.session, close.clone());
    assert_eq!(client.until_closed().await, close);
    host.until("the host hears that it ended", |host| host.sessions().is_empty()).await;
}

async fn too_many_calls_are_limited_and_far_too_many_are_flooding(over: Over) {
    let limits = with_limits(|limits| {
        limits.calls_per_second = 1;
        limits.calls_burst = 5;
        limits.calls_refused_max = 10;
    });
    let host = serve(over, &limits);
    let mut client = Raw::open(host.connection().await, b"ann").await;
    for seq in 0..30 {
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
    client.call(1, Spawn::NUMBER, &[]).await;
    client.until_results(1).await;
    send(&mut *client.connection, &ClientMessage::Ping { client_us: 55, results: 0 }).await;
    let bytes = soon(client.connection.recv()).await.unwrap();
    let ServerMessage::Pong(pong) = ServerMessage::decode(&bytes).unwrap() else { panic!() };
    assert_eq!((pong.client_us, pong.tick, pong.tick_cost_us), (55, client.replica.tick(), 123));
    for _ in 0..60 {
        send(&mut *client.connection, &ClientMessage::Ping { client_us: 0, results: 0 }).await;
    }
    assert_eq!(client.until_closed().await.code, CloseCode::Flooding);
}

/// Inputs of one reducer for ticks, newest first, as an Input message on the latest lane.
fn send_inputs(client: &mut Raw, ticks: &[u64]) {
    let inputs: Vec<_> = ticks.iter().map(|tick| Input { tick: *tick, reducer: 3, args: b"left" }).collect();
    let (mut buffer, mut bytes) = (Vec::new(), Vec::new());
    ClientMessage::Input(Inputs::new(&inputs, &mut buffer)).encode(&mut bytes);
    client.connection.send(Lane::Latest, &[bytes.into()]);
}

async fn inputs_come_to_the_host_once(over: Over) {
    let host = serve(over, &with_limits(|_| {}));
    let mut client = Raw::open(host.connection().await, b"ann").await;
    client.call(1, Spawn::NUMBER, &[]).await;
    client.until_results(1).await;
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
    client.call(2, Spawn::NUMBER, &[]).await;
    client.until_results(2).await;
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
    assert_eq!((metrics.reports_staleness_le_100_ms, metrics.reports_round_trip_above_150_ms), (2, 2));
}

async fn queries_are_passed_on_and_answered(over: Over) {
    let host = serve(over, &with_limits(|limits| (limits.calls_per_second, limits.calls_burst) = (1, 2)));
    let mut client = Raw::open(host.connection().await, b"ann").await;
    let text = "SELECT * FROM ore";
    for query in 1..=4 {
        let message = match query {
            2 => ClientMessage::Unsubscribe { query: 1 },
            _ => ClientMessage::Subscribe { query, text },
        };
        send(&mut *client.connection, &message).await;
    }
    // Those beyond the rate are refused.
    while client.queries.len() < 3 {
        client.take().await.unwrap();
    }
    client.queries.sort_by_key(|reply| reply.query);
    let plan = text.to_owned();
    assert_eq!(client.queries[0], QueryReply { query: 1, outcome: QueryOutcome::Explained { plan } });
    for reply in &client.queries[1..] {
        assert!(
            matches!(&reply.outcome, QueryOutcome::Refused { message } if message.contains("per second"))
        );
    }
    host.until("the end of the query", |host| host.unsubscribed() == [1]).await;
    assert_eq!(host.metrics().queries_refused, 2);
}

async fn a_session_that_is_not_kept_is_not_resumed(over: Over) {
    let host = serve(over, &with_limits(|_| {}));
    let resume = Resume { session: SessionId(1), secret: SessionSecret([7; 16]), results: 0 };
    let mut bytes = Vec::new();
    ClientMessage::Hello(Hello { resume: Some(resume), ..Hello::new(b"ann") }).encode(&mut bytes);
    assert_eq!(turned_away(&host, &bytes).await.code, CloseCode::Expired);
    assert_eq!((host.metrics().resumes_refused, host.metrics().sessions_opened), (1, 0));
}

async fn a_full_inbox_is_busy(over: Over) {
    let config = GatewayConfig { batch_len_max: 2, ..with_limits(|_| {}) };
    let host = serve_with_inbox(over, &config, 1);
    let mut client = Raw::open(host.connection().await, b"ann").await;
    client.take().await.unwrap();
    host.pause(true);
    client.call(0, Spawn::NUMBER, &[]).await;
    host.until("the inbox is full", |host| host.inbox_len() == 1).await;
    client.calls(1..5).await;
    client.until_results(2).await;
    let busy = |(_, outcome): &(u32, CallOutcome)| {
        matches!(outcome, CallOutcome::Failed { code: FailCode::Busy, .. })
    };
    assert!(client.results.iter().all(busy), "{:?}", client.results);
    assert_eq!(client.results.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [3, 4]);
    host.pause(false);
    client.until_results(5).await;
    assert!(matches!(client.results[4], (2, CallOutcome::Ok(_))));
    assert_eq!((host.metrics().calls_forwarded, host.metrics().calls_busy), (3, 2));
}

async fn many_calls_in_one_message_are_many_calls(over: Over) {
    let host = serve(over, &with_limits(|_| {}));
    let mut client = Raw::open(host.connection().await, b"ann").await;
    client.calls(0..40).await;
    client.until_results(40).await;
    assert_eq!(host.calls(), (0..40).collect::<Vec<_>>());
    let metrics = host.metrics();
    assert_eq!((metrics.calls_forwarded, metrics.calls_ok, metrics.messages_in), (40, 40, 2));
    // What stands before bytes that are no message still counts.
    let mut bytes = Vec::new();
    ClientMessage::Call { seq: 40, reducer: Spawn::NUMBER, args: &[] }.encode(&mut bytes);
    bytes.push(0x7f);
    client.connection.send(Lane::Control, &[bytes.into()]);
    client.connection.flush().await.unwrap();
    assert_eq!(client.until_closed().await.code, CloseCode::BadMessage);
    host.until("the last call came", |host| host.calls().len() == 41).await;
}

async fn calls_in_flight_have_a_bound(over: Over) {
    let host = serve(over, &with_limits(|limits| limits.calls_in_flight_max = 2));
    let mut client = Raw::open(host.connection().await, b"ann").await;
    client.take().await.unwrap();
    host.pause(true);
    for seq in 0..3 {
        client.call(seq, Spawn::NUMBER, &[]).await;
    }
    client.until_results(1).await;
    assert!(matches!(client.results[0], (2, CallOutcome::Failed { code: FailCode::Busy, .. })));
    host.pause(false);
    client.until_results(3).await;
    client.call(3, Spawn::NUMBER, &[]).await;
    client.until_results(4).await;
    assert!(matches!(client.results[3], (3, CallOutcome::Ok(_))));
}

async fn a_client_that_stops_reading_is_closed_and_others_go_on(over: Over) {
    let config = with_limits(|limits| limits.outgoing_bytes_max = 256 * 1024);
    let host = serve(over, &config);
    let mut reader = Raw::open(host.connection().await, b"ann").await;
    let sleeper = Raw::open(host.connection().await, b"bob").await;
    host.until("both are known", |host| host.sessions().len() == 2).await;
    reader.take().await.unwrap();

    // The kernel holds some megabytes before the gateway sees that nobody reads.
    let text = "x".repeat(100_000);
    for round in 0.. {
        assert!(round < 1000, "the sleeper is never closed");
        host.shout(&text);
        while reader.events <= round {
            reader.take().await.expect("who reads is not closed");
        }
        if host.metrics().closes[CloseCode::TooSlow as usize] > 0 {
            break;
        }
    }
    host.until("the host heard of it", |host| !host.sessions().contains(&sleeper.session)).await;
    reader.call(1, Spawn::NUMBER, &[]).await;
    reader.until_results(1).await;
    assert_eq!(host.metrics().closes[CloseCode::TooSlow as usize], 1);
}

async fn a_shard_that_loses_a_frame_closes_its_sessions_and_takes_new_ones(over: Over) {
    let config = GatewayConfig { frames_waiting_max: 1, ..with_limits(|_| {}) };
    let host = serve(over, &config);
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = Raw::open(host.connection().await, b"ann").await;
        client.take().await.unwrap();
        clients.push(client);
    }
    // Faster than any shard takes them, until one is lost.
    let mut lost = 0;
    for _ in 0..1000 {
        host.overrun(1000);
        lost = host.metrics().frames_lost;
        if lost > 0 {
            break;
        }
    }
    assert!(lost > 0);
    host.shout("so that every shard gets a frame after the hole");
    host.until("sessions are closed", |host| host.metrics().sessions_lost_frames > 0).await;
    let closed = host.metrics().sessions_lost_frames;
    host.until("the host heard of them", |host| host.sessions().len() as u64 <= 4_u64.saturating_sub(closed))
        .await;

    // Until the gateway has caught up, a new session may meet the same fate.
    let opened = async {
        loop {
            let mut client = Raw::open(host.connection().await, b"new").await;
            client.call(1, Spawn::NUMBER, &[]).await;
            while client.results.is_empty() {
                if client.take().await.is_err() {
                    break;
                }
            }
            if !client.results.is_empty() {
                break;
            }
        }
    };
    soon(opened).await;
}

async fn shutdown_delivers_what_was_published_and_says_why(over: Over) {
    let host = Arc::new(serve(over, &with_limits(|limits| limits.linger = PATIENCE)));
    // First, so that the server has it when it stops: what is still shaking hands then is cut off.
    let mut before_hello = host.connection().await;
    let mut client = Raw::open(host.loopback(), b"ann").await;
    let mut remote = Raw::open(host.connection().await, b"bob").await;
    host.until("both are known", |host| host.sessions().len() == 2).await;
    client.take().await.unwrap();
    host.shout("last words");
    let stopping = tokio::task::spawn_blocking({
        let host = Arc::clone(&host);
        move || host.shutdown(PATIENCE)
    });
    for client in [&mut client, &mut remote] {
        assert_eq!(client.until_closed().await.code, CloseCode::Shutdown);
        let end = soon(client.connection.recv()).await.unwrap_err().to_string();
        assert!(end.contains("code 8"), "{end}");
    }
    let bytes = soon(before_hello.recv()).await.unwrap();
    assert!(
        matches!(ServerMessage::decode(&bytes).unwrap(), ServerMessage::Closed(close) if close.code == CloseCode::Shutdown)
    );
    drop((client, remote, before_hello));
    assert_eq!(soon(stopping).await.unwrap(), 0, "nobody was cut off");
    assert!(host.dial().await.is_err());
    assert_eq!((host.metrics().sessions_open, host.metrics().connections_open), (0, 0));
}

async fn shutdown_does_not_wait_for_those_who_do_not_listen(over: Over) {
    let host = Arc::new(serve(over, &with_limits(|limits| limits.linger = PATIENCE)));
    let _deaf = Raw::open(host.connection().await, b"bob").await;
    let stopping = tokio::task::spawn_blocking({
        let host = Arc::clone(&host);
        move || host.shutdown(Duration::from_millis(50))
    });
    assert_eq!(soon(stopping).await.unwrap(), 1, "it was cut off");
}

async fn a_dropped_gateway_cuts_everyone_off(over: Over) {
    let host = serve_some(over, &with_limits(|_| {}), 1024, 1);
    let mut remote = Raw::open(host.connection().await, b"bob").await;
    let error = host.dial().await.err().unwrap();
    assert!(["503", "refused"].iter().any(|words| error.to_string().contains(words)), "{error}");
    // The client may hear of it before it is counted.
    host.until("it is counted", |host| host.metrics().connections_turned_away == 1).await;

    let mut local = Raw::open(host.loopback(), b"ann").await;
    host.drop_gateway();
    for client in [&mut remote, &mut local] {
        while let Ok(bytes) = soon(client.connection.recv()).await {
            drop(bytes);
        }
    }
    host.until("the threads are done", |host| host.metrics().connections_open == 0).await;
    assert!(host.dial().await.is_err());
}

#[tokio::test]
async fn over_tls() {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let server = tls::server_from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
    let options = ListenerOptions { tls: Some(server), ..ListenerOptions::default() };
    let listener = Listener::bind("127.0.0.1:0", options).unwrap();
    let url = listener.url();
    let _host = Host::start(&with_limits(|_| {}), vec![listener]);
    let options = ClientOptions {
        tls: Some(tls::client_from_pem(chain.as_bytes()).unwrap()),
        ..ClientOptions::default()
    };
    let mut client = Raw::open(soon(connect(&url, &options)).await.unwrap(), b"ann").await;
    client.call(1, Spawn::NUMBER, &[]).await;
    client.until_results(1).await;
    assert_eq!(client.results[0].1, CallOutcome::Ok(result(&EntityId(2))));
}
