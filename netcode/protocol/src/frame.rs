//! What the world thread and the gateway hand each other.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use evertick_schema::{SessionId, Timestamp};
use hashbrown::HashMap;

use crate::snapshot::Snapshot;
use crate::topic_frames::TopicFrames;

/// Names a topic: a set of rows that sessions see or don't see together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct TopicId(pub u32);

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "topic {}", self.0)
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// All that one step of the world has to say to all sessions. Made once, shared by all I/O shards; a
/// session's messages are put together from it by a [`FramePacker`](crate::FramePacker) and a [`StatePacker`](crate::StatePacker).
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// One more with each frame that the world makes.
    pub number: u64,
    /// The tick it closes.
    pub tick: u64,
    /// The world's time.
    pub time: Timestamp,
    /// The commit it shows the effects of, and of all before.
    pub seq: u64,
    /// What the tick took, in microseconds.
    pub tick_cost_us: u32,
    /// What each topic says that has subscribers and something to say.
    pub topics: TopicFrames,
    /// What single sessions are told; only those with something of their own.
    pub sessions: HashMap<SessionId, SessionFrame>,
}

/// Which sessions a frame is handed to. Every session is handed every frame once, in order: a frame goes to [`Everyone`](Self::Everyone),
/// or first to [`Unconfirmed`](Self::Unconfirmed) and later to [`Confirmed`](Self::Confirmed).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Audience {
    /// All sessions.
    Everyone,
    /// Those that asked for frames before the disk has what they tell.
    Unconfirmed,
    /// All others: the disk has it.
    Confirmed,
}

impl Audience {
    /// Whether a session that asked for unconfirmed frames, or one that did not, is among them.
    pub const fn has(self, unconfirmed: bool) -> bool {
        match self {
            Self::Everyone => true,
            Self::Unconfirmed => unconfirmed,
            Self::Confirmed => !unconfirmed,
        }
    }
}

/// What one session alone is told with a frame.
#[derive(Clone, Debug, Default)]
pub struct SessionFrame {
    /// Topics it no longer sees.
    pub left: Vec<TopicId>,
    /// Topics it sees from now on, or anew.
    pub entered: Vec<Entered>,
    /// Results of its calls, in their order.
    pub results: Vec<CallReply>,
    /// That it is over, and why; after all else.
    pub close: Option<Close>,
    /// Where its focus is, when that has changed enough to matter.
    pub viewpoint: Option<Viewpoint>,
    /// Answers to its subscriptions, in their order. They name topics of this frame's `entered` or earlier ones.
    pub queries: Vec<QueryReply>,
}

/// That a session sees a topic from now on.
#[derive(Clone, Debug)]
pub struct Entered {
    /// Which topic.
    pub topic: TopicId,
    /// Where it is, if it has a place (cells and details).
    pub square: Option<Square>,
    /// Its content at some frame before or at this one; shared by all who enter until the next is made.
    pub snapshot: Arc<Snapshot>,
    /// The topic's ordered blocks since the snapshot was made, this frame's included. The session must not be sent
    /// the topic's [`ordered`](crate::Blocks::ordered) of this frame besides.
    pub followed: Vec<Bytes>,
}

/// A square of a space.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Square {
    /// The space's number.
    pub space: u32,
    /// The corner with the least coordinates, in the space's units.
    pub min: [f32; 2],
    /// The length of a side.
    pub size: f32,
}

/// Where a session looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Viewpoint {
    /// The space's number.
    pub space: u32,
    /// The place, in the space's units.
    pub at: [f32; 2],
    /// How far it sees.
    pub radius: f32,
}

/// The answer to a Subscribe. A query may be answered again, when the topics that hold its result change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryReply {
    /// The number that the client gave the query.
    pub query: u32,
    /// What became of it.
    pub outcome: QueryOutcome,
}

/// What became of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryOutcome {
    /// It holds; its rows are those that these topics hold. At most [`TOPICS_MAX`](crate::TOPICS_MAX).
    Applied {
        /// The topics, which the session has been told of.
        topics: Vec<TopicId>,
    },
    /// It can't be; the query is over.
    Refused {
        /// The text for a person: why, and what to do instead.
        message: String,
    },
    /// How the query would be matched; nothing is subscribed to.
    Explained {
        /// The text for a person.
        plan: String,
    },
}

/// The answer to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallReply {
    /// The number that the client gave the call.
    pub seq: u32,
    /// What became of it.
    pub result: CallOutcome,
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// It is done; the result's row bytes, none if it returns nothing.
    Ok(Bytes),
    /// The reducer refused; nothing has changed.
    Refused {
        /// The number of the refusal's variant.
        variant: u16,
        /// The text for a person.
        message: String,
        /// The variant's fields as row bytes.
        fields: Bytes,
    },
    /// It could not be run; nothing has changed.
    Failed {
        /// What kind of failure.
        code: FailCode,
        /// The text for a person.
        message: String,
        /// What the server's log calls it; 0 when it isn't there.
        id: u64,
    },
}

/// Why a call could not be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FailCode {
    /// There is no such reducer.
    UnknownReducer = 1,
    /// The reducer is private, or asks for a role that the caller lacks.
    Forbidden = 2,
    /// The arguments are not what the reducer takes.
    BadArguments = 3,
    /// The caller calls it too often.
    RateLimited = 4,
    /// The server has more calls waiting than it takes.
    Busy = 5,
    /// The reducer trapped or overran; the server's log has it under the id.
    Internal = 6,
    /// The server's disk does not take writes at present, so that nothing may change; the world goes on when it does.
    Storage = 7,
}

impl FailCode {
    /// The code with this number; one that isn't known is [`FailCode::Internal`].
    pub const fn from_wire(code: u8) -> Self {
        match code {
            1 => Self::UnknownReducer,
            2 => Self::Forbidden,
            3 => Self::BadArguments,
            4 => Self::RateLimited,
            5 => Self::Busy,
            7 => Self::Storage,
            _ => Self::Internal,
        }
    }
}

/// That a session is over, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// What kind of end.
    pub code: CloseCode,
    /// The text for a person.
    pub message: String,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum CloseCode {
    /// The client said Bye, or the server let it go.
    Normal = 1,
    /// The client sent something that is not a message.
    BadMessage = 2,
    /// The client sent more bytes at once than allowed.
    TooLarge = 3,
    /// The client sent more often than allowed.
    Flooding = 4,
    /// The client did not take what it was sent.
    TooSlow = 5,
    /// The token was refused, or the module turned the session away.
    Unauthorized = 6,
    /// Another version of the protocol, or a schema the server does not have.
    Unsupported = 7,
    /// The server stops.
    Shutdown = 8,
    /// The server failed.
    Internal = 9,
    /// The client was silent for too long.
    Timeout = 10,
    /// The session was resumed over another connection.
    Replaced = 11,
    /// There is no such session to resume: it is unknown, it waited for too long, or the secret is wrong. Open a new one.
    Expired = 12,
}

impl CloseCode {
    /// The code with this number; one that isn't known is [`CloseCode::Internal`].
    pub const fn from_wire(code: u16) -> Self {
        match code {
            1 => Self::Normal,
            2 => Self::BadMessage,
            3 => Self::TooLarge,
            4 => Self::Flooding,
            5 => Self::TooSlow,
            6 => Self::Unauthorized,
            7 => Self::Unsupported,
            8 => Self::Shutdown,
            10 => Self::Timeout,
            11 => Self::Replaced,
            12 => Self::Expired,
            _ => Self::Internal,
        }
    }
}
