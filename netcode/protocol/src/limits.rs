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
