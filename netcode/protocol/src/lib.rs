//! The wire protocol, without I/O: bytes in, values out, and back. `docs/wire.md` is its text.
//!
//! * The world thread writes [`Frame`]s: what every topic has to say, each encoded once by a
//!   [`BlockWriter`], and what single sessions are told.
//! * A gateway reads [`ClientMessage`]s and makes each session's messages of a shared frame with a [`FramePacker`] and a
//!   [`StatePacker`].
//! * A client reads [`ServerMessage`]s; its [`Replica`] applies frames and says what changed.
//!
//! Whatever bytes come in, a decoder neither panics nor takes memory out of proportion to them; see
//! [the limits](SLOTS_MAX). This crate knows neither sockets nor clocks.

mod bits;
mod block;
mod by_topic;
mod client_message;
mod clock;
mod error;
mod frame;
mod frame_parts;
mod ingress;
mod inputs;
mod limits;
mod pack;
mod packer;
mod prefetch;
mod put;
mod quantizer;
mod reader;
mod replica;
mod reply;
mod schema;
mod secret;
mod server_message;
mod slots;
mod snapshot;
mod spans;
mod topic_frames;

pub use bits::set_bits;
pub use block::{BlockHead, BlockReader, BlockWriter, EventsSection, RowsSection, Section, TopicKind};
pub use client_message::{ClientMessage, Hello, Report, Resume};
pub use clock::{InputLead, ServerClock};
pub use error::{ProtocolError, SchemaError};
pub use frame::{
    Audience, CallOutcome, CallReply, Close, CloseCode, Entered, FailCode, Frame, QueryOutcome, QueryReply,
    SessionFrame, Square, TopicId, Viewpoint,
};
pub use ingress::{Ingress, IngressBatch, ResyncTopics};
pub use inputs::{Input, Inputs};
pub use limits::{
    CLIENT_MESSAGE_BYTES_MAX, DESCRIPTION_BYTES_MAX, INPUT_BYTES_MAX, INPUTS_MAX, PROTOCOL_VERSION,
    QUERY_BYTES_MAX, REPLICA_BYTES_MAX, SERVER_MESSAGE_BYTES_MAX, SLOTS_MAX, STATE_AGE_US_MAX,
    STATE_BYTES_MAX, TEXT_BYTES_MAX, TOKEN_BYTES_MAX, TOPICS_MAX,
};
pub use pack::{TopicList, pack_frame};
pub use packer::{FramePacker, StatePacker};
pub use prefetch::{CACHE_LINE_BYTES, prefetch};
pub use quantizer::Quantizer;
pub use replica::{Change, ChangeKind, Changes, Event, Replica, ResultChange, StateStats};
pub use schema::{RowCodec, WireSchema};
pub use secret::SessionSecret;
pub use server_message::{FrameMessage, Pong, ServerMessage, StateMessage, Welcome};
pub use snapshot::Snapshot;
pub use topic_frames::{
    Blocks, State, StatePart, States, TOPICS_PER_WORD, TopicFrames, TopicFramesWriter, WordStates,
};
