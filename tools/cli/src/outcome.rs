//! How a command ends.

use std::fmt::Display;
use std::process::ExitCode;

use evertick_durability::LogError;

/// A command that did its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is well.
    Fine,
    /// What was looked for, and nobody wants to find: damage, a divergence.
    Found,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Fine => Self::SUCCESS,
            Outcome::Found => Self::from(1),
        }
    }
}

/// A command that could not do its work: what happened, and what to do next.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) message: String,
    code: u8,
}

impl Failure {
    /// The system did not let us, or what was asked for makes no sense.
    pub(crate) fn new(message: impl Display) -> Self {
        Self { message: message.to_string(), code: 2 }
    }

    /// What is stored is not what it should be.
    pub(crate) fn damage(message: impl Display) -> Self {
        Self { message: message.to_string(), code: 1 }
    }
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        match &error {
            LogError::Damaged(damage) => Self::damage(damage),
            _ => Self::new(error),
        }
    }
}

impl From<Failure> for ExitCode {
    fn from(failure: Failure) -> Self {
        Self::from(failure.code)
    }
}
