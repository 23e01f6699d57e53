//! What the codec knows of row types: how long rows are, and where their fields lie.

use evertick_schema::StorageClass;
use evertick_world::{RowId, RowType};

/// The row types of a world, by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shapes {
    rows: Vec<RowShape>,
}

/// One row type.
#[derive(Clone, Debug)]
pub(crate) struct RowShape {
    pub(crate) class: StorageClass,
    /// Bytes of a flat row; `None` when rows are of variable length.
    pub(crate) stride: Option<usize>,
    /// Offset and size of each field of a flat row.
    fields: Vec<(usize, usize)>,
}

impl Shapes {
    pub(crate) fn of(types: &[RowType]) -> Self {
        Self { rows: types.iter().map(RowShape::of).collect() }
    }

    pub(crate) fn get(&self, row: RowId) -> Option<&RowShape> {
        self.rows.get(row.index())
    }

    /// The row types' numbers with their shapes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (RowId, &RowShape)> {
        self.rows.iter().enumerate().map(|(number, shape)| (RowId(number as u16), shape))
    }
}

impl RowShape {
    fn of(row: &RowType) -> Self {
        let fields = row.layout.fields.iter().map(|field| (field.offset as usize, field.size as usize));
        Self {
            class: row.def.storage,
            stride: row.layout.flat.then_some(row.layout.size as usize),
            fields: fields.collect(),
        }
    }

    /// The fields of `mask` as ranges of bytes, those that adjoin made one; empty when `mask` names a field that
    /// is not there.
    pub(crate) fn spans(&self, mask: u64, out: &mut Vec<(usize, usize)>) {
        out.clear();
        if self.fields.len() < 64 && mask >> self.fields.len() != 0 {
            return;
        }
        for (_, &(offset, size)) in self.fields.iter().enumerate().filter(|(at, _)| mask >> at & 1 == 1) {
            match out.last_mut() {
                Some((_, end)) if *end == offset => *end = offset + size,
                _ => out.push((offset, offset + size)),
            }
        }
    }

    /// Bytes of the fields of `mask`; `None` when it names a field that is not there.
    pub(crate) fn masked_len(&self, mask: u64) -> Option<usize> {
        if self.fields.len() < 64 && mask >> self.fields.len() != 0 {
            return None;
        }
        let fields = self.fields.iter().enumerate().filter(|(at, _)| mask >> at & 1 == 1);
        Some(fields.map(|(_, (_, size))| size).sum())
    }
}
