//! What runs game logic.

use std::fmt;

use thiserror::Error;

use crate::Tx;
use crate::row::RowId;
use crate::view::SystemView;

/// A module's code: WebAssembly in an engine, or the module linked natively into a test.
///
/// The world calls it and trusts nothing it says: whatever comes back is checked before anybody else sees it.
/// A guest that fails loses the call or run in which it failed, and nothing more.
pub trait Guest: Send {
    /// Runs reducer number `reducer` with `args`, which are checked against its parameters already.
    /// `rows` translates the module's row numbers. On `Err` the caller aborts `tx`.
    fn call(
        &mut self,
        tx: &mut Tx<'_>,
        rows: &[RowId],
        reducer: u32,
        args: &[u8],
    ) -> Result<Outcome, GuestFault>;

    /// Runs system number `system` on what `view` shows, and hands what it wrote to `view`. On `Err` nothing
    /// of the run is kept, whatever it handed over before.
    fn run(&mut self, system: u32, view: &mut SystemView<'_>) -> Result<(), GuestFault>;

    /// Forgets all that the code remembers by itself, so that it goes on as one that was just loaded. What has
    /// no memory of its own has nothing to do.
    fn renew(&mut self) {}
}

/// How a reducer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done; the result as a row of one field, empty when it returns nothing.
    Ok(Vec<u8>),
    /// It refuses: what it did is undone.
    Refused {
        /// The number of the refusal's variant.
        variant: u16,
        /// The text for a person.
        message: String,
        /// The variant's fields, as a row.
        fields: Vec<u8>,
    },
}

/// Why a guest failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{kind}: {message}")]
pub struct GuestFault {
    /// What sort of failure it is.
    pub kind: FaultKind,
    /// What happened, in one line.
    pub message: String,
    /// The guest's call stack with file and line, innermost first; empty where there is none.
    pub backtrace: String,
}

impl GuestFault {
    /// A fault without a backtrace.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), backtrace: String::new() }
    }

    /// What the guest gave back is not what it should be.
    pub fn bad_output(message: impl Into<String>) -> Self {
        Self::new(FaultKind::BadOutput, message)
    }
}

/// What sort of failure a [`GuestFault`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The code trapped or panicked.
    Trap,
    /// It ran longer than it may.
    Deadline,
    /// It wanted more memory than it may have.
    Memory,
    /// It gave back bytes that are not what they should be.
    BadOutput,
    /// There is no working instance of it.
    Unavailable,
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trap => "trap",
            Self::Deadline => "over the time limit",
            Self::Memory => "over the memory limit",
            Self::BadOutput => "bad output",
            Self::Unavailable => "unavailable",
        })
    }
}
