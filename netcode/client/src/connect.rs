//! From an address to a session: the connection, Hello and Welcome.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use evertick_protocol::{
    ClientMessage, CloseCode, Hello, PROTOCOL_VERSION, ProtocolError, Resume, ServerMessage, SessionSecret,
};
use evertick_schema::{Identity, ModuleDescription, SchemaHash, SessionId, Timestamp};
use evertick_transport::{Connection, ConnectionExt, Lane, simulate};

use crate::error::{ConnectError, Disconnected};
use crate::link::lost;
use crate::options::ConnectOptions;

/// Messages of the world that may overtake the Welcome, where lanes are apart.
const EARLY_MESSAGES_MAX: usize = 64;

type Dialing = Pin<Box<dyn Future<Output = Result<Box<dyn Connection>, ConnectError>> + Send>>;

/// How a client gets to its server, the first time and again.
pub(crate) struct Way {
    dial: Box<dyn Fn() -> Dialing + Send + Sync>,
    pub(crate) options: ConnectOptions,
}

/// What a Welcome says.
pub(crate) struct Greeting {
    pub(crate) resumed: bool,
    pub(crate) session: SessionId,
    pub(crate) secret: SessionSecret,
    pub(crate) identity: Identity,
    pub(crate) tick: u64,
    pub(crate) tick_us: u32,
    pub(crate) time: Timestamp,
    pub(crate) schema: SchemaHash,
    /// The last call that the session has taken.
    pub(crate) calls: u32,
    /// The server's module; `None` when it is the one that was said to be known.
    pub(crate) module: Option<ModuleDescription>,
    /// What came before the Welcome, and belongs behind it.
    pub(crate) early: Vec<(Lane, Bytes)>,
    pub(crate) bytes: usize,
}

impl Way {
    pub(crate) fn new<F>(dial: impl Fn() -> F + Send + Sync + 'static, options: ConnectOptions) -> Arc<Self>
    where
        F: Future<Output = Result<Box<dyn Connection>, ConnectError>> + Send + 'static,
    {
        Arc::new(Self { dial: Box::new(move || Box::pin(dial())), options })
    }

    /// Connects and opens a session, or goes on with one.
    pub(crate) async fn go(
        &self,
        schema: SchemaHash,
        resume: Option<Resume>,
    ) -> Result<(Box<dyn Connection>, Greeting), ConnectError> {
        let connection = (self.dial)().await?;
        greet(connection, &self.options, schema, resume).await
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Way").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Whether a connection was refused because there is no such session to resume.
pub(crate) fn is_expired(error: &ConnectError) -> bool {
    matches!(error, ConnectError::Refused(Disconnected::ByServer(close)) if close.code == CloseCode::Expired)
}

/// The hash of the module that a client knows.
pub(crate) fn schema(options: &ConnectOptions) -> SchemaHash {
    options.module.as_ref().map_or(SchemaHash::UNKNOWN, ModuleDescription::hash)
}

/// Opens a session over a connection, or goes on with one, of a module with hash `schema`.
pub(crate) async fn greet(
    mut connection: Box<dyn Connection>,
    options: &ConnectOptions,
    schema: SchemaHash,
    resume: Option<Resume>,
) -> Result<(Box<dyn Connection>, Greeting), ConnectError> {
    if let Some(conditions) = options.conditions {
        connection = simulate(connection, conditions);
    }
    let time_max = options.hello_time_max;
    let shaking = Box::pin(shake_hands(&mut connection, options, schema, resume));
    let greeting =
        tokio::time::timeout(time_max, shaking).await.map_err(|_| ConnectError::Timeout(time_max))??;
    Ok((connection, greeting))
}

async fn shake_hands(
    connection: &mut Box<dyn Connection>,
    options: &ConnectOptions,
    schema: SchemaHash,
    resume: Option<Resume>,
) -> Result<Greeting, ConnectError> {
    let hello = ClientMessage::Hello(Hello {
        protocol: PROTOCOL_VERSION,
        schema,
        unconfirmed: options.unconfirmed,
        token: &options.token,
        resume,
    });
    let mut bytes = Vec::with_capacity(128 + options.token.len());
    hello.encode(&mut bytes);
    connection.send(Lane::Control, &[bytes.into()]);
    let mut early = Vec::new();
    loop {
        let message = connection.recv().await.map_err(|error| ConnectError::Refused(lost(error)))?;
        let lane = connection.last_lane();
        let refused = |why: Disconnected| Err(ConnectError::Refused(why));
        match ServerMessage::decode(&message) {
            Ok(ServerMessage::Welcome(welcome)) if welcome.protocol != PROTOCOL_VERSION => {
                let value = welcome.protocol.into();
                return refused(ProtocolError::Unknown { what: "protocol version", value }.into());
            }
            Ok(ServerMessage::Welcome(welcome)) => {
                let module = welcome.description.map(ModuleDescription::from_json).transpose()?;
                if module.is_none() && welcome.schema != schema {
                    return refused(ProtocolError::Malformed("a Welcome without the description").into());
                }
                return Ok(Greeting {
                    resumed: welcome.resumed,
                    session: welcome.session,
                    secret: welcome.secret,
                    identity: welcome.identity,
                    tick: welcome.tick,
                    tick_us: welcome.tick_us,
                    time: welcome.time,
                    schema: welcome.schema,
                    calls: welcome.calls,
                    module,
                    early,
                    bytes: message.len(),
                });
            }
            Ok(ServerMessage::Closed(close)) => return refused(Disconnected::ByServer(close)),
            Ok(ServerMessage::Frame(_) | ServerMessage::State(_))
                if lane != Lane::Control && early.len() < EARLY_MESSAGES_MAX =>
            {
                early.push((lane, message.clone()));
            }
            Ok(_) => return refused(ProtocolError::Malformed("messages before the Welcome").into()),
            Err(error) => return refused(error.into()),
        }
    }
}
