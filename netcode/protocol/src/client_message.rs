//! What clients send.

use evertick_schema::{ROW_BYTES_MAX, SchemaHash, SessionId};

use crate::error::ProtocolError;
use crate::inputs::Inputs;
use crate::limits::{PROTOCOL_VERSION, QUERY_BYTES_MAX, TOKEN_BYTES_MAX};
use crate::put;
use crate::reader::Reader;
use crate::secret::SessionSecret;

const HELLO: u8 = 0x01;
const CALL: u8 = 0x02;
const PING: u8 = 0x03;
const BYE: u8 = 0x04;
const INPUT: u8 = 0x05;
const REPORT: u8 = 0x06;
const SUBSCRIBE: u8 = 0x07;
const UNSUBSCRIBE: u8 = 0x08;

/// Hello's flag: frames need not wait for the disk.
const UNCONFIRMED: u8 = 1;
/// Hello's flag: a session is to go on.
const RESUME: u8 = 2;

/// A message from client to server; borrows from the bytes it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientMessage<'a> {
    /// The first message.
    Hello(Hello<'a>),
    /// A call of a reducer.
    Call {
        /// The client's number for it, echoed in the result: 1, 2, 3 … within a session.
        seq: u32,
        /// The reducer's number in the description.
        reducer: u32,
        /// The arguments as row bytes.
        args: &'a [u8],
    },
    /// Asks for a Pong.
    Ping {
        /// The client's own clock, echoed.
        client_us: u64,
        /// How many results the client has been given in this session so far; the server may forget them.
        results: u64,
    },
    /// The last message.
    Bye,
    /// What the player does at certain ticks. It may come by datagram, and be lost.
    Input(Inputs<'a>),
    /// How the client gets along.
    Report(Report),
    /// Asks for rows. It is answered by a [`QueryReply`](crate::QueryReply).
    Subscribe {
        /// The client's number for the query.
        query: u32,
        /// The query.
        text: &'a str,
    },
    /// The rows of a query are not wanted any more.
    Unsubscribe {
        /// The number that Subscribe gave the query.
        query: u32,
    },
}

/// A client's first message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello<'a> {
    /// The client's [`PROTOCOL_VERSION`](crate::PROTOCOL_VERSION).
    pub protocol: u8,
    /// The schema it was generated from; [`SchemaHash::UNKNOWN`] asks for the description.
    pub schema: SchemaHash,
    /// Whether frames are wanted as soon as they are made, before the server's disk has what they tell. After a
    /// crash of the server's machine some of it may never have happened.
    pub unconfirmed: bool,
    /// What the server's authentication makes an identity of.
    pub token: &'a [u8],
    /// The session that is to go on; without one a new session is opened.
    pub resume: Option<Resume>,
}

/// Which session is to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The session, as its Welcome said.
    pub session: SessionId,
    /// Its secret, as its Welcome said.
    pub secret: SessionSecret,
    /// How many results the client has been given in that session so far. Those behind are sent again.
    pub results: u64,
}

/// How a client gets along, for the server's statistics. At most one per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The newest frame that has been applied, on either lane.
    pub frame: u64,
    /// The time from a Ping to its Pong, in microseconds.
    pub round_trip_us: u32,
    /// How much that varies, in microseconds.
    pub jitter_us: u32,
    /// The 99th percentile, since the last report, of the age of what is shown, in microseconds.
    pub staleness_us: u32,
    /// State messages that came since the last report.
    pub states_received: u32,
    /// State messages that were lost since the last report, as far as their numbers tell.
    pub states_lost: u32,
}

