//! From wasmtime's errors to the world's [`GuestFault`].

use evertick_world::{FaultKind, GuestFault};
use wasmtime::{Trap, WasmBacktrace};

use crate::memory::Misuse;
use crate::state::OverLimit;
use crate::symbols::Symbols;

/// The most bytes of a backtrace. Symbol names of generic code can be very long.
const BACKTRACE_BYTES_MAX: usize = 8 << 10;

/// Reads an error that ended a call into a guest. `last_error` is the last line of level error that it
/// logged: a panic hook's words.
pub(crate) fn fault(error: &wasmtime::Error, last_error: Option<&str>, symbols: &Symbols) -> GuestFault {
    let (kind, message) = if let Some(over) = error.downcast_ref::<OverLimit>() {
        (FaultKind::Memory, over.to_string())
    } else if let Some(misuse) = error.downcast_ref::<Misuse>() {
        (FaultKind::Trap, misuse.to_string())
    } else {
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => (FaultKind::Deadline, "the guest ran longer than it may".to_owned()),
            Some(Trap::StackOverflow) => {
                (FaultKind::Trap, "the guest's calls are nested too deeply".to_owned())
            }
            Some(trap) => (FaultKind::Trap, words(trap, last_error)),
            None => (FaultKind::Trap, format!("{:#}", error.root_cause())),
        }
    };
    let trace = error.downcast_ref::<WasmBacktrace>();
    let backtrace = trace.map(|trace| backtrace(trace, symbols)).unwrap_or_default();
    GuestFault { kind, message, backtrace }
}

/// A panic compiles to `unreachable`, and its message is what the guest logged last.
fn words(trap: &Trap, last_error: Option<&str>) -> String {
    match last_error {
        Some(line) if *trap == Trap::UnreachableCodeReached => line.to_owned(),
        _ => trap.to_string(),
    }
}

/// One line per frame, innermost first: `function at file:line`. Inlined functions have lines of their own.
fn backtrace(trace: &WasmBacktrace, symbols: &Symbols) -> String {
    let mut text = String::new();
    for frame in trace.frames() {
        symbols.frame(frame.module_offset(), frame.func_name(), &mut text);
        if text.len() > BACKTRACE_BYTES_MAX {
            text.truncate(text.floor_char_boundary(BACKTRACE_BYTES_MAX));
            text.push_str("…\n");
            break;
        }
    }
    text
}
