//! Messages other than frames.

use evertick_protocol::{
    ClientMessage, Close, CloseCode, Hello, Input, Inputs, PROTOCOL_VERSION, Pong, Report, Resume,
    ServerMessage, SessionSecret, Welcome,
};
use evertick_schema::{Identity, SchemaHash, SessionId, Timestamp};
use serde_json::{Value, json};

use crate::support::json::hex;

const SCHEMA: SchemaHash = SchemaHash([0xab; 32]);

/// The same input reducer's last ticks, one of another, and a tick without one.
const REPEATED: &[Input<'static>] = &[
    Input { tick: 300, reducer: 4, args: &[1, 2] },
    Input { tick: 300, reducer: 5, args: &[] },
    Input { tick: 299, reducer: 4, args: &[3, 4] },
    Input { tick: 297, reducer: 4, args: &[5, 6] },
];

const LARGEST: Report = Report {
    frame: u64::MAX,
    round_trip_us: u32::MAX,
    jitter_us: u32::MAX,
    staleness_us: u32::MAX,
    states_received: u32::MAX,
    states_lost: u32::MAX,
};

pub fn client() -> Vec<(&'static str, ClientMessage<'static>, Value)> {
    let hello = |schema: SchemaHash, unconfirmed: bool, token: &'static [u8], resume: Option<Resume>| {
        let resumes = resume.map(|resume| {
            json!({
                "session": resume.session.0.to_string(),
                "secret": hex(&resume.secret.0),
                "results": resume.results.to_string(),
            })
        });
        let value = json!({
            "kind": "hello", "protocol": 1, "schema": hex(&schema.0), "unconfirmed": unconfirmed, "token": hex(token),
            "resume": resumes,
        });
        (
            ClientMessage::Hello(Hello { protocol: PROTOCOL_VERSION, schema, unconfirmed, token, resume }),
            value,
        )
    };
    let secret = SessionSecret(*b"0123456789abcdef");
    let resume = Resume { session: SessionId(77), secret, results: 300 };
    let resume_largest = Resume { session: SessionId(u64::MAX), secret, results: u64::MAX };
    let input = |inputs: &'static [Input<'static>]| {
        let entries: Vec<Value> = inputs
            .iter()
            .map(|input| json!({ "tick": input.tick.to_string(), "reducer": input.reducer, "args": hex(input.args) }))
            .collect();
        let message = ClientMessage::Input(Inputs::new(inputs, Box::leak(Box::default())));
        (message, json!({ "kind": "input", "entries": entries }))
    };
    let many: Vec<_> = (0..16)
        .map(|back| Input { tick: u64::MAX - back * 200, reducer: u32::MAX, args: &[9; 20] })
        .collect();
    let report = |report: Report| {
        let value = json!({
            "kind": "report",
            "frame": report.frame.to_string(),
            "round_trip_us": report.round_trip_us,
            "jitter_us": report.jitter_us,
            "staleness_us": report.staleness_us,
            "states_received": report.states_received,
            "states_lost": report.states_lost,
        });
        (ClientMessage::Report(report), value)
    };
    let usual = Report {
        frame: 123_456,
        round_trip_us: 41_000,
        jitter_us: 900,
        staleness_us: 95_000,
        states_received: 1200,
        states_lost: 7,
    };
    let subscribe = |query: u32, text: &'static str| {
        (
            ClientMessage::Subscribe { query, text },
            json!({ "kind": "subscribe", "query": query, "text": text }),
        )
    };
    let unsubscribe =
        |query: u32| (ClientMessage::Unsubscribe { query }, json!({ "kind": "unsubscribe", "query": query }));
    let call = |seq: u32, reducer: u32, args: &'static [u8]| {
        let value = json!({ "kind": "call", "seq": seq, "reducer": reducer, "args": hex(args) });
        (ClientMessage::Call { seq, reducer, args }, value)
    };
    let ping = |client_us: u64, results: u64| {
        let value =
            json!({ "kind": "ping", "client_us": client_us.to_string(), "results": results.to_string() });
        (ClientMessage::Ping { client_us, results }, value)
    };
    [
        ("hello", hello(SCHEMA, false, b"token of anna", None)),
        ("hello-anonymous", hello(SchemaHash::UNKNOWN, false, b"", None)),
        ("hello-unconfirmed", hello(SCHEMA, true, b"token of anna", None)),
        ("hello-resume", hello(SCHEMA, false, b"token of anna", Some(resume))),
        ("hello-resume-unconfirmed", hello(SchemaHash::UNKNOWN, true, b"", Some(resume_largest))),
        ("call", call(1, 0, &[0, 0, 0x80, 0x3f])),
        ("call-largest", call(u32::MAX, u32::MAX, &[7; 200])),
        ("call-empty", call(300, 12, &[])),
        ("ping", ping(1_234_567_890, 12)),
        ("ping-largest", ping(u64::MAX, u64::MAX)),
        ("bye", (ClientMessage::Bye, json!({ "kind": "bye" }))),
        ("input", input(&[Input { tick: 300, reducer: 4, args: &[0, 0, 0x80, 0x3f] }])),
        ("input-repeated", input(REPEATED)),
        ("input-most", input(many.leak())),
        ("report", report(usual)),
        ("report-zero", report(Report::default())),
        ("report-largest", report(LARGEST)),
        ("subscribe", subscribe(1, "SELECT * FROM ore WHERE richness > 3")),
        ("subscribe-empty", subscribe(u32::MAX, "")),
        ("unsubscribe", unsubscribe(300)),
    ]
    .map(|(name, (message, value))| (name, message, value))
    .into()
}

