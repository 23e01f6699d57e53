//! What a system's run leaves behind: changed rows and commands, until they go into the world.

use bevy_ecs::storage::TableId;

use crate::compare::{ChangedRows, RowShape, changed_rows};
use crate::guest::GuestFault;
use crate::row::RowId;

/// The most buffers that a system keeps between its runs.
const SPARE_MAX: usize = 16;

/// Changed rows of one column of one table.
#[derive(Debug)]
pub(crate) struct Sweep {
    /// Parameter, table and column in the system's view.
    pub(crate) slot: [usize; 3],
    pub(crate) row: RowId,
    pub(crate) table: TableId,
    /// The version of the table's entities when row numbers were taken.
    pub(crate) structure: u64,
    /// The version of the column that the run saw.
    pub(crate) seen: u64,
    pub(crate) changed: ChangedRows,
}

/// What one run has handed over so far.
#[derive(Debug, Default)]
pub(crate) struct RunOutput {
    pub(crate) sweeps: Vec<Sweep>,
    /// Checked.
    pub(crate) commands: Vec<u8>,
    /// What was wrong with something it handed over: then nothing of the run counts.
    pub(crate) fault: Option<GuestFault>,
    spare: Vec<ChangedRows>,
}

impl RunOutput {
    /// Forgets everything and keeps the memory.
    pub(crate) fn clear(&mut self) {
        for sweep in self.sweeps.drain(..) {
            if self.spare.len() < SPARE_MAX {
                self.spare.push(sweep.changed);
            }
        }
        self.commands.clear();
        self.fault = None;
    }

    /// Keeps the rows of `new` that differ from those of `old`, instead of what was kept of this column before.
    pub(crate) fn keep(
        &mut self,
        slot: [usize; 3],
        column: &Target<'_>,
        old: &[u8],
        new: &[u8],
    ) -> &ChangedRows {
        let at = match self.sweeps.iter().position(|sweep| sweep.slot == slot) {
            Some(at) => at,
            None => {
                let changed = self.spare.pop().unwrap_or_default();
                let Target { row, table, structure, seen, .. } = *column;
                self.sweeps.push(Sweep { slot, row, table, structure, seen, changed });
                self.sweeps.len() - 1
            }
        };
        let changed = &mut self.sweeps[at].changed;
        changed_rows(column.shape, old, new, changed);
        changed
    }
}

/// A column that a system may write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'w> {
    pub(crate) row: RowId,
    pub(crate) table: TableId,
    pub(crate) structure: u64,
    pub(crate) seen: u64,
    pub(crate) shape: &'w RowShape,
}
