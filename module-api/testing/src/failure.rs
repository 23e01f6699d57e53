//! What comes of a call that does not succeed.

use std::fmt;

/// Why a call has changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallFailure<R> {
    /// The reducer refused.
    Refused(R),
    /// The module has no such reducer.
    UnknownReducer,
    /// The caller may not call it: it is private, or they lack its role.
    Forbidden,
    /// The arguments are not the reducer's.
    BadArguments(String),
    /// The reducer panicked, or did what the world does not allow.
    Internal {
        /// What happened, with file and line.
        message: String,
        /// The stack of the module's functions.
        backtrace: String,
    },
}

impl<R> CallFailure<R> {
    /// The refusal, when it is one.
    pub fn refusal(self) -> Option<R> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }
}

impl<R: fmt::Display> fmt::Display for CallFailure<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "refused: {refusal}"),
            Self::UnknownReducer => f.write_str("the module has no such reducer: list it in its `plugin!`"),
            Self::Forbidden => f.write_str("the caller may not call this reducer"),
            Self::BadArguments(why) => write!(f, "bad arguments: {why}"),
            Self::Internal { message, backtrace } => write!(f, "{message}\n{backtrace}"),
        }
    }
}

impl<R: fmt::Debug + fmt::Display> std::error::Error for CallFailure<R> {}