impl<'a> ClientMessage<'a> {
    /// Appends the message's bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Hello(hello) => hello.encode(out),
            Self::Call { seq, reducer, args } => {
                out.push(CALL);
                put::varint(out, seq.into());
                put::varint(out, reducer.into());
                put::bytes(out, args);
            }
            Self::Ping { client_us, results } => {
                out.push(PING);
                out.extend_from_slice(&client_us.to_le_bytes());
                put::varint(out, results);
            }
            Self::Bye => out.push(BYE),
            Self::Input(inputs) => {
                out.push(INPUT);
                inputs.encode(out);
            }
            Self::Report(report) => {
                out.push(REPORT);
                report.encode(out);
            }
            Self::Subscribe { query, text } => {
                out.push(SUBSCRIBE);
                put::varint(out, query.into());
                put::bytes(out, text.as_bytes());
            }
            Self::Unsubscribe { query } => {
                out.push(UNSUBSCRIBE);
                put::varint(out, query.into());
            }
        }
    }

    /// Reads a message that stands alone. Whatever the bytes are, it costs no more than their length and allocates nothing.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(bytes);
        let message = Self::read(&mut reader)?;
        reader.finish("the client's message")?;
        Ok(message)
    }

    /// Reads the messages that stand one behind the other, at least one. After an error nothing follows. Costs no more than
    /// the bytes' length in all, and allocates nothing.
    pub fn decode_all(bytes: &'a [u8]) -> impl Iterator<Item = Result<Self, ProtocolError>> {
        let mut reader = Some(Reader::new(bytes));
        std::iter::from_fn(move || {
            let rest = reader.as_mut()?;
            let message = Self::read(rest);
            if message.is_err() || rest.is_empty() {
                reader = None;
            }
            Some(message)
        })
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, ProtocolError> {
        Ok(match reader.u8("the message's kind")? {
            HELLO => Self::Hello(Hello::read(reader)?),
            CALL => Self::Call {
                seq: reader.varint_u32("Call.seq")?,
                reducer: reader.varint_u32("Call.reducer")?,
                args: reader.bytes(ROW_BYTES_MAX, "Call.args")?,
            },
            PING => Self::Ping {
                client_us: reader.u64("Ping.client_us")?,
                results: reader.varint("Ping.results")?,
            },
            BYE => Self::Bye,
            INPUT => Self::Input(Inputs::read(reader)?),
            REPORT => Self::Report(Report::read(reader)?),
            SUBSCRIBE => Self::Subscribe {
                query: reader.varint_u32("Subscribe.query")?,
                text: reader.text(QUERY_BYTES_MAX, "Subscribe.text")?,
            },
            UNSUBSCRIBE => Self::Unsubscribe { query: reader.varint_u32("Unsubscribe.query")? },
            kind => return Err(ProtocolError::Unknown { what: "client message kind", value: kind.into() }),
        })
    }
}

impl<'a> Hello<'a> {
    /// Opens a new session, with confirmed frames, and asks for the module's description.
    pub const fn new(token: &'a [u8]) -> Self {
        Self {
            protocol: PROTOCOL_VERSION,
            schema: SchemaHash::UNKNOWN,
            unconfirmed: false,
            token,
            resume: None,
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[HELLO, self.protocol]);
        out.extend_from_slice(&self.schema.0);
        let unconfirmed = if self.unconfirmed { UNCONFIRMED } else { 0 };
        out.push(unconfirmed | if self.resume.is_some() { RESUME } else { 0 });
        put::bytes(out, self.token);
        if let Some(resume) = &self.resume {
            out.extend_from_slice(&resume.session.0.to_le_bytes());
            out.extend_from_slice(&resume.secret.0);
            put::varint(out, resume.results);
        }
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, ProtocolError> {
        let protocol = reader.u8("Hello.protocol")?;
        let schema = SchemaHash(reader.array("Hello.schema")?);
        let flags = reader.u8("Hello.flags")?;
        if flags & !(UNCONFIRMED | RESUME) != 0 {
            return Err(ProtocolError::Unknown { what: "Hello.flags", value: flags.into() });
        }
        let token = reader.bytes(TOKEN_BYTES_MAX, "Hello.token")?;
        let resume = if flags & RESUME == 0 {
            None
        } else {
            Some(Resume {
                session: SessionId(reader.u64("Hello.session")?),
                secret: SessionSecret(reader.array("Hello.secret")?),
                results: reader.varint("Hello.results")?,
            })
        };
        Ok(Self { protocol, schema, unconfirmed: flags & UNCONFIRMED != 0, token, resume })
    }
}

impl Report {
    fn encode(&self, out: &mut Vec<u8>) {
        put::varint(out, self.frame);
        let Self { round_trip_us, jitter_us, staleness_us, states_received, states_lost, .. } = *self;
        for value in [round_trip_us, jitter_us, staleness_us, states_received, states_lost] {
            put::varint(out, value.into());
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        Ok(Self {
            frame: reader.varint("Report.frame")?,
            round_trip_us: reader.varint_u32("Report.round_trip_us")?,
            jitter_us: reader.varint_u32("Report.jitter_us")?,
            staleness_us: reader.varint_u32("Report.staleness_us")?,
            states_received: reader.varint_u32("Report.states_received")?,
            states_lost: reader.varint_u32("Report.states_lost")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_stand_one_behind_the_other() {
        let messages = [
            ClientMessage::Call { seq: 1, reducer: 0, args: b"abc" },
            ClientMessage::Ping { client_us: 5, results: 0 },
            ClientMessage::Call { seq: 2, reducer: 300, args: b"" },
            ClientMessage::Bye,
        ];
        let mut bytes = Vec::new();
        messages.iter().for_each(|message| message.encode(&mut bytes));
        let read: Result<Vec<_>, _> = ClientMessage::decode_all(&bytes).collect();
        assert_eq!(read.as_deref(), Ok(&messages[..]));

        bytes.extend_from_slice(&[CALL, 3]);
        let read: Vec<_> = ClientMessage::decode_all(&bytes).collect();
        assert_eq!(read.len(), 5);
        assert_eq!(read[4], Err(ProtocolError::Truncated("Call.reducer")));
        let none: Vec<_> = ClientMessage::decode_all(&[]).collect();
        assert_eq!(none, [Err(ProtocolError::Truncated("the message's kind"))]);
    }
}
