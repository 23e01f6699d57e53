//! Commit log, snapshots, recovery and replay, behind a storage trait.
//!
//! ```text
//!  world thread                         log thread
//!  Delta ──► journal: record bytes ──► log: group, write, sync ──► "synced up to seq"
//!  slices of columns ─────────────────► snapshot files
//! ```

mod journal;
mod log;