pub fn server() -> Vec<(&'static str, ServerMessage<'static>, Value)> {
    let welcome = |welcome: Welcome<'static>| {
        let value = json!({
            "kind": "welcome",
            "protocol": welcome.protocol,
            "resumed": welcome.resumed,
            "session": welcome.session.0.to_string(),
            "secret": hex(&welcome.secret.0),
            "identity": hex(&welcome.identity.0),
            "tick": welcome.tick.to_string(),
            "tick_us": welcome.tick_us,
            "time_us": welcome.time.0.to_string(),
            "schema": hex(&welcome.schema.0),
            "calls": welcome.calls,
            "bytes_per_second": welcome.bytes_per_second,
            "description": welcome.description.map(|json| str::from_utf8(json).unwrap()),
        });
        (ServerMessage::Welcome(welcome), value)
    };
    let known = Welcome {
        protocol: PROTOCOL_VERSION,
        resumed: false,
        session: SessionId(77),
        secret: SessionSecret(*b"fedcba9876543210"),
        identity: Identity([0x11; 32]),
        tick: 123_456,
        tick_us: 50_000,
        time: Timestamp(1_700_000_000_123_456),
        schema: SCHEMA,
        calls: 0,
        bytes_per_second: 65_536,
        description: None,
    };
    let resumed = Welcome { resumed: true, calls: 300, bytes_per_second: 0, ..known };
    let unknown = Welcome {
        session: SessionId(u64::MAX),
        tick: u64::MAX,
        tick_us: u32::MAX,
        time: Timestamp(-1),
        calls: u32::MAX,
        bytes_per_second: u32::MAX,
        description: Some(br#"{"abi":1,"name":"m","rows":[],"reducers":[],"systems":[]}"#),
        ..known
    };
    let pong = |pong: Pong| {
        let value = json!({
            "kind": "pong",
            "client_us": pong.client_us.to_string(),
            "tick": pong.tick.to_string(),
            "time_us": pong.time.0.to_string(),
            "tick_cost_us": pong.tick_cost_us,
            "slack_us": pong.slack_us.map(|slack_us| slack_us.to_string()),
        });
        (ServerMessage::Pong(pong), value)
    };
    let closed = |code: CloseCode, message: &str| {
        let value = json!({ "kind": "closed", "code": code as u16, "message": message });
        (ServerMessage::Closed(Close { code, message: message.into() }), value)
    };
    [
        ("welcome", welcome(known)),
        ("welcome-description", welcome(unknown)),
        ("welcome-resumed", welcome(resumed)),
        ("welcome-resumed-description", welcome(Welcome { resumed: true, ..unknown })),
        (
            "pong",
            pong(Pong {
                client_us: 1_234_567_890,
                tick: 42,
                time: Timestamp(1_700_000_000_000_000),
                tick_cost_us: 812,
                slack_us: None,
            }),
        ),
        (
            "pong-slack",
            pong(Pong {
                client_us: 1,
                tick: 2,
                time: Timestamp(3),
                tick_cost_us: 4,
                slack_us: Some(-12_345),
            }),
        ),
        (
            "pong-largest",
            pong(Pong {
                client_us: u64::MAX,
                tick: 0,
                time: Timestamp(i64::MIN),
                tick_cost_us: u32::MAX,
                slack_us: Some(i64::MIN),
            }),
        ),
        ("closed", closed(CloseCode::Shutdown, "the server stops")),
        ("closed-umlaut", closed(CloseCode::Timeout, "zu späť ✗")),
        ("closed-replaced", closed(CloseCode::Replaced, "another connection has the session")),
        ("closed-expired", closed(CloseCode::Expired, "the session is over; open a new one")),
        ("closed-empty", closed(CloseCode::Normal, "")),
    ]
    .map(|(name, (message, value))| (name, message, value))
    .into()
}
