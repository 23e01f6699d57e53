//! A full snapshot, written at once: of a world that was just made or migrated.

use std::collections::BTreeMap;
use std::sync::Arc;

use evertick_schema::SessionId;
use evertick_world::{Caller, World};

use super::Progress;
use crate::journal::{Contents, Sections};
use crate::log::{LogError, SnapshotWriter};
use crate::record::{Shapes, SnapshotHead};
use crate::storage::Storage;

/// How often progress is told: once for so many rows.
const PROGRESS_ROWS: u64 = 200_000;

/// Writes `world` as the snapshot after record `seq`, in place of one that there may be, and returns its bytes.
pub(super) fn write_full(
    storage: &Arc<dyn Storage>,
    seq: u64,
    preamble: &[u8],
    (head, world, sessions): (SnapshotHead, &World, &BTreeMap<SessionId, Caller>),
    progress: &mut dyn FnMut(Progress),
) -> Result<u64, LogError> {
    let shapes = Shapes::of(world.row_types());
    let mut sections = Sections::new(head, world);
    let mut writer = SnapshotWriter::create(Arc::clone(storage), seq, preamble)?;
    let contents = Contents { world, shapes: &shapes, sessions, last_seq: seq };
    let (mut buffer, mut told) = (Vec::new(), 0);
    while let Some(chunk) = sections.next(&contents, buffer) {
        writer.chunk(&chunk)?;
        buffer = chunk;
        if sections.rows() - told >= PROGRESS_ROWS {
            told = sections.rows();
            progress(Progress::Writing { rows: told });
        }
    }
    Ok(writer.finish(seq)?.file_bytes)
}
