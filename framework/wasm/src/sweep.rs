//! Runs of systems: columns in, one call, what changed out.
//!
//! ```text
//! world's columns ─ copy what is stale ─► mirrors in guest memory ─ evertick_run ─► mirrors, written
//!       ▲                                                                               │
//!       └──────────── after the run, if it went well ◄── compare, keep what differs ────┘
//! ```
//!
//! Nothing of the world changes before the guest has returned, so a trap in the middle costs nothing: its
//! memory is thrown away.

use evertick_world::{GuestFault, ParamView, SystemView};

use crate::config::GuestLimits;
use crate::instance::{Buffer, Instance};
use crate::memory;
use crate::mirror::Mirrors;
use crate::outcome::output;
use crate::scope::Entry;

/// Bytes of the view's entries.
const HEAD_BYTES: usize = 32;
const PARAM_BYTES: usize = 8;
const TABLE_BYTES: usize = 16;
const COLUMN_BYTES: usize = 16;

/// What an instance keeps for its systems' runs.
#[derive(Debug, Default)]
pub(crate) struct Sweeper {
    mirrors: Mirrors,
    view: Buffer,
}

impl Sweeper {
    /// Runs `system` on `view`.
    pub(crate) fn run(
        &mut self,
        instance: &mut Instance,
        limits: &GuestLimits,
        system: u32,
        view: &mut SystemView<'_>,
    ) -> Result<(), GuestFault> {
        instance.before_run();
        let params = view.params();
        for table in params.iter().flat_map(ParamView::tables) {
            self.mirrors.refresh(instance, table)?;
        }
        let at = self.lay_out(instance, view)?;
        let packed = instance.run(Entry::run(view), system, at)?;
        let memory = instance.memory();
        if packed != 0 {
            view.commands(output(memory, packed, limits.output_bytes_max, "commands")?)?;
        }
        self.write_back(memory, params, view)
    }

    /// Hands over the columns that the system may write.
    fn write_back(
        &mut self,
        memory: &[u8],
        params: &[ParamView<'_>],
        view: &mut SystemView<'_>,
    ) -> Result<(), GuestFault> {
        for (param_index, param) in params.iter().enumerate() {
            for (table_index, table) in param.tables().iter().enumerate() {
                for (column_index, column) in table.columns().iter().enumerate() {
                    let Some(column) = column else { continue };
                    if !column.is_writable() || column.flat().is_none() {
                        continue;
                    }
                    let place = self.mirrors.column(table, column);
                    let bytes = memory::read(memory, place.ptr, place.len)
                        .expect("memory never shrinks, and the mirror was in it");
                    let changed = view.write_back(param_index, table_index, column_index, bytes)?;
                    self.mirrors.wrote(table, column, changed);
                }
            }
        }
        Ok(())
    }

    /// Writes the view into guest memory; returns where.
    fn lay_out(&mut self, instance: &mut Instance, view: &SystemView<'_>) -> Result<u32, GuestFault> {
        let params = view.params();
        let tables = || params.iter().flat_map(ParamView::tables);
        let tables_at = HEAD_BYTES + params.len() * PARAM_BYTES;
        let columns_at = tables_at + tables().count() * TABLE_BYTES;
        let len = columns_at + tables().map(|table| table.columns().len() * COLUMN_BYTES).sum::<usize>();
        let base = self.view.reserve(instance, len)?;
        let pointer = |offset: usize| base + offset as u32; // it fits into the buffer

        let mut out = Pen(&mut instance.memory_mut()[base as usize..][..len]);
        out.put(view.now().0.to_le_bytes());
        out.put(view.delta_time().0.to_le_bytes());
        out.put(view.tick().to_le_bytes());
        out.put((params.len() as u32).to_le_bytes());
        out.put(pointer(HEAD_BYTES).to_le_bytes());
        let mut at = tables_at;
        for param in params {
            let count = param.tables().len();
            out.put((count as u32).to_le_bytes());
            out.put(if count == 0 { [0; 4] } else { pointer(at).to_le_bytes() });
            at += count * TABLE_BYTES;
        }
        for table in tables() {
            out.put((table.rows() as u32).to_le_bytes());
            out.put(self.mirrors.entities(table).to_le_bytes());
            out.put((table.columns().len() as u32).to_le_bytes());
            out.put(pointer(at).to_le_bytes());
            at += table.columns().len() * COLUMN_BYTES;
        }
        for (table, column) in
            tables().flat_map(|table| table.columns().iter().map(move |column| (table, column)))
        {
            let place = column.as_ref().map(|column| self.mirrors.column(table, column)).unwrap_or_default();
            for number in [place.ptr, place.len, place.blob_ptr, place.blob_len] {
                out.put(number.to_le_bytes());
            }
        }
        Ok(base)
    }
}

/// Writes one behind the other into room that was counted before.
struct Pen<'a>(&'a mut [u8]);

impl Pen<'_> {
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        let (out, rest) = std::mem::take(&mut self.0).split_at_mut(N);
        out.copy_from_slice(&bytes);
        self.0 = rest;
    }
}
