//! Snapshot files: what holds them, not what is in them.
//!
//! A snapshot is written beside the running log, under a name of its own until it is whole and synced, and is then
//! renamed. So a file with a snapshot's name is whole, and one that does not pass its checks is damaged.

mod format;
mod reader;
mod thread;
mod writer;

pub use format::SnapshotInfo;
pub use reader::SnapshotReader;
pub use thread::{SnapshotState, SnapshotThread};
pub use writer::SnapshotWriter;
