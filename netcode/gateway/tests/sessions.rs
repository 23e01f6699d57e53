//! Sessions from the client's side of the wire, byte for byte: what a gateway answers to good clients, and to those that it turns away.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod host;

use common::{Over, Raw, hello, send, serve, turned_away, with_limits};
use evertick_gateway::GatewayConfig;
use evertick_protocol::{
    CallOutcome, ClientMessage, CloseCode, FailCode, PROTOCOL_VERSION, QueryOutcome, QueryReply,
    ServerMessage,
};
use evertick_schema::{EntityId, SchemaHash};
use evertick_transport::{
    ClientOptions, ConnectionExt, Lane, Limits, Listener, ListenerOptions, connect, tls,
};
use host::module::{self, Increment, Look, Spawn, description, result};
use host::{Host, soon};
use std::time::Duration;

suite!(Loopback over_loopback, WebSocket over_websocket, Quic over_quic: [
    a_session_sees_the_world_and_its_results,
    topics_are_entered_and_left,
    the_schema_decides_whether_the_description_is_sent,
    bad_beginnings_are_turned_away_with_a_reason,
    silence_instead_of_a_hello_times_out,
    many_calls_in_one_message_are_many_calls,
    queries_are_passed_on_and_answered
]);

async fn a_session_sees_the_world_and_its_results(over: Over) {
    let host = serve(over, &with_limits(|_| {}));
    let mut client = Raw::open(host.connection().await, b"ann").await;
    client.call(1, Spawn::NUMBER, &[]).await;
    client.call(2, Increment::NUMBER, &result(&EntityId(2))).await;
    client.call(3, Increment::NUMBER, &result(&EntityId(99))).await;
    client.call(4, module::Crash::NUMBER, &[]).await;
    client.ask(5, 77, &[]).await;

    let seqs: Vec<_> = client.results.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5], "results come in the order of the calls");
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
    client.ask(1, Look::NUMBER, &[1]).await;
    assert_eq!(client.replica.len(module::SECRET), 1);
    client.ask(2, Look::NUMBER, &[0]).await;
    assert_eq!(client.replica.len(module::SECRET), 0);
    client.ask(3, Look::NUMBER, &[1]).await;
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

async fn many_calls_in_one_message_are_many_calls(over: Over) {
    let host = serve(over, &with_limits(|_| {}));
    let mut client = Raw::open(host.connection().await, b"ann").await;
    client.calls(1..41).await;
    client.until_results(40).await;
    assert_eq!(host.calls(), (1..41).collect::<Vec<_>>());
    let metrics = host.metrics();
    assert_eq!((metrics.calls_forwarded, metrics.calls_ok, metrics.messages_in), (40, 40, 2));
    // What stands before bytes that are no message still counts.
    let mut bytes = Vec::new();
    ClientMessage::Call { seq: 41, reducer: Spawn::NUMBER, args: &[] }.encode(&mut bytes);
    bytes.push(0x7f);
    client.connection.send(Lane::Control, &[bytes.into()]);
    client.connection.flush().await.unwrap();
    assert_eq!(client.until_closed().await.code, CloseCode::BadMessage);
    host.until("the last call came", |host| host.calls().len() == 41).await;
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
    client.ask(1, Spawn::NUMBER, &[]).await;
    assert_eq!(client.results[0].1, CallOutcome::Ok(result(&EntityId(2))));
}

/// More than are handed a frame at once, so that frames are spread over time.
#[tokio::test]
async fn many_sessions_get_every_frame_in_order() {
    let host = serve(Over::Loopback, &GatewayConfig { shards: 1, ..with_limits(|_| {}) });
    let mut clients = Vec::new();
    for _ in 0..400 {
        clients.push(Raw::open(host.connection().await, b"ann").await);
    }
    host.until("all are known", |host| host.sessions().len() == clients.len()).await;
    // Each sees what follows from its first frame on, which comes before the first shout.
    for client in &mut clients {
        client.take().await.unwrap();
    }
    for count in 1..=10 {
        host.shout("hear");
        if count % 3 == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    for client in &mut clients {
        let mut tick = client.replica.tick();
        while client.events < 10 {
            client.take().await.unwrap();
            assert!(client.replica.tick() > tick, "frames come in order, each once");
            tick = client.replica.tick();
        }
    }
}
