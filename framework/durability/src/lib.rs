//! Commit log, snapshots, recovery and replay, behind a storage trait.
//!
//! ```text
//!  world thread                         log thread
//!  Delta ──► journal: record bytes ──► log: group, write, sync ──► "synced up to seq"
//!  slices of rows ────────────────────► snapshot files
//! ```
//!
//! * [`open`] makes a world or brings it back, and gives its [`Journal`].
//! * The [`Journal`] lives on the world's thread: it turns causes and [`evertick_world::Delta`]s into records.
//! * The [`Log`] writes records in groups, on a thread of its own, and says up to where they are safe.
//! * [`storage`] is what all of it stands on: real files, or a disk that fails on purpose.
//!
//! # What is promised
//!
//! What [`Journal::synced`] has reached is there after any crash, whole commits only, in their order. What was not
//! synced is there up to some commit, or not. Data that is damaged is never started on.
//!
//! # What is not here
//!
//! No WebAssembly and no sockets; no clock but to bound how long a snapshot may hold up a tick.

mod inspect;
mod journal;
mod log;
mod record;
mod recover;
mod replay;
#[cfg(test)]
mod simulation_tests;
pub mod storage;

pub use inspect::{Described, InspectFilter, InspectedRecord, Inspection, describe, inspect};
pub use journal::{
    Commit, DurabilityConfig, Journal, JournalStats, RecordingError, RecordingStats, SnapshotStats,
};
pub use log::{
    BackUpProgress, BackUpReport, Damage, DamageKind, Log, LogConfig, LogEnd, LogError, LogStats, LogStatus,
    Record, Records, RepairReport, Report, Scan, SegmentInfo, SnapshotInfo, SnapshotReader, SnapshotState,
    SnapshotThread, SnapshotWriter, SyncTimes, TornTail, back_up, repair, verify,
};
pub use record::{CauseRef, Malformed};
pub use recover::{OpenError, Opened, Progress, open};
pub use replay::{Divergence, ReplayError, ReplayReport, replay};
pub use storage::{DirectoryStorage, Storage, StorageFile};
