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
    Damage, DamageKind, Log, LogConfig, LogEnd, LogError, LogStats, LogStatus, Record, Records, Scan,
    SegmentInfo, SyncTimes, TornTail,
};
pub use storage::{DirectoryStorage, Storage, StorageFile};
