//! A client that is nothing but the protocol: connection, replica, calls.

use evertick_protocol::{CallOutcome, Changes, ClientMessage, Hello, Replica, ServerMessage};
use evertick_schema::{Call, Field, ModuleDescription, RowReader, Timestamp};
use evertick_transport::{ClientOptions, Connection, ConnectionExt, Lane, connect};

use crate::Result;
use crate::fixture::encode;

/// One session.
pub(crate) struct Client {
    connection: Box<dyn Connection>,
    description: ModuleDescription,
    replica: Replica,
    changes: Changes,
    /// Calls that are still to be sent, as one message.
    outgoing: Vec<u8>,
    seq: u32,
}

impl Client {
    /// Connects as a client of its own identity, and waits for the Welcome.
    pub(crate) async fn connect(url: &str, number: usize) -> Result<Self> {
        let mut connection = connect(url, &ClientOptions::default()).await?;
        let token = format!("a client of the benchmark, number {number:04}");
        let hello = ClientMessage::Hello(Hello::new(token.as_bytes()));
        let mut bytes = Vec::new();
        hello.encode(&mut bytes);
        connection.send(Lane::Control, &[bytes.into()]);
        let message = connection.recv().await?;
        let ServerMessage::Welcome(welcome) = ServerMessage::decode(&message)? else {
            return Err("the server did not answer with a Welcome".into());
        };
        let json = welcome.description.ok_or("the server did not describe its module")?;
        let description = ModuleDescription::from_json(json)?;
        let replica = Replica::new(&description)?;
        Ok(Self { connection, description, replica, changes: Changes::new(), outgoing: Vec::new(), seq: 0 })
    }

    /// The number and argument bytes of a typed call.
    pub(crate) fn encode<C: Call>(&self, call: &C) -> Result<(u32, Vec<u8>)> {
        encode(&self.description, call)
    }

    /// Queues a call; it is sent by the next [`Self::results`], in one message with the others, as the SDKs do.
    pub(crate) fn call(&mut self, reducer: u32, args: &[u8]) {
        self.seq = self.seq.wrapping_add(1);
        ClientMessage::Call { seq: self.seq, reducer, args }.encode(&mut self.outgoing);
    }

    /// Writes the calls and waits for the next results. Returns how many there are; anything but success is an error.
    pub(crate) async fn results(&mut self) -> Result<usize> {
        loop {
            self.receive().await?;
            for reply in &self.changes.results {
                if !matches!(reply.result, CallOutcome::Ok(_)) {
                    return Err(format!("call {}: {:?}", reply.seq, reply.result).into());
                }
            }
            let count = self.changes.results.len();
            if count > 0 {
                return Ok(count);
            }
        }
    }

    /// Calls, and waits for what it returns.
    pub(crate) async fn ask<C: Call>(&mut self, call: &C) -> Result<C::Output> {
        let (reducer, args) = self.encode(call)?;
        self.call(reducer, &args);
        self.results().await?;
        match self.changes.results.first().map(|reply| &reply.result) {
            Some(CallOutcome::Ok(row)) => Ok(C::Output::read(&RowReader::new(row), 0)?),
            _ => Err("no result".into()),
        }
    }

    /// Writes what is to be sent, waits for the next message and applies it.
    pub(crate) async fn receive(&mut self) -> Result<Received> {
        if !self.outgoing.is_empty() {
            let calls = std::mem::take(&mut self.outgoing);
            self.connection.send(Lane::Control, &[calls.into()]);
        }
        let message = self.connection.recv().await?;
        let frame = match ServerMessage::decode(&message)? {
            ServerMessage::Frame(frame) => frame,
            other => return Err(format!("the server sent no frame but {other:?}").into()),
        };
        self.replica.apply(frame, &mut self.changes)?;
        Ok(Received { bytes: message.len(), shows: Some((self.changes.tick, self.changes.time)) })
    }

    /// The number of a row type.
    pub(crate) fn row(&self, name: &str) -> Result<u32> {
        let number = self.description.rows.iter().position(|row| row.name == name);
        Ok(number.ok_or_else(|| format!("the module has no {name}"))? as u32)
    }

    /// What it sees.
    pub(crate) fn replica(&self) -> &Replica {
        &self.replica
    }

    /// What the last message changed of it.
    pub(crate) fn changes(&self) -> &Changes {
        &self.changes
    }
}

/// A message that has been applied.
pub(crate) struct Received {
    pub(crate) bytes: usize,
    /// The frame that it is of, and the world's time then.
    pub(crate) shows: Option<(u64, Timestamp)>,
}
