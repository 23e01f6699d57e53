//! Which rows of a topic move.

use std::ops::Range;

/// Rows by column and slot.
#[derive(Debug, Default)]
pub(crate) struct Movers {
    /// Columns, with the end of each one's rows.
    columns: Vec<(u16, usize)>,
    slots: Vec<u32>,
    fields: Vec<u8>,
}

/// A row that moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mover {
    pub(crate) column: u16,
    pub(crate) slot: u32,
    /// The number of the fields that have changed since it began to.
    pub(crate) fields: u8,
}

/// Rows of one column: the slot of each, and the number of its fields.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OfColumn<'m> {
    pub(crate) column: u16,
    pub(crate) slots: &'m [u32],
    pub(crate) fields: &'m [u8],
}

impl Movers {
    pub(crate) fn clear(&mut self) {
        self.columns.clear();
        self.slots.clear();
        self.fields.clear();
    }

    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.slots.len()
    }

    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Appends what `add` appends to the slots and fields: rows of a column behind all so far. Returns whether there are any.
    #[inline]
    pub(crate) fn extend(&mut self, column: u16, add: impl FnOnce(&mut Vec<u32>, &mut Vec<u8>)) -> bool {
        let before = self.slots.len();
        add(&mut self.slots, &mut self.fields);
        debug_assert_eq!(self.slots.len(), self.fields.len(), "each row has both");
        let some = self.slots.len() > before;
        if some {
            self.columns.push((column, self.slots.len()));
        }
        some
    }

    /// Appends a row behind all so far.
    pub(crate) fn push(&mut self, Mover { column, slot, fields }: Mover) {
        self.slots.push(slot);
        self.fields.push(fields);
        match self.columns.last_mut() {
            Some((last, end)) if *last == column => *end = self.slots.len(),
            _ => self.columns.push((column, self.slots.len())),
        }
    }

    /// All rows.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Mover> {
        self.columns(0..self.len()).flat_map(|OfColumn { column, slots, fields }| {
            slots.iter().zip(fields).map(move |(slot, fields)| Mover { column, slot: *slot, fields: *fields })
        })
    }

    /// Some of the rows, column by column.
    #[inline]
    pub(crate) fn columns(&self, rows: Range<usize>) -> impl Iterator<Item = OfColumn<'_>> {
        let mut start = rows.start;
        self.columns.iter().filter_map(move |(column, end)| {
            let range = start..rows.end.min(*end);
            start = start.max(range.end);
            let some = range.start < range.end;
            some.then(|| OfColumn {
                column: *column,
                slots: &self.slots[range.clone()],
                fields: &self.fields[range],
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_by_column() {
        let mut movers = Movers::default();
        let all = [(1, 4), (1, 9), (3, 0), (3, 2), (3, 5)];
        assert!(!movers.extend(0, |_, _| {}));
        assert!(movers.extend(1, |slots, fields| {
            slots.extend([4, 9]);
            fields.extend([7, 7]);
        }));
        for (column, slot) in &all[2..] {
            movers.push(Mover { column: *column, slot: *slot, fields: 7 });
        }
        assert_eq!((movers.len(), movers.is_empty()), (5, false));
        let rows = movers.iter().map(|mover| (mover.column, mover.slot));
        assert_eq!(rows.collect::<Vec<_>>(), all);
        for range in (0..5).flat_map(|start| (start..=5).map(move |end| start..end)) {
            let rows = movers.columns(range.clone()).flat_map(|of| {
                assert_eq!(of.fields.len(), of.slots.len());
                of.slots.iter().map(move |slot| (of.column, *slot))
            });
            assert_eq!(rows.collect::<Vec<_>>(), all[range]);
        }
        movers.clear();
        assert_eq!(movers.columns(0..0).count(), 0);
    }
}
