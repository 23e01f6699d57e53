//! What the QUIC libraries' errors mean for a connection.

use std::io;
use std::time::Duration;

use quinn::ConnectionError;
use web_transport_quinn::{ReadError, SessionError, WebTransportError, WriteError};

use crate::error::{CloseReason, TransportError};

/// The end of the whole session; silence is found out after `idle_max`.
pub(super) fn of_session(error: SessionError, idle_max: Duration) -> TransportError {
    match error {
        SessionError::WebTransportError(WebTransportError::Closed(code, reason)) => {
            // Zero is what an end without a code looks like.
            let code = u16::try_from(code).ok().filter(|code| *code != 0);
            TransportError::Closed(CloseReason { code, reason })
        }
        SessionError::ConnectionError(ConnectionError::TimedOut) => TransportError::Silent(idle_max),
        SessionError::ConnectionError(ConnectionError::TransportError(error)) => {
            TransportError::Protocol(error.to_string())
        }
        other => TransportError::Lost(io::Error::other(other)),
    }
}

/// The end of a stream with messages that is written.
pub(super) fn of_write(error: WriteError, idle_max: Duration) -> TransportError {
    match error {
        WriteError::SessionError(error) => of_session(error, idle_max),
        WriteError::Stopped(_) | WriteError::InvalidStopped(_) => broken("a stream of messages was stopped"),
        WriteError::ClosedStream => TransportError::Lost(io::ErrorKind::BrokenPipe.into()),
    }
}

/// The end of a stream with messages that is read.
pub(super) fn of_read(error: ReadError, idle_max: Duration) -> TransportError {
    match error {
        ReadError::SessionError(error) => of_session(error, idle_max),
        ReadError::Reset(_) | ReadError::InvalidReset(_) => broken("a stream of messages was reset"),
        other => TransportError::Lost(io::Error::other(other)),
    }
}

/// What arrived is not what is spoken here.
pub(super) fn broken(problem: impl Into<String>) -> TransportError {
    TransportError::Protocol(problem.into())
}

/// Whether the peer did wrong, so that nothing more of it counts.
pub(super) fn is_broken(error: &TransportError) -> bool {
    matches!(error, TransportError::Protocol(_) | TransportError::TooLarge { .. })
}
