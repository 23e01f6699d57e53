//! The loop that owns a world: one thread, absolute deadlines, no sockets.
//!
//! ```text
//!  inbox ──► calls ─┐
//!            timers ├─► transactions ─► commit ─► Delta ─► interest ─► Frame ─► publish
//!           systems ┘
//! ```
//!
//! Between ticks, queued calls run at once, each its own transaction, and are committed together. At a tick:
//! due timers, the schedule, one commit. A frame closes when the previous one is old enough or the loop is
//! idle: prompt when quiet, batched when busy. A call's reply travels in the frame of its effects.
//!
//! Late ticks are caught up to a bound, the rest is dropped and counted; deadlines are absolute, so nothing
//! drifts.

mod clock;
mod config;
mod control;
mod disk;
mod host;
mod inbox;
mod input;
mod metrics;
mod pace;
mod rate;
mod release;

pub use config::HostConfig;
pub use control::{Control, ControlError, Status};
pub use host::Host;
pub use metrics::{HostMetrics, HostSnapshot, PhasesSnapshot, StorageSnapshot};
pub use release::{Backlog, FRAMES_HELD_MAX, Publish, Release};
