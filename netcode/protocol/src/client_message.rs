//! What clients send.

use evertick_schema::{ROW_BYTES_MAX, SchemaHash};

use crate::error::ProtocolError;
use crate::limits::TOKEN_BYTES_MAX;
use crate::put;
use crate::reader::Reader;

const HELLO: u8 = 0x01;
const CALL: u8 = 0x02;
const PING: u8 = 0x03;
const BYE: u8 = 0x04;

/// Hello's flag: frames need not wait for the disk.
const UNCONFIRMED: u8 = 1;

/// A message from client to server; borrows from the bytes it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientMessage<'a> {
    /// The first message.
    Hello {
        /// The client's [`PROTOCOL_VERSION`](crate::PROTOCOL_VERSION).
        protocol: u8,
        /// The schema it was generated from; [`SchemaHash::UNKNOWN`] asks for the description.
        schema: SchemaHash,
        /// Whether frames are wanted as soon as they are made, before the server's disk has what they tell. After a
        /// crash of the server's machine some of it may never have happened.
        unconfirmed: bool,
        /// What the server's authentication makes an identity of.
        token: &'a [u8],
    },
    /// A call of a reducer.
    Call {
        /// The client's number for it, echoed in the result.
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
    },
    /// The last message.
    Bye,
}

impl<'a> ClientMessage<'a> {
    /// Appends the message's bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Hello { protocol, schema, unconfirmed, token } => {
                out.extend_from_slice(&[HELLO, protocol]);
                out.extend_from_slice(&schema.0);
                out.push(if unconfirmed { UNCONFIRMED } else { 0 });
                put::bytes(out, token);
            }
            Self::Call { seq, reducer, args } => {
                out.push(CALL);
                put::varint(out, u64::from(seq));
                put::varint(out, u64::from(reducer));
                put::bytes(out, args);
            }
            Self::Ping { client_us } => {
                out.push(PING);
                out.extend_from_slice(&client_us.to_le_bytes());
            }
            Self::Bye => out.push(BYE),
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
            HELLO => Self::Hello {
                protocol: reader.u8("Hello.protocol")?,
                schema: SchemaHash(reader.array("Hello.schema")?),
                unconfirmed: match reader.u8("Hello.flags")? {
                    0 => false,
                    UNCONFIRMED => true,
                    flags => return Err(ProtocolError::Unknown { what: "Hello.flags", value: flags.into() }),
                },
                token: reader.bytes(TOKEN_BYTES_MAX, "Hello.token")?,
            },
            CALL => Self::Call {
                seq: reader.varint_u32("Call.seq")?,
                reducer: reader.varint_u32("Call.reducer")?,
                args: reader.bytes(ROW_BYTES_MAX, "Call.args")?,
            },
            PING => Self::Ping { client_us: reader.u64("Ping.client_us")? },
            BYE => Self::Bye,
            kind => return Err(ProtocolError::Unknown { what: "client message kind", value: kind.into() }),
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
            ClientMessage::Ping { client_us: 5 },
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
