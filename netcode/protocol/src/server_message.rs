//! What servers send.

use evertick_schema::{Identity, SchemaHash, SessionId, Timestamp};

use crate::error::ProtocolError;
use crate::frame::{Close, CloseCode};
use crate::limits::{DESCRIPTION_BYTES_MAX, TEXT_BYTES_MAX};
use crate::put;
use crate::reader::Reader;
use crate::secret::SessionSecret;

const WELCOME: u8 = 0x81;
pub(crate) const FRAME: u8 = 0x82;
const PONG: u8 = 0x83;
const CLOSED: u8 = 0x84;
pub(crate) const STATE: u8 = 0x85;

const HAS_DESCRIPTION: u8 = 1;
const RESUMED: u8 = 2;

/// A message from server to client; borrows from the bytes it was read from. Frames are written by a
/// [`FramePacker`](crate::FramePacker), states by a [`StatePacker`](crate::StatePacker).
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
    /// What moves, on the latest lane.
    State(StateMessage<'a>),
}

/// The answer to Hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome<'a> {
    /// The server's [`PROTOCOL_VERSION`](crate::PROTOCOL_VERSION).
    pub protocol: u8,
    /// Whether an earlier session goes on.
    pub resumed: bool,
    /// The session's number.
    pub session: SessionId,
    /// What resumes the session.
    pub secret: SessionSecret,
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
    /// The number of the last call that the session has taken; 0 in a new session. Those behind it are sent again.
    pub calls: u32,
    /// How many bytes the session is sent in a second, in the long run; 0 when there is no limit.
    pub bytes_per_second: u32,
    /// The module description's JSON, for a client that does not know the schema.
    pub description: Option<&'a [u8]>,
}

/// The bytes of a frame, for [`Replica::apply`](crate::Replica::apply). Not checked yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameMessage<'a> {
    pub(crate) body: &'a [u8],
}

/// The bytes of states, for [`Replica::apply_state`](crate::Replica::apply_state). The states are not checked yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateMessage<'a> {
    /// The frame that they are of.
    pub number: u64,
    /// Its tick.
    pub tick: u64,
    pub(crate) states: &'a [u8],
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
    /// The least time that inputs came before their tick, since the last Pong, in microseconds; negative when one was
    /// late. `None` when no input came.
    pub slack_us: Option<i64>,
}

impl<'a> ServerMessage<'a> {
    /// Appends the message's bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Welcome(welcome) => welcome.encode(out),
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
                out.push(pong.slack_us.is_some().into());
                if let Some(slack_us) = pong.slack_us {
                    put::zigzag(out, slack_us);
                }
            }
            Self::Closed(close) => {
                out.push(CLOSED);
                out.extend_from_slice(&(close.code as u16).to_le_bytes());
                put::text(out, &close.message, TEXT_BYTES_MAX);
            }
            Self::State(state) => {
                out.push(STATE);
                put::varint(out, state.number);
                put::varint(out, state.tick);
                out.extend_from_slice(state.states);
            }
        }
    }

    /// Reads a message; of a frame only the kind, of states only the head. Whatever the bytes are, it costs no more than their length.
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
                slack_us: match reader.u8("Pong.slack")? {
                    0 => None,
                    1 => Some(reader.zigzag("Pong.slack_us")?),
                    flag => return Err(ProtocolError::Unknown { what: "Pong.slack", value: flag.into() }),
                },
            }),
            CLOSED => Self::Closed(Close {
                code: CloseCode::from_wire(reader.u16("Closed.code")?),
                message: reader.text(TEXT_BYTES_MAX, "Closed.message")?.to_owned(),
            }),
            STATE => {
                return Ok(Self::State(StateMessage {
                    number: reader.varint("State.number")?,
                    tick: reader.varint("State.tick")?,
                    states: reader.rest(),
                }));
            }
            kind => return Err(ProtocolError::Unknown { what: "server message kind", value: kind.into() }),
        };
        reader.finish("the server's message")?;
        Ok(message)
    }
}

impl FrameMessage<'_> {
    /// The frame's number. Costs the same however long the frame is.
    pub fn number(&self) -> Result<u64, ProtocolError> {
        Reader::new(self.body).varint("Frame.number")
    }
}

impl<'a> Welcome<'a> {
    fn encode(&self, out: &mut Vec<u8>) {
        let description = if self.description.is_some() { HAS_DESCRIPTION } else { 0 };
        out.extend_from_slice(&[
            WELCOME,
            self.protocol,
            description | if self.resumed { RESUMED } else { 0 },
        ]);
        out.extend_from_slice(&self.session.0.to_le_bytes());
        out.extend_from_slice(&self.secret.0);
        out.extend_from_slice(&self.identity.0);
        put::varint(out, self.tick);
        put::varint(out, self.tick_us.into());
        out.extend_from_slice(&self.time.0.to_le_bytes());
        out.extend_from_slice(&self.schema.0);
        put::varint(out, self.calls.into());
        put::varint(out, self.bytes_per_second.into());
        if let Some(json) = self.description {
            put::bytes(out, json);
        }
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, ProtocolError> {
        let protocol = reader.u8("Welcome.protocol")?;
        let flags = reader.u8("Welcome.flags")?;
        if flags & !(HAS_DESCRIPTION | RESUMED) != 0 {
            return Err(ProtocolError::Unknown { what: "Welcome.flags", value: flags.into() });
        }
        Ok(Self {
            protocol,
            resumed: flags & RESUMED != 0,
            session: SessionId(reader.u64("Welcome.session")?),
            secret: SessionSecret(reader.array("Welcome.secret")?),
            identity: Identity(reader.array("Welcome.identity")?),
            tick: reader.varint("Welcome.tick")?,
            tick_us: reader.varint_u32("Welcome.tick_us")?,
            time: Timestamp(reader.i64("Welcome.time_us")?),
            schema: SchemaHash(reader.array("Welcome.schema")?),
            calls: reader.varint_u32("Welcome.calls")?,
            bytes_per_second: reader.varint_u32("Welcome.bytes_per_second")?,
            description: if flags & HAS_DESCRIPTION == 0 {
                None
            } else {
                Some(reader.bytes(DESCRIPTION_BYTES_MAX, "Welcome.description")?)
            },
        })
    }
}
