//! What is stored: the last snapshot and the log behind it.

use std::sync::Arc;

use super::error::OpenError;
use crate::log::{Damage, DamageKind, Scan, SnapshotReader};
use crate::record::Preamble;
use crate::storage::Storage;

/// The last snapshot, with its beginning read.
pub(crate) struct Stored {
    pub(crate) seq: u64,
    pub(crate) preamble: Preamble,
    pub(crate) reader: SnapshotReader,
}

impl Stored {
    /// The last snapshot, which the log must reach up to; `None` where nothing is stored.
    pub(crate) fn last(storage: &dyn Storage, scan: &Scan<'_>) -> Result<Option<Self>, OpenError> {
        let Some(seq) = SnapshotReader::list(storage)?.last().copied() else {
            if scan.last_seq() > 0 || !scan.segments().is_empty() {
                return Err(OpenError::NoSnapshot {
                    directory: storage.describe(),
                    last_seq: scan.last_seq(),
                });
            }
            return Ok(None);
        };
        let stored = Self::open(storage, seq)?;
        let needs = stored.reader.info().needs_seq;
        if needs > scan.last_seq() {
            return Err(OpenError::Damaged(Damage {
                file: format!("snapshot-{seq:020}"),
                offset: 0,
                kind: DamageKind::SnapshotAhead { needs },
                good_to: scan.last_seq(),
                next: None,
            }));
        }
        Ok(Some(stored))
    }

    /// One snapshot.
    pub(crate) fn open(storage: &dyn Storage, seq: u64) -> Result<Self, OpenError> {
        let reader = SnapshotReader::open(storage, seq)?;
        let preamble =
            Preamble::from_bytes(reader.preamble()).map_err(|error| OpenError::Snapshot { seq, error })?;
        Ok(Self { seq, preamble, reader })
    }
}

/// Takes the directory for this process.
pub(crate) fn lock(storage: &Arc<dyn Storage>) -> Result<(), OpenError> {
    storage.lock().map_err(|error| OpenError::Directory {
        directory: storage.describe(),
        doing: "locked",
        error,
    })
}
