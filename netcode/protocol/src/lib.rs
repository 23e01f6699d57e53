//! The wire protocol, without I/O: bytes in, values out, and back. `docs/wire.md` is its text.
//!
//! * The world thread writes [`Frame`]s: what every topic has to say, each encoded once by a
//!   [`BlockWriter`], and what single sessions are told.
//! * A gateway reads [`ClientMessage`]s and makes each session's message of a shared frame with
//!   [`pack_frame`].
//! * A client reads [`ServerMessage`]s; its [`Replica`] applies frames and says what changed.
//!
//! Whatever bytes come in, a decoder neither panics nor takes memory out of proportion to them; see
//! [the limits](SLOTS_MAX). This crate knows neither sockets nor clocks.

mod bits;
mod block;
mod client_message;
mod error;
mod frame;
mod ingress;
mod limits;
mod pack;
mod put;
mod quantizer;
mod reader;
mod replica;
mod schema;
mod server_message;
mod slots;

pub use block::{BlockHead, BlockReader, BlockWriter, EventsSection, RowsSection, Section, TopicKind};
pub use client_message::ClientMessage;
pub use error::{ProtocolError, SchemaError};
pub use frame::{Audience, CallOutcome, CallReply, Close, CloseCode, FailCode, Frame, SessionFrame, TopicId};
pub use ingress::{Ingress, IngressBatch};
pub use limits::{
    CLIENT_MESSAGE_BYTES_MAX, DESCRIPTION_BYTES_MAX, PROTOCOL_VERSION, REPLICA_BYTES_MAX,
    SERVER_MESSAGE_BYTES_MAX, SLOTS_MAX, TEXT_BYTES_MAX, TOKEN_BYTES_MAX, TOPICS_MAX,
};
pub use pack::{TopicList, pack_frame};
pub use quantizer::Quantizer;
pub use replica::{Change, ChangeKind, Changes, Event, Replica};
pub use schema::{RowCodec, WireSchema};
pub use server_message::{FrameMessage, Pong, ServerMessage, Welcome};
