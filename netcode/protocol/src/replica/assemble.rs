//! Putting rows with variable fields together.

use crate::block::{Rebase, RowsSection, Tail, tail_of};
use crate::error::ProtocolError;
use crate::replica::apply::check;
use crate::replica::store::RowStore;
use crate::schema::{ColumnKind, RowCodec};

/// Makes canonical rows of what came over the wire and what was there. Keeps its buffers.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    /// The fixed parts of all rows of a section.
    fixed: Vec<u8>,
    row: Vec<u8>,
}

impl Assembler {
    /// Writes the section's fields into the rows at `places`. Returns how many bytes more the rows now take.
    pub(super) fn rows(
        &mut self,
        codec: &RowCodec,
        section: &RowsSection<'_, '_>,
        places: &[u32],
        store: &mut RowStore,
    ) -> Result<isize, ProtocolError> {
        let size = codec.layout.size as usize;
        self.fixed.clear();
        for place in places {
            let old = store.row(*place);
            let start = self.fixed.len();
            self.fixed.extend_from_slice(&old[..size.min(old.len())]);
            self.fixed.resize(start + size, 0); // a new row has no bytes yet
        }
        let variable = |field: usize| matches!(codec.columns[field].kind, ColumnKind::Variable { .. });
        for column in section.columns.iter().filter(|column| !variable(column.field)) {
            let place = |row: usize| row * size;
            column.decode(&codec.columns[column.field], places.len(), &mut self.fixed, place)?;
        }
        let sent = section.columns.iter().filter(|column| variable(column.field));
        let mut sent: Vec<_> = sent.map(|column| (column.field, column.tails())).collect();
        let mut grown = 0;
        for (index, place) in places.iter().enumerate() {
            self.row.clear();
            self.row.extend_from_slice(&self.fixed[index * size..(index + 1) * size]);
            let mut sent = sent.iter_mut().peekable();
            for field in (0..codec.columns.len()).filter(|field| variable(*field)) {
                let tail = match sent.next_if(|(next, _)| *next == field) {
                    Some((_, tails)) => tails.next().unwrap_or_default(),
                    None => tail_of(&codec.columns, field, store.row(*place)),
                };
                append(&mut self.row, codec, field, tail);
            }
            check(codec, &self.row)?;
            grown += self.row.len() as isize - store.row(*place).len().max(size) as isize;
            store.set_variable(*place, &self.row);
        }
        Ok(grown)
    }
}

/// Appends the tail of variable field number `field` and points the fixed part to it.
fn append(row: &mut Vec<u8>, codec: &RowCodec, field: usize, tail: Tail<'_>) {
    let column = &codec.columns[field];
    let to = if tail.len == 0 { 0 } else { row.len() };
    row[column.offset..column.offset + 4].copy_from_slice(&(to as u32).to_le_bytes());
    row[column.offset + 4..column.offset + 8].copy_from_slice(&(tail.len as u32).to_le_bytes());
    row.extend_from_slice(tail.bytes);
    if let ColumnKind::Variable { ty } = &column.kind
        && tail.len > 0
    {
        Rebase { from: tail.start, to }.tail(ty, &mut row[to..], tail.len);
    }
}
