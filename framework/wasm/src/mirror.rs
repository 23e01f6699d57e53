//! Copies of columns in guest memory, kept from run to run.
//!
//! The world's columns are the truth; each has a version. A mirror remembers the version that it is a copy of
//! and is refreshed when a system needs it and it is not current. After a run it has what the system wrote; if the
//! world took all of that and nothing else since, it is current still. A mirror dies with its instance.

use evertick_world::{ColumnData, ColumnView, GuestFault, RowId, TableKey, TableView, VariableColumn};
use hashbrown::HashMap;

use crate::instance::{Buffer, Instance};

/// All mirrors of an instance.
#[derive(Debug, Default)]
pub(crate) struct Mirrors {
    entities: HashMap<TableKey, Mirror>,
    columns: HashMap<(TableKey, RowId), Mirror>,
}

/// A copy of a column, or of a table's entities.
#[derive(Debug, Default)]
pub(crate) struct Mirror {
    /// Flat rows, or the places of variable ones in the blob.
    data: Buffer,
    blob: Buffer,
    blob_len: u32,
    state: State,
}

/// What a mirror is a copy of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Nothing certain.
    #[default]
    Stale,
    /// This version.
    Copy(u64),
    /// This version, and what a system then wrote to it.
    Written(u64),
}

/// Where a mirror lies: the ABI's column entry.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    pub(crate) ptr: u32,
    pub(crate) len: u32,
    pub(crate) blob_ptr: u32,
    pub(crate) blob_len: u32,
}

impl Mirrors {
    /// Copies what is stale of `table`.
    pub(crate) fn refresh(
        &mut self,
        instance: &mut Instance,
        table: &TableView<'_>,
    ) -> Result<(), GuestFault> {
        let entities = self.entities.entry(table.key()).or_default();
        entities.refresh_entities(instance, table)?;
        for column in table.columns().iter().flatten() {
            let mirror = self.columns.entry((table.key(), column.row())).or_default();
            mirror.refresh(instance, column)?;
        }
        Ok(())
    }

    /// Where the entities of `table` are.
    pub(crate) fn entities(&self, table: &TableView<'_>) -> u32 {
        self.entities.get(&table.key()).map_or(0, |mirror| mirror.data.ptr())
    }

    /// Where a column of `table` is.
    pub(crate) fn column(&self, table: &TableView<'_>, column: &ColumnView<'_>) -> Place {
        let Some(mirror) = self.columns.get(&(table.key(), column.row())) else { return Place::default() };
        let len = match column.data() {
            ColumnData::Flat { bytes, .. } => bytes.len(),
            ColumnData::Variable(rows) => rows.len() * PLACE_BYTES,
        };
        Place {
            ptr: mirror.data.ptr(),
            len: len as u32, // it fits into the buffer, whose length is a u32
            blob_ptr: mirror.blob.ptr(),
            blob_len: mirror.blob_len,
        }
    }

    /// What the guest wrote to its copy was handed over; `changed` says whether that was anything.
    pub(crate) fn wrote(&mut self, table: &TableView<'_>, column: &ColumnView<'_>, changed: bool) {
        let seen = column.version();
        if let Some(mirror) = self.columns.get_mut(&(table.key(), column.row())) {
            mirror.state = if changed { State::Written(seen) } else { State::Copy(seen) };
        }
    }
}

/// Bytes of an entity id.
const ENTITY_BYTES: usize = 8;

/// Bytes of a variable row's `(offset, len)`.
const PLACE_BYTES: usize = 8;

impl Mirror {
    fn refresh_entities(&mut self, instance: &mut Instance, table: &TableView<'_>) -> Result<(), GuestFault> {
        if self.state == State::Copy(table.entities_version()) {
            return Ok(());
        }
        self.state = State::Stale;
        let out = self.data.room(instance, table.rows() * ENTITY_BYTES)?;
        for (out, entity) in out.as_chunks_mut::<ENTITY_BYTES>().0.iter_mut().zip(table.entities()) {
            *out = entity.0.to_le_bytes();
        }
        self.state = State::Copy(table.entities_version());
        Ok(())
    }

    fn refresh(&mut self, instance: &mut Instance, column: &ColumnView<'_>) -> Result<(), GuestFault> {
        let current = match self.state {
            State::Stale => false,
            State::Copy(version) => version == column.version(),
            State::Written(seen) => Some(seen) == column.continues(),
        };
        if current {
            self.state = State::Copy(column.version());
            return Ok(());
        }
        self.state = State::Stale;
        match column.data() {
            ColumnData::Flat { bytes, .. } => {
                self.data.room(instance, bytes.len())?.copy_from_slice(bytes);
            }
            ColumnData::Variable(rows) => self.refresh_variable(instance, &rows)?,
        }
        self.state = State::Copy(column.version());
        Ok(())
    }

    fn refresh_variable(
        &mut self,
        instance: &mut Instance,
        rows: &VariableColumn<'_>,
    ) -> Result<(), GuestFault> {
        let total = rows.iter().map(<[u8]>::len).sum();
        let mut blob = self.blob.room(instance, total)?;
        for row in rows.iter() {
            let (out, rest) = blob.split_at_mut(row.len());
            out.copy_from_slice(row);
            blob = rest;
        }
        self.blob_len = total as u32; // it fits into the buffer
        let places = self.data.room(instance, rows.len() * PLACE_BYTES)?;
        let mut offset = 0u32;
        for (place, row) in places.as_chunks_mut::<PLACE_BYTES>().0.iter_mut().zip(rows.iter()) {
            place[..4].copy_from_slice(&offset.to_le_bytes());
            place[4..].copy_from_slice(&(row.len() as u32).to_le_bytes());
            offset += row.len() as u32;
        }
        Ok(())
    }
}
