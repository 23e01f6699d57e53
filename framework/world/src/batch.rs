//! Applies systems' command buffers.

use std::sync::Arc;

use evertick_schema::{EntityId, Timestamp};

use crate::cause::{Caller, Cause};
use crate::commands::{Command, CommandRules, parse};
use crate::error::WriteError;
use crate::tx::Tx;
use crate::world::World;

/// A command buffer that was checked and waits to be applied.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) module: u16,
    pub(crate) rules: Arc<CommandRules>,
    pub(crate) bytes: Vec<u8>,
}

impl Batch {
    /// Applies the commands in their order, each for itself; returns how many could not be.
    pub(crate) fn apply(&self, world: &mut World, now: Timestamp) -> u64 {
        let cause = Cause { caller: Caller::default(), now };
        let mut skipped = 0;
        // The buffer was checked, so there are no errors to find.
        for command in parse(&self.bytes).map_while(Result::ok) {
            let mut tx = world.begin(cause.clone());
            let done = matches!(self.apply_one(&mut tx, command), Ok(true)) && tx.accept().is_ok();
            skipped += u64::from(!done);
        }
        skipped
    }

    /// `Ok(false)`: there was nothing to do it to.
    fn apply_one(&self, tx: &mut Tx<'_>, command: Command<'_>) -> Result<bool, WriteError> {
        let known = |row: u32| self.rules.row_id(row).ok_or(WriteError::NoRowType { row: row as u16 });
        match command {
            Command::Spawn { rows } => {
                let entity = tx.spawn();
                if entity == EntityId::NONE {
                    return Ok(false);
                }
                for (row, bytes) in rows.iter() {
                    tx.set(known(row)?, entity, bytes)?;
                }
            }
            Command::Set { entity, row, bytes } => tx.set(known(row)?, entity, bytes)?,
            Command::Remove { entity, row } => return Ok(tx.remove(known(row)?, entity)),
            Command::Despawn { entity } => return Ok(tx.despawn(entity)),
            Command::Emit { row, bytes } => tx.emit(known(row)?, bytes)?,
            Command::Insert { row, bytes } => _ = tx.insert_row(known(row)?, bytes)?,
            Command::After { at, reducer, args } => _ = tx.after(at, self.module, reducer, args)?,
            Command::Detached { reducer, args } => tx.detached(self.module, reducer, args)?,
        }
        Ok(true)
    }
}
