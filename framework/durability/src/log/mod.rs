//! Segments, syncing, and what is found in them again. The format is in `docs/log.md`.

mod back_up;
mod config;
mod damage;
mod error;
mod format;
mod names;
mod read;
mod repair;
#[cfg(test)]
mod simulation_tests;
mod snapshot;
mod stats;
mod thread;
mod verify;
mod write;

pub use back_up::{BackUpProgress, BackUpReport, back_up};
pub use config::LogConfig;
pub use damage::{Damage, DamageKind};
pub use error::LogError;
pub use read::{LogEnd, Record, Records, Scan, SegmentInfo, TornTail};
pub use repair::{RepairReport, repair};
pub use snapshot::{SnapshotInfo, SnapshotReader, SnapshotState, SnapshotThread, SnapshotWriter};
pub use stats::{LogStats, SyncTimes};
pub use thread::{Log, LogStatus};
pub use verify::{Report, verify};

pub(crate) use names::LOCK;

/// What simulations of the journal drive step by step.
#[cfg(test)]
pub(crate) mod simulated {
    pub(crate) use super::format::Group;
    pub(crate) use super::write::{Housekeeping, Shelf, Writer};
}
