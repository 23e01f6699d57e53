//! Messages other than frames.

use evertick_protocol::{ClientMessage, Close, CloseCode, PROTOCOL_VERSION, Pong, ServerMessage, Welcome};
use evertick_schema::{Identity, SchemaHash, SessionId, Timestamp};
use serde_json::{Value, json};

use crate::support::json::hex;

const SCHEMA: SchemaHash = SchemaHash([0xab; 32]);

pub fn client() -> Vec<(&'static str, ClientMessage<'static>, Value)> {
    let hello = |schema: SchemaHash, unconfirmed: bool, token: &'static [u8]| {
        let value = json!({
            "kind": "hello", "protocol": 1, "schema": hex(&schema.0), "unconfirmed": unconfirmed, "token": hex(token),
        });
        (ClientMessage::Hello { protocol: PROTOCOL_VERSION, schema, unconfirmed, token }, value)
    };
    let call = |seq: u32, reducer: u32, args: &'static [u8]| {
        let value = json!({ "kind": "call", "seq": seq, "reducer": reducer, "args": hex(args) });
        (ClientMessage::Call { seq, reducer, args }, value)
    };
    let ping = |client_us: u64| {
        (ClientMessage::Ping { client_us }, json!({ "kind": "ping", "client_us": client_us.to_string() }))
    };
    [
        ("hello", hello(SCHEMA, false, b"token of anna")),
        ("hello-anonymous", hello(SchemaHash::UNKNOWN, false, b"")),
        ("hello-unconfirmed", hello(SCHEMA, true, b"token of anna")),
        ("call", call(1, 0, &[0, 0, 0x80, 0x3f])),
        ("call-largest", call(u32::MAX, u32::MAX, &[7; 200])),
        ("call-empty", call(300, 12, &[])),
        ("ping", ping(1_234_567_890)),
        ("ping-largest", ping(u64::MAX)),
        ("bye", (ClientMessage::Bye, json!({ "kind": "bye" }))),
    ]
    .map(|(name, (message, value))| (name, message, value))
    .into()
}

pub fn server() -> Vec<(&'static str, ServerMessage<'static>, Value)> {
    let welcome = |welcome: Welcome<'static>| {
        let value = json!({
            "kind": "welcome",
            "protocol": welcome.protocol,
            "session": welcome.session.0.to_string(),
            "identity": hex(&welcome.identity.0),
            "tick": welcome.tick.to_string(),
            "tick_us": welcome.tick_us,
            "time_us": welcome.time.0.to_string(),
            "schema": hex(&welcome.schema.0),
            "description": welcome.description.map(|json| str::from_utf8(json).unwrap()),
        });
        (ServerMessage::Welcome(welcome), value)
    };
    let known = Welcome {
        protocol: PROTOCOL_VERSION,
        session: SessionId(77),
        identity: Identity([0x11; 32]),
        tick: 123_456,
        tick_us: 50_000,
        time: Timestamp(1_700_000_000_123_456),
        schema: SCHEMA,
        description: None,
    };
    let unknown = Welcome {
        session: SessionId(u64::MAX),
        tick: u64::MAX,
        tick_us: u32::MAX,
        time: Timestamp(-1),
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
        (
            "pong",
            pong(Pong {
                client_us: 1_234_567_890,
                tick: 42,
                time: Timestamp(1_700_000_000_000_000),
                tick_cost_us: 812,
            }),
        ),
        (
            "pong-largest",
            pong(Pong { client_us: u64::MAX, tick: 0, time: Timestamp(i64::MIN), tick_cost_us: u32::MAX }),
        ),
        ("closed", closed(CloseCode::Shutdown, "the server stops")),
        ("closed-umlaut", closed(CloseCode::Timeout, "zu späť ✗")),
        ("closed-empty", closed(CloseCode::Normal, "")),
    ]
    .map(|(name, (message, value))| (name, message, value))
    .into()
}
