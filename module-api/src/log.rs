//! Lines for the server's log.

use std::fmt;

use crate::sys;

/// How loud a line is. The numbers are the ABI's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something is wrong with the server or the module.
    Error = 0,
    /// Something might be.
    Warn = 1,
    /// Something worth a line happened.
    Info = 2,
    /// For developers.
    Debug = 3,
    /// For developers who look closely.
    Trace = 4,
}

/// Hands a line to the host.
pub fn write(level: Level, text: fmt::Arguments<'_>) {
    match text.as_str() {
        Some(text) => sys::log(level as u32, text),
        None => sys::log(level as u32, &text.to_string()),
    }
}
