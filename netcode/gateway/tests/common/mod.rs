//! A client made of nothing but the protocol, and the ways it comes in.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test file uses a part of it")]

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use evertick_gateway::{GatewayConfig, SessionLimits};
use evertick_protocol::{
    CallOutcome, Changes, ClientMessage, Close, Hello, QueryReply, Replica, Resume, ServerMessage,
    SessionSecret,
};
use evertick_schema::{EntityId, ModuleDescription, SchemaHash, SessionId};
use evertick_transport::{
    ClientOptions, ConnectError, Connection, ConnectionExt, Lane, Limits, Listener, ListenerOptions,
    QuicOptions, connect, loopback,
};

use crate::host::module::{Increment, Spawn, description, result};
use crate::host::{Host, soon};

/// A client made of nothing but the protocol.
pub struct Raw {
    pub connection: Box<dyn Connection>,
    pub replica: Replica,
    pub session: SessionId,
    pub secret: SessionSecret,
    pub results: Vec<(u32, CallOutcome)>,
    pub events: usize,
    pub queries: Vec<QueryReply>,
}

impl Raw {
    /// Connects and says Hello; the description comes with the Welcome.
    pub async fn open(mut connection: Box<dyn Connection>, token: &[u8]) -> Self {
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
            secret: welcome.secret,
            connection,
            replica,
            results: Vec::new(),
            events: 0,
            queries: Vec::new(),
        }
    }

    /// What resumes the session.
    pub fn ticket(&self) -> Resume {
        Resume { session: self.session, secret: self.secret, results: self.results.len() as u64 }
    }

    /// A client that knows the ticket and nothing else, with this connection.
    pub fn beside(&self, connection: Box<dyn Connection>) -> Self {
        Self {
            connection,
            replica: Replica::new(&description()).unwrap(),
            results: self.results.clone(),
            queries: Vec::new(),
            ..*self
        }
    }

    /// Loses the connection, whatever is under way.
    pub fn cut(&mut self) {
        let (nowhere, _) = loopback(&Limits::CLIENT, &Limits::CLIENT);
        self.connection = Box::new(nowhere);
    }

    /// Goes on over another connection; returns the number of the last call that the server has taken.
    pub async fn resume(&mut self, connection: Box<dyn Connection>) -> Result<u32, Close> {
        self.connection = connection;
        self.resume_over().await
    }

    /// As [`Self::resume`], over the connection that it has.
    pub async fn resume_over(&mut self) -> Result<u32, Close> {
        let hello = Hello { resume: Some(self.ticket()), ..Hello::new(b"") };
        send(&mut *self.connection, &ClientMessage::Hello(hello)).await;
        let bytes = soon(self.connection.recv()).await.unwrap();
        match ServerMessage::decode(&bytes).unwrap() {
            ServerMessage::Welcome(welcome) => {
                assert!(welcome.resumed);
                assert_eq!((welcome.session, welcome.secret), (self.session, self.secret));
                Ok(welcome.calls)
            }
            ServerMessage::Closed(close) => Err(close),
            other => panic!("{other:?}"),
        }
    }

    /// Calls that count the first score up, in one message each.
    pub async fn increments(&mut self, seqs: Range<u32>) {
        for seq in seqs {
            self.call(seq, Increment::NUMBER, &result(&EntityId(1))).await;
        }
    }

    pub async fn call(&mut self, seq: u32, reducer: u32, args: &[u8]) {
        send(&mut *self.connection, &ClientMessage::Call { seq, reducer, args }).await;
    }

    /// The session's call of that number; takes messages until as many calls have their results.
    pub async fn ask(&mut self, seq: u32, reducer: u32, args: &[u8]) {
        self.call(seq, reducer, args).await;
        self.until_results(seq as usize).await;
    }

    /// Calls in one message, without arguments.
    pub async fn calls(&mut self, seqs: Range<u32>) {
        let mut bytes = Vec::new();
        for seq in seqs {
            ClientMessage::Call { seq, reducer: Spawn::NUMBER, args: &[] }.encode(&mut bytes);
        }
        self.connection.send(Lane::Control, &[bytes.into()]);
        self.connection.flush().await.unwrap();
    }

    /// Takes one message; `Err` is the server's last.
    pub async fn take(&mut self) -> Result<(), Close> {
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

    pub async fn until_results(&mut self, count: usize) {
        while self.results.len() < count {
            self.take().await.unwrap();
        }
    }

    pub async fn until_closed(&mut self) -> Close {
        loop {
            if let Err(close) = self.take().await {
                return close;
            }
        }
    }
}

pub async fn send(connection: &mut dyn Connection, message: &ClientMessage<'_>) {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    connection.send(Lane::Control, &[bytes.into()]);
    // A server that has closed already is found out by what it said.
    let _closed = soon(connection.flush()).await;
}

/// Sends a first message and returns how the server ends it.
pub async fn turned_away(host: &Served, first: &[u8]) -> Close {
    let mut connection = host.connection().await;
    connection.send(Lane::Control, &[Bytes::copy_from_slice(first)]);
    let bytes = soon(connection.recv()).await.unwrap();
    match ServerMessage::decode(&bytes).unwrap() {
        ServerMessage::Closed(close) => close,
        other => panic!("{other:?}"),
    }
}

pub fn hello(protocol: u8, schema: SchemaHash, token: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    ClientMessage::Hello(Hello { protocol, schema, ..Hello::new(token) }).encode(&mut bytes);
    bytes
}

pub fn with_limits(change: impl FnOnce(&mut SessionLimits)) -> GatewayConfig {
    let mut limits = SessionLimits { linger: Duration::from_millis(200), ..SessionLimits::default() };
    change(&mut limits);
    GatewayConfig { shards: 2, limits, ..GatewayConfig::default() }
}

/// How clients of a test come in.
#[derive(Clone, Copy, Debug)]
pub enum Over {
    Loopback,
    WebSocket,
    Quic,
}

/// A host and the way to it.
pub struct Served {
    pub host: Host,
    pub url: Option<String>,
}

impl std::ops::Deref for Served {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}

impl Served {
    pub async fn connection(&self) -> Box<dyn Connection> {
        match &self.url {
            None => self.host.loopback(),
            Some(_) => self.dial().await.unwrap(),
        }
    }

    pub async fn dial(&self) -> Result<Box<dyn Connection>, ConnectError> {
        // A UDP port where nobody is says nothing.
        let limits = Limits { handshake_time_max: Duration::from_secs(3), ..Limits::CLIENT };
        let options = ClientOptions { limits, ..ClientOptions::default() };
        soon(connect(self.url.as_deref().unwrap(), &options)).await
    }
}

pub fn serve(over: Over, config: &GatewayConfig) -> Served {
    serve_with_inbox(over, config, 1024)
}

pub fn serve_with_inbox(over: Over, config: &GatewayConfig, inbox: usize) -> Served {
    serve_some(over, config, inbox, 100)
}

pub fn serve_some(over: Over, config: &GatewayConfig, inbox: usize, connections_max: usize) -> Served {
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
#[macro_export]
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
