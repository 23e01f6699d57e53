//! What servers send.

use evertick_schema::{Identity, SchemaHash, SessionId, Timestamp};

use crate::error::ProtocolError;
use crate::frame::{Close, CloseCode};
use crate::limits::{DESCRIPTION_BYTES_MAX, TEXT_BYTES_MAX};
use crate::put;
use crate::reader::Reader;

const WELCOME: u8 = 0x81;
pub(crate) const FRAME: u8 = 0x82;
const PONG: u8 = 0x83;
const CLOSED: u8 = 0x84;

const HAS_DESCRIPTION: u8 = 1;

/// A message from server to client; borrows from the bytes it was read from. Frames are written by
/// [`pack_frame`](crate::pack_frame).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerMessage<'a> {
    /// The answer to Hello.
    Welcome(Welcome<'a>),
    /// A step of the world.
    Frame(FrameMessage<'a>),
    /// The answer to Ping.
    Pong(Pong),
    /// The last message.
    Closed(Close),
}

/// The answer to Hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome<'a> {
    /// The server's [`PROTOCOL_VERSION`](crate::PROTOCOL_VERSION).
    pub protocol: u8,
    /// The session's number.
    pub session: SessionId,
    /// Who the client is.
    pub identity: Identity,
    /// The world's tick.
    pub tick: u64,
    /// The length of a tick, in microseconds.
    pub tick_us: u32,
    /// The world's time.
    pub time: Timestamp,
    /// The schema the server speaks.
    pub schema: SchemaHash,
    /// The module description's JSON, for a client that does not know the schema.
    pub description: Option<&'a [u8]>,
}

/// The bytes of a frame, for [`Replica::apply`](crate::Replica::apply). Not checked yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameMessage<'a> {
    pub(crate) body: &'a [u8],
}

/// The answer to Ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pong {
    /// What the Ping said.
    pub client_us: u64,
    /// The world's tick.
    pub tick: u64,
    /// The world's time.
    pub time: Timestamp,
    /// What the last tick took, in microseconds.
    pub tick_cost_us: u32,
}

impl<'a> ServerMessage<'a> {
    /// Appends the message's bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Welcome(welcome) => {
                out.extend_from_slice(&[WELCOME, welcome.protocol]);
                out.extend_from_slice(&welcome.session.0.to_le_bytes());
                out.extend_from_slice(&welcome.identity.0);
                put::varint(out, welcome.tick);
                put::varint(out, welcome.tick_us.into());
                out.extend_from_slice(&welcome.time.0.to_le_bytes());
                out.extend_from_slice(&welcome.schema.0);
                match welcome.description {
                    None => out.push(0),
                    Some(json) => {
                        out.push(HAS_DESCRIPTION);
                        put::bytes(out, json);
                    }
                }
            }
            Self::Frame(frame) => {
                out.push(FRAME);
                out.extend_from_slice(frame.body);
            }
            Self::Pong(pong) => {
                out.push(PONG);
                out.extend_from_slice(&pong.client_us.to_le_bytes());
                put::varint(out, pong.tick);
                out.extend_from_slice(&pong.time.0.to_le_bytes());
                put::varint(out, pong.tick_cost_us.into());
            }
            Self::Closed(close) => {
                out.push(CLOSED);
                out.extend_from_slice(&(close.code as u16).to_le_bytes());
                put::text(out, &close.message, TEXT_BYTES_MAX);
            }
        }
    }

    /// Reads a message; of a frame only the kind. Whatever the bytes are, it costs no more than their length.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(bytes);
        let message = match reader.u8("the message's kind")? {
            WELCOME => Self::Welcome(Welcome::read(&mut reader)?),
            FRAME => return Ok(Self::Frame(FrameMessage { body: reader.rest() })),
            PONG => Self::Pong(Pong {
                client_us: reader.u64("Pong.client_us")?,
                tick: reader.varint("Pong.tick")?,
                time: Timestamp(reader.i64("Pong.time_us")?),
                tick_cost_us: reader.varint_u32("Pong.tick_cost_us")?,
            }),
            CLOSED => Self::Closed(Close {
                code: CloseCode::from_wire(reader.u16("Closed.code")?),
                message: reader.text(TEXT_BYTES_MAX, "Closed.message")?.to_owned(),
            }),
            kind => return Err(ProtocolError::Unknown { what: "server message kind", value: kind.into() }),
        };
        reader.finish("the server's message")?;
        Ok(message)
    }
}

impl<'a> Welcome<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, ProtocolError> {
        Ok(Self {
            protocol: reader.u8("Welcome.protocol")?,
            session: SessionId(reader.u64("Welcome.session")?),
            identity: Identity(reader.array("Welcome.identity")?),
            tick: reader.varint("Welcome.tick")?,
            tick_us: reader.varint_u32("Welcome.tick_us")?,
            time: Timestamp(reader.i64("Welcome.time_us")?),
            schema: SchemaHash(reader.array("Welcome.schema")?),
            description: match reader.u8("Welcome.flags")? {
                0 => None,
                HAS_DESCRIPTION => Some(reader.bytes(DESCRIPTION_BYTES_MAX, "Welcome.description")?),
                flags => return Err(ProtocolError::Unknown { what: "Welcome.flags", value: flags.into() }),
            },
        })
    }
}
