//! A client that reads everything and keeps nothing.

use evertick_protocol::ServerMessage;
use evertick_transport::{Connection, ConnectionExt};

use crate::Result;

/// A session of which only the heads of messages are read. To the server it is like any other: its transport receives, decrypts,
/// acknowledges and gives room for more as for a client that applies what comes.
pub(crate) struct Counter {
    connection: Box<dyn Connection>,
}

impl Counter {
    pub(crate) fn new(connection: Box<dyn Connection>) -> Self {
        Self { connection }
    }

    /// The bytes of the next message, and the number of the frame that it is of.
    pub(crate) async fn receive(&mut self) -> Result<(usize, u64)> {
        let message = self.connection.recv().await?;
        let frame = match ServerMessage::decode(&message)? {
            ServerMessage::Frame(frame) => frame.number()?,
            ServerMessage::State(states) => states.number,
            other => return Err(format!("the server sent no frame but {other:?}").into()),
        };
        Ok((message.len(), frame))
    }
}
