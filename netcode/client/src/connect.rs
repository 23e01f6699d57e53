//! From a connection to a session: Hello and Welcome.

use std::sync::Arc;

use evertick_protocol::{ClientMessage, Hello, PROTOCOL_VERSION, ProtocolError, Replica, ServerMessage};
use evertick_schema::{ModuleDescription, SchemaHash};
use evertick_transport::{Connection, ConnectionExt, Lane};
use tokio::sync::{broadcast, mpsc, watch};

use crate::error::{ConnectError, Disconnected};
use crate::link::{COMMANDS_WAITING_MAX, Command, Link, lost};
use crate::options::ConnectOptions;
use crate::shared::Shared;
use crate::types::ModuleTypes;

/// Opens a session and starts its task.
pub(crate) async fn open(
    connection: Box<dyn Connection>,
    options: ConnectOptions,
) -> Result<(Arc<Shared>, mpsc::Sender<Command>), ConnectError> {
    let time_max = options.hello_time_max;
    match tokio::time::timeout(time_max, Box::pin(shake_hands(connection, options))).await {
        Ok(opened) => opened,
        Err(_) => Err(ConnectError::Timeout(time_max)),
    }
}

async fn shake_hands(
    mut connection: Box<dyn Connection>,
    options: ConnectOptions,
) -> Result<(Arc<Shared>, mpsc::Sender<Command>), ConnectError> {
    let schema = options.module.as_ref().map_or(SchemaHash::UNKNOWN, ModuleDescription::hash);
    let hello = ClientMessage::Hello(Hello {
        protocol: PROTOCOL_VERSION,
        schema,
        unconfirmed: options.unconfirmed,
        token: &options.token,
        resume: None,
    });
    let mut bytes = Vec::with_capacity(64 + options.token.len());
    hello.encode(&mut bytes);
    connection.send(Lane::Control, &[bytes.into()]);
    let message = connection.recv().await.map_err(|error| ConnectError::Refused(lost(error)))?;
    let refused = |why: Disconnected| Err(ConnectError::Refused(why));
    let welcome = match ServerMessage::decode(&message) {
        Ok(ServerMessage::Welcome(welcome)) => welcome,
        Ok(ServerMessage::Closed(close)) => return refused(Disconnected::ByServer(close)),
        Ok(_) => return refused(ProtocolError::Malformed("messages before the Welcome").into()),
        Err(error) => return refused(error.into()),
    };
    if welcome.protocol != PROTOCOL_VERSION {
        let error = ProtocolError::Unknown { what: "protocol version", value: welcome.protocol.into() };
        return refused(error.into());
    }
    let module = match (welcome.description, options.module) {
        (Some(json), _) => ModuleDescription::from_json(json)?,
        (None, Some(module)) if welcome.schema == schema => module,
        (None, _) => return refused(ProtocolError::Malformed("a Welcome without the description").into()),
    };
    let replica = Replica::with_bytes_max(&module, options.replica_bytes_max)?;
    let shared = Arc::new(Shared {
        types: Arc::new(ModuleTypes::new(module)),
        session: welcome.session,
        identity: welcome.identity,
        tick_us: welcome.tick_us,
        frames: broadcast::Sender::new(options.stream_frames_max.max(1)),
        callbacks: Default::default(),
        tally: Default::default(),
        closed: watch::Sender::new(None),
        replica: replica.into(),
    });
    shared.tally.message(message.len());
    shared.tally.clock(welcome.tick, welcome.time);
    let (commands, receiver) = mpsc::channel(COMMANDS_WAITING_MAX);
    tokio::spawn(Link::new(connection, Arc::clone(&shared), receiver, options.ping_interval).run());
    Ok((shared, commands))
}
