//! What can go wrong for a client.

use std::fmt;
use std::time::Duration;

use evertick_protocol::{Close, FailCode, INPUT_BYTES_MAX, ProtocolError, QUERY_BYTES_MAX};
use evertick_schema::{DescriptionError, RowError};
use thiserror::Error;

use crate::condition::ConditionError;
use crate::queries::QUERIES_MAX;

/// Why a client did not get a session.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The server can't be reached.
    #[error(transparent)]
    Transport(#[from] evertick_transport::ConnectError),
    /// The connection ended before the session began; often the server says why.
    #[error("the server gave no session: {0}")]
    Refused(Disconnected),
    /// There was no Welcome in time.
    #[error("the server did not answer the Hello within {0:?}; is it a game server, and is it overloaded?")]
    Timeout(Duration),
    /// The server's description can't be read.
    #[error("the server's module description can't be used: {0}")]
    Description(#[from] DescriptionError),
    /// The server's description makes no sense.
    #[error("the server's module description can't be used: {0}")]
    Schema(#[from] evertick_protocol::SchemaError),
}

/// Why a session is over.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Disconnected {
    /// The server ended it and said why.
    #[error("the server closed the session ({:?}): {}", .0.code, .0.message)]
    ByServer(Close),
    /// This client ended it.
    #[error("the client closed the session")]
    ByClient,
    /// The connection broke.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// The server sent something that can't be right; the replica is of no use any more.
    #[error("the server sent something that can't be used: {0}; connect again")]
    Protocol(#[from] ProtocolError),
}

/// How a client is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// The session is on.
    Connected,
    /// The connection is lost; the client tries to come back. What the replica shows grows old, and calls wait.
    Reconnecting,
    /// The session is over.
    Closed(Disconnected),
}

impl ConnectionState {
    /// Why the session is over, once it is.
    pub fn closed(&self) -> Option<&Disconnected> {
        match self {
            Self::Closed(why) => Some(why),
            Self::Connected | Self::Reconnecting => None,
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed().is_some()
    }
}

/// Why an input was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InputError {
    /// The server's module has no such input.
    #[error("the server's module has no `#[reducer(input)]` named `{0}`; make it one, or `call` it")]
    Unknown(&'static str),
    /// Its arguments are too long.
    #[error(
        "the arguments of an input have {0} bytes, and {INPUT_BYTES_MAX} are allowed; send less, or use a call"
    )]
    TooLong(usize),
    /// The session is over.
    #[error(transparent)]
    Disconnected(Disconnected),
}

/// Why a row can't be predicted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PredictError {
    /// The row type is not the server's.
    #[error(transparent)]
    Row(#[from] RowTypeError),
    /// The input is not the server's.
    #[error(transparent)]
    Input(#[from] InputError),
}

/// Why a query has no result.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QueryError {
    /// The row type is not the server's.
    #[error(transparent)]
    Row(#[from] RowTypeError),
    /// The query makes no sense.
    #[error(transparent)]
    Condition(#[from] ConditionError),
    /// Its text is too long.
    #[error(
        "the query's text has {0} bytes, and {QUERY_BYTES_MAX} are allowed; ask for less, or by two queries"
    )]
    TooLong(usize),
    /// There are too many queries.
    #[error("there are {QUERIES_MAX} queries already, which are the most; end one first")]
    TooMany,
    /// The server does not answer it; its words say what is wrong, and where.
    #[error("`{text}` is refused: {message}")]
    Refused {
        /// The query.
        text: String,
        /// The server's words.
        message: String,
    },
    /// `subscribe` was given an `EXPLAIN`.
    #[error("`{0}` asks for an explanation, not for rows; use `explain`")]
    Explains(String),
    /// The session ended first.
    #[error(transparent)]
    Disconnected(Disconnected),
}

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq)]
pub enum CallError<R> {
    /// The module's logic said no.
    Refused {
        /// Which no.
        refusal: R,
        /// The server's words for it.
        message: String,
    },
    /// The server did not run it, or it failed there. Nothing has changed.
    Failed {
        /// What kind of failure.
        code: FailCode,
        /// The server's words for it.
        message: String,
        /// What the server's log calls it; 0 when it is not there.
        id: u64,
    },
    /// The server's module has no reducer of this name.
    UnknownReducer(&'static str),
    /// The result or refusal is of another type than this client was built with.
    BadResult(RowError),
    /// The server refused with a variant that this client was not built with.
    UnknownRefusal {
        /// Its number.
        variant: u16,
        /// The server's words for it.
        message: String,
    },
    /// The session ended first, or another took its place. Whether the call was run is not known.
    Disconnected(Disconnected),
}

impl<R: fmt::Debug> fmt::Display for CallError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { message, refusal } if message.is_empty() => write!(f, "refused: {refusal:?}"),
            Self::Refused { message, .. } => write!(f, "refused: {message}"),
            Self::Failed { code, message, id: 0 } => write!(f, "the call failed ({code:?}): {message}"),
            Self::Failed { code, message, id } => {
                write!(f, "the call failed ({code:?}, {id:016x} in the server's log): {message}")
            }
            Self::UnknownReducer(name) => {
                write!(
                    f,
                    "the server's module has no reducer `{name}`; build client and module from the same source"
                )
            }
            Self::BadResult(error) => {
                write!(
                    f,
                    "the result is of another type ({error}); build client and module from the same source"
                )
            }
            Self::UnknownRefusal { variant, message } => {
                write!(f, "refused with variant {variant}, which this client does not know: {message}")
            }
            Self::Disconnected(why) => why.fmt(f),
        }
    }
}

impl<R: fmt::Debug> std::error::Error for CallError<R> {}

/// Why rows of a type can't be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RowTypeError {
    /// The server's module has no such row type.
    #[error("the server's module has no row type `{0}`; build client and module from the same source")]
    Unknown(&'static str),
    /// Its fields are not those that this client was built with.
    #[error(
        "the server's `{0}` has other fields than this client's; build client and module from the same source"
    )]
    Differs(&'static str),
}

/// Why a stream of changes or events has nothing to give.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StreamError {
    /// The reader was too slow, and this many frames are lost to it. The next call goes on behind them; the replica itself has them.
    #[error("{0} frames were missed: the stream was not read fast enough")]
    Lagged(u64),
    /// The session is over.
    #[error(transparent)]
    Disconnected(#[from] Disconnected),
}
