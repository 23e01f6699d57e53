//! Commit log, snapshots, recovery and replay, behind a storage trait.
//!
//! ```text
//!  world thread                         log thread
//!  Delta ──► journal: record bytes ──► log: group, write, sync ──► "synced up to seq"
//!  slices of columns ─────────────────► snapshot files
//! ```

mod journal;
mod log;
mod record;
pub mod storage;

pub use log::{
    BackUpProgress, BackUpReport, Damage, DamageKind, Log, LogConfig, LogEnd, LogError, LogStats, LogStatus, Record,
    Records, RepairReport, Report, Scan, SegmentInfo, SnapshotInfo, SnapshotReader, SnapshotState, SnapshotThread,
    SnapshotWriter, SyncTimes, TornTail, back_up, repair, verify,
};
pub use storage::{DirectoryStorage, Storage, StorageFile};
