//! The log as the world's thread sees it.
//!
//! ```text
//!  world thread ── append ──► queue: groups in the bytes that the file will have
//!                               │ (two buffers go back and forth; no allocation per record)
//!  log thread ◄─────────────────┘ write, sync, on_synced(seq), and again with what came meanwhile
//!  housekeeping thread: removes old segments, fills the next one's file
//! ```

mod handle;
mod queue;
mod run;

pub use handle::{Log, LogStatus};
