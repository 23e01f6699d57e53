//! What an instance's store carries: limits, the log's allowance, and what the host functions act on.

use std::borrow::Cow;
use std::sync::Arc;

use evertick_schema::EntityId;
use wasmtime::{Memory, ResourceLimiter};

use crate::config::GuestLimits;
use crate::imports::OpenScans;
use crate::scope::Scope;

/// The data of an instance's store.
pub(crate) struct GuestState {
    pub(crate) limits: Limiter,
    pub(crate) log: LogAllowance,
    pub(crate) scope: Scope,
    /// The guest's exported memory, as soon as there is an instance.
    pub(crate) memory: Option<Memory>,
    pub(crate) scans: OpenScans,
    /// Entities that `near` found; kept for its memory.
    pub(crate) found: Vec<EntityId>,
    /// Keys that `find` and `scan` look up; kept for its memory.
    pub(crate) key: Vec<u8>,
}

impl GuestState {
    pub(crate) fn new(module: &Arc<str>, limits: &GuestLimits) -> Self {
        Self {
            limits: Limiter {
                memory_bytes_max: limits.memory_bytes_max,
                table_elements_max: limits.table_elements_max,
            },
            log: LogAllowance::new(module, limits),
            scope: Scope::default(),
            memory: None,
            scans: OpenScans::default(),
            found: Vec::new(),
            key: Vec::new(),
        }
    }

    /// Starts a call.
    pub(crate) fn refill(&mut self) {
        self.log.refill();
        self.scans.clear();
    }
}

/// Refuses memory over the limit: as a trap, so that the fault shows who asked for it.
pub(crate) struct Limiter {
    memory_bytes_max: usize,
    table_elements_max: usize,
}

/// A guest asked for more than it may have.
#[derive(Debug, thiserror::Error)]
#[error("the guest asked for {desired} {what}, it may have {max}")]
pub(crate) struct OverLimit {
    what: &'static str,
    desired: usize,
    max: usize,
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let max = self.memory_bytes_max;
        if desired > max {
            return Err(OverLimit { what: "bytes of memory", desired, max }.into());
        }
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let max = self.table_elements_max;
        if desired > max {
            return Err(OverLimit { what: "table elements", desired, max }.into());
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        1
    }

    fn memories(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        1
    }
}

/// The text with control characters escaped: a guest's line must not look like several, or move the cursor.
fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let escape =
        |char: char| if char.is_control() { char.escape_default().to_string() } else { char.to_string() };
    Cow::Owned(text.chars().map(escape).collect())
}

/// How loud a guest's line is. The numbers are the ABI's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Level {
    pub(crate) fn of(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Error,
            1 => Self::Warn,
            2 => Self::Info,
            3 => Self::Debug,
            4 => Self::Trace,
            _ => return None,
        })
    }
}

/// What the guest may still log in this call.
pub(crate) struct LogAllowance {
    module: Arc<str>,
    bytes_max: usize,
    lines_max: u32,
    bytes: usize,
    lines: u32,
    dropped: u32,
    /// The last line of level error: a panic hook's words, should the call now trap.
    last_error: String,
}

impl LogAllowance {
    fn new(module: &Arc<str>, limits: &GuestLimits) -> Self {
        Self {
            module: Arc::clone(module),
            bytes_max: limits.log_bytes_per_call_max,
            lines_max: limits.log_lines_per_call_max,
            bytes: 0,
            lines: 0,
            dropped: 0,
            last_error: String::new(),
        }
    }

    fn refill(&mut self) {
        if self.lines > 0 {
            (self.bytes, self.lines, self.dropped) = (0, 0, 0);
            self.last_error.clear();
        }
    }

    /// Passes a line on to the log, if the allowance lasts.
    pub(crate) fn line(&mut self, level: Level, text: &str) {
        self.lines = self.lines.saturating_add(1);
        self.bytes = self.bytes.saturating_add(text.len());
        if self.lines > self.lines_max || self.bytes > self.bytes_max {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        if level == Level::Error {
            self.last_error.clear();
            self.last_error.push_str(text);
        }
        let module = &*self.module;
        let text = one_line(text);
        match level {
            Level::Error => tracing::error!(target: "evertick::guest", module, "{text}"),
            Level::Warn => tracing::warn!(target: "evertick::guest", module, "{text}"),
            Level::Info => tracing::info!(target: "evertick::guest", module, "{text}"),
            Level::Debug => tracing::debug!(target: "evertick::guest", module, "{text}"),
            Level::Trace => tracing::trace!(target: "evertick::guest", module, "{text}"),
        }
    }

    /// Ends a call: says how much was dropped.
    pub(crate) fn settle(&mut self) {
        if self.dropped > 0 {
            tracing::warn!(
                target: "evertick::guest",
                module = &*self.module,
                lines = self.dropped,
                "the module logged more than one call may; the rest was dropped"
            );
        }
    }

    /// The last line of level error in this call, if there was one.
    pub(crate) fn last_error(&self) -> Option<&str> {
        (!self.last_error.is_empty()).then_some(&*self.last_error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line() {
        assert_eq!(one_line("plain, with ümlauts"), "plain, with ümlauts");
        assert_eq!(one_line("a\nERROR b\u{1b}[2J"), "a\\nERROR b\\u{1b}[2J");
    }

    #[test]
    fn the_allowance_is_per_call() {
        let limits =
            GuestLimits { log_lines_per_call_max: 2, log_bytes_per_call_max: 8, ..GuestLimits::default() };
        let mut log = LogAllowance::new(&Arc::from("m"), &limits);
        for text in ["1234", "1234", "x"] {
            log.line(Level::Error, text);
        }
        assert_eq!((log.dropped, log.last_error()), (1, Some("1234")));
        log.refill();
        assert_eq!((log.dropped, log.last_error()), (0, None));
        log.line(Level::Info, "123456789");
        assert_eq!(log.dropped, 1);
    }
}
