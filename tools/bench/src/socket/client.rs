//! A client that is nothing but the protocol: connection, replica, calls.

use evertick_protocol::{CallOutcome, Changes, ClientMessage, Hello, Replica, ServerMessage};
use evertick_schema::{Call, Field, ModuleDescription, RowReader, Timestamp};
use evertick_transport::{ClientOptions, Connection, ConnectionExt, Lane, connect};

use crate::Result;
use crate::fixture::encode;
use crate::socket::counter::Counter;

/// One session.
pub(crate) struct Client {
    connection: Box<dyn Connection>,
    description: ModuleDescription,
    replica: Replica,
    changes: Changes,
    /// Calls that are still to be sent, as one message.
    outgoing: Vec<u8>,
    seq: u32,
    /// The length of a tick.
    tick_us: u64,
    /// The world's time at tick 0, had all ticks been on time: the least that frames have told of.
    start_us: i64,
}

impl Client {
    /// Connects as a client of its own identity, and waits for the Welcome.
    pub(crate) async fn connect(url: &str, number: usize) -> Result<Self> {
        Self::connect_with(url, number, &ClientOptions::default()).await
    }

    pub(crate) async fn connect_with(url: &str, number: usize, options: &ClientOptions) -> Result<Self> {
        let mut connection = connect(url, options).await?;
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
        Ok(Self {
            tick_us: welcome.tick_us.into(),
            connection,
            description,
            replica,
            changes: Changes::new(),
            outgoing: Vec::new(),
            seq: 0,
            start_us: i64::MAX,
        })
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
        match ServerMessage::decode(&message)? {
            ServerMessage::Frame(frame) => {
                self.replica.apply(frame, &mut self.changes)?;
                let Changes { tick, time, .. } = self.changes;
                self.start_us = self.start_us.min(time.0 - self.tick_us(tick));
            }
            ServerMessage::State(states) => self.replica.apply_state(states, &mut self.changes)?,
            other => return Err(format!("the server sent no frame but {other:?}").into()),
        }
        let Changes { number, tick, .. } = self.changes;
        let due = Timestamp(self.start_us.saturating_add(self.tick_us(tick)));
        Ok(Received { bytes: message.len(), frame: number, due })
    }

    fn tick_us(&self, tick: u64) -> i64 {
        (tick * self.tick_us).cast_signed()
    }

    /// The number of a row type.
    pub(crate) fn row(&self, name: &str) -> Result<u32> {
        let number = self.description.rows.iter().position(|row| row.name == name);
        Ok(number.ok_or_else(|| format!("the module has no {name}"))? as u32)
    }

    /// Goes on as a session that keeps nothing of what it receives.
    pub(crate) fn into_counter(self) -> Counter {
        Counter::new(self.connection)
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
    /// The frame that it is of.
    pub(crate) frame: u64,
    /// The world's time when that frame's tick was due, as far as is known.
    pub(crate) due: Timestamp,
}
