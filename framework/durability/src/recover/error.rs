//! Why a world can't be opened.

use std::io;

use evertick_schema::{MigrationRefused, RowError};
use evertick_world::{RegisterError, RestoreError, SimulationError};
use thiserror::Error;

use crate::log::{Damage, LogError};
use crate::record::Malformed;

/// Why a world can't be opened. What is stored is as it was.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The directory can't be used.
    #[error(
        "{directory} can't be {doing}: {error}; check that it is there, its permissions, and that no other server has it"
    )]
    Directory {
        /// The directory.
        directory: String,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// What is stored is damaged.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// There is a log, and no snapshot that it could go on from.
    #[error(
        "{directory} has a log up to record {last_seq} and no snapshot, without which it is of no use. Nothing was changed. Restore a back-up, or put the snapshot files back"
    )]
    NoSnapshot {
        /// The directory.
        directory: String,
        /// The log's last record.
        last_seq: u64,
    },
    /// A record's bytes passed their checksum and are none.
    #[error(
        "record {seq} is not one that this version of Evertick can read: {error}. Nothing was changed. See it with `evertick log inspect --data DIR`, and use the version that wrote it, or give up what comes behind with `evertick log repair --to {} --data DIR`",
        seq.saturating_sub(1)
    )]
    Record {
        /// Its number.
        seq: u64,
        /// What is wrong.
        error: Malformed,
    },
    /// A snapshot's bytes passed their checksum and are none.
    #[error(
        "the snapshot of record {seq} is not one that this version of Evertick can read: {error}. Nothing was changed; use the version that wrote it, or restore a back-up"
    )]
    Snapshot {
        /// The snapshot.
        seq: u64,
        /// What is wrong.
        error: Malformed,
    },
    /// The log goes on with another version of the module than the snapshot before it.
    #[error(
        "record {seq} is the first of generation {found}, and the last snapshot is of generation {expected}: the snapshot that was written when the module was changed is missing. Nothing was changed. Restore a back-up, or put the snapshot file back"
    )]
    Generation {
        /// The record.
        seq: u64,
        /// The snapshot's generation.
        expected: u64,
        /// The record's.
        found: u64,
    },
    /// The world is of another region.
    #[error(
        "the stored world is region {stored}, and the server is configured as region {configured}, so entities would get ids of another region; set the region to {stored}"
    )]
    Region {
        /// The region that is stored.
        stored: u16,
        /// That of the configuration.
        configured: u16,
    },
    /// A module whose rows are stored is not loaded.
    #[error(
        "the stored world has rows of module {module}, which is not loaded; load it, or load a version of it without row types to drop them"
    )]
    ModuleGone {
        /// The module.
        module: String,
    },
    /// A new version of a module can't take over the stored rows.
    #[error("{0}")]
    Refused(#[from] MigrationRefused),
    /// Timers wait that would call what is no more.
    #[error(
        "module {module} can't be loaded: {}. Keep each of them, with the same parameters, until its timers have run, or cancel them with the version that is stored",
        list(reducers)
    )]
    Timers {
        /// The module.
        module: String,
        /// Reducers that are gone or take other arguments, and how many timers call each.
        reducers: Vec<(String, u64)>,
    },
    /// A stored row can't be converted.
    #[error(
        "a stored {row} can't be brought to its new shape: {error}; the module that wrote it still runs on it"
    )]
    Convert {
        /// The row type.
        row: String,
        /// What is wrong.
        error: RowError,
    },
    /// The stored rows make no world of these modules.
    #[error("the stored rows can't be loaded: {0}")]
    Rows(#[from] RestoreError),
    /// The stored descriptions are none.
    #[error("the stored module descriptions can't be used: {0}; use the version of Evertick that wrote them")]
    Register(#[from] RegisterError),
    /// A reducer that makes or upgrades the world failed.
    #[error(transparent)]
    Simulation(#[from] SimulationError),
    /// The first snapshot can't be written, or the log not started.
    #[error(transparent)]
    Log(#[from] LogError),
}

fn list(reducers: &[(String, u64)]) -> String {
    let each = reducers.iter().map(|(name, timers)| {
        format!("{timers} waiting timers call {name}, which is gone or takes other arguments")
    });
    each.collect::<Vec<_>>().join("; ")
}
