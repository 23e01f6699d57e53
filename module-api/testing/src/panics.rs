//! Panics of a module, caught with their words and their stack.

use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

/// A panic of a module.
pub(crate) struct Caught {
    /// What it said, and where.
    pub(crate) message: String,
    /// The module's functions, innermost first.
    pub(crate) backtrace: String,
}

thread_local! {
    /// While a module runs on this thread: its panic, once there is one.
    static CAUGHT: RefCell<Option<Option<Caught>>> = const { RefCell::new(None) };
}

/// Runs a module's code. A panic in it prints nothing and comes back.
pub(crate) fn catch<R>(module: impl FnOnce() -> R) -> Result<R, Caught> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !note(info) {
                before(info);
            }
        }));
    });
    let outer = CAUGHT.replace(Some(None));
    let result = panic::catch_unwind(AssertUnwindSafe(module));
    let caught = CAUGHT.replace(outer).flatten();
    result.map_err(|_| match caught {
        Some(caught) => caught,
        None => Caught { message: "it panicked".to_owned(), backtrace: String::new() },
    })
}

/// Keeps a panic for [`catch`]; `false` when no module runs here.
fn note(info: &PanicHookInfo<'_>) -> bool {
    CAUGHT.with_borrow_mut(|caught| match caught {
        None => false,
        Some(caught) => {
            let words = info.payload_as_str().unwrap_or("it panicked");
            let message = match info.location() {
                Some(place) => format!("panicked at {place}: {words}"),
                None => words.to_owned(),
            };
            let backtrace = modules_part(&Backtrace::force_capture().to_string());
            *caught = Some(Caught { message, backtrace });
            true
        }
    })
}

/// The frames between the panic machinery and ours.
fn modules_part(backtrace: &str) -> String {
    let mut frames: Vec<String> = Vec::new();
    for line in backtrace.lines() {
        match frames.last_mut() {
            // The place of the frame above.
            Some(frame) if line.trim_start().starts_with("at ") => {
                frame.push('\n');
                frame.push_str(line);
            }
            _ => frames.push(line.to_owned()),
        }
    }
    let machinery = |frame: &String| frame.contains("core::panicking") || frame.contains("rust_begin_unwind");
    let start = frames.iter().rposition(machinery).map_or(0, |at| at + 1);
    let end = frames[start..].iter().position(|frame| frame.contains("evertick_module::"));
    frames[start..end.map_or(frames.len(), |end| start + end)].join("\n")
}
