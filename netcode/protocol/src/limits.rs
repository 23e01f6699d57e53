//! What a peer may make us hold. Every count from the wire is also checked against the bytes that are left.

/// The protocol's version, said in Hello and Welcome.
pub const PROTOCOL_VERSION: u8 = 1;

/// The longest token of a Hello, in bytes.
pub const TOKEN_BYTES_MAX: usize = 4096;

/// The longest client message, in bytes. A server may be configured lower.
pub const CLIENT_MESSAGE_BYTES_MAX: usize = (1 << 20) + 4096;

/// The longest server message, in bytes.
pub const SERVER_MESSAGE_BYTES_MAX: usize = 16 << 20;

/// The longest module description, in bytes of JSON.
pub const DESCRIPTION_BYTES_MAX: usize = 1 << 20;

/// The longest text for a person (of a refusal, a failure, a close), in bytes.
pub const TEXT_BYTES_MAX: usize = 4096;

/// The most topics that one session may see.
pub const TOPICS_MAX: usize = 4096;

/// Slots of a topic are below this.
pub const SLOTS_MAX: u32 = 1 << 20;

/// The most row bytes that a [`Replica`](crate::Replica) holds unless it is told otherwise.
pub const REPLICA_BYTES_MAX: usize = 256 << 20;

/// The longest state that a server makes of more than one row, in bytes: with its message's head it fits a datagram.
pub const STATE_BYTES_MAX: usize = 1000;

/// The most inputs of one Input message.
pub const INPUTS_MAX: usize = 16;

/// The longest arguments of one input, in bytes.
pub const INPUT_BYTES_MAX: usize = 1024;

/// The longest text of a query, in bytes.
pub const QUERY_BYTES_MAX: usize = 4096;

/// How far a state may be from the newest ordered frame before it is dropped, in microseconds; either way. Slots that
/// are freed rest for at least as long.
pub const STATE_AGE_US_MAX: u64 = 2_000_000;
