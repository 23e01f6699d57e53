//! What can be wrong with bytes from the wire.

use evertick_schema::{EntityId, RowError};
use thiserror::Error;

use crate::frame::TopicId;

/// Why bytes were refused. The peer is broken, of another version, or hostile: close the session.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ProtocolError {
    #[error("the message ends within {0}")]
    Truncated(&'static str),
    #[error("{left} bytes are left over behind {what}")]
    LeftOver { what: &'static str, left: usize },
    #[error("{0} is not a shortest-form varint of its range")]
    Varint(&'static str),
    #[error("{0} is not UTF-8")]
    Utf8(&'static str),
    #[error("{what} {value} is unknown; the peer speaks another version of the protocol or schema")]
    Unknown { what: &'static str, value: u64 },
    #[error("{what}: {value} is more than {max}")]
    TooMuch { what: &'static str, value: u64, max: u64 },
    #[error("{0} are not well-formed")]
    Malformed(&'static str),
    #[error("{0} is not known to this session: its snapshot never came")]
    UnknownTopic(TopicId),
    #[error("{topic} stands in one frame as a snapshot where a change is due, or the other way round")]
    WrongBlock { topic: TopicId },
    #[error("{topic} has roster version {got} where {want} is due: a block was lost")]
    RosterVersion { topic: TopicId, want: u16, got: u16 },
    #[error("slot {slot} of {topic} is not as the block says: taken where it should be free, or free")]
    Slot { topic: TopicId, slot: u32 },
    #[error("a part of {row} of {entity} came from {topic}, which does not hold the row")]
    NoSuchRow { topic: TopicId, row: String, entity: EntityId },
    #[error("a value of {row} is not valid: {error}")]
    BadRow { row: String, error: RowError },
    #[error("the replica would hold more than {max} bytes of rows; raise its limit or see less of the world")]
    ReplicaFull { max: usize },
    #[error("the replica is broken since an earlier frame ({0}); connect anew with a fresh one")]
    Broken(Box<ProtocolError>),
}

/// Why a description can't be used to read and write blocks.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the module's description is not valid: {0}")]
pub struct SchemaError(pub String);
