//! Which known rows have changed since the last frame.

use crate::topic::{Dirty, KnownRow};

/// The list is merged when it has grown to this, or to twice what the last merge left.
const MERGE_AT_MIN: usize = 1 << 16;
/// Shorter lists are sorted by comparing.
const DIGITS_MIN: usize = 1 << 10;
const DIGIT_BITS: usize = 8;
const DIGITS: usize = 1 << DIGIT_BITS;

/// Changed rows of all topics. Appending is all that a mark costs; sorting waits until the frame, or until the list has doubled, so that
/// it stays in proportion to the distinct rows marked.
#[derive(Debug)]
pub(crate) struct DirtyRows {
    list: Vec<Dirty>,
    /// The other list while rows are put in order.
    sorted: Vec<Dirty>,
    merge_at: usize,
}

impl Default for DirtyRows {
    fn default() -> Self {
        Self { list: Vec::new(), sorted: Vec::new(), merge_at: MERGE_AT_MIN }
    }
}

impl DirtyRows {
    #[inline]
    pub(crate) fn push(&mut self, row: KnownRow, mask: u64) {
        if self.list.len() >= self.merge_at {
            self.merge();
            self.merge_at = MERGE_AT_MIN.max(2 * self.list.len());
        }
        self.list.push(Dirty { row, mask });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Sorts the marks and merges those of the same row.
    ///
    /// Cost: two passes for each eight bits of a topic's number; of a short list, the comparisons that sorting takes.
    pub(crate) fn merge(&mut self) -> &[Dirty] {
        if self.list.len() < DIGITS_MIN {
            self.list.sort_unstable_by_key(|dirty| dirty.row);
        } else {
            self.sort_by_digits();
        }
        self.list.dedup_by(|later, kept| kept.merge(later));
        &self.list
    }

    /// Puts the marks in order of their topics, a digit at a time from the lowest, and then those of each topic in order: that touches memory
    /// in few streams, where one pass over all topics would miss the cache with each mark.
    fn sort_by_digits(&mut self) {
        let last = self.list.iter().map(|dirty| dirty.row.topic().0).max().unwrap_or(0);
        // What is left there is overwritten, all of it.
        self.sorted.resize(self.list.len(), Dirty { row: KnownRow::default(), mask: 0 });
        for shift in (0..u32::BITS - last.leading_zeros()).step_by(DIGIT_BITS) {
            let digit = |dirty: &Dirty| (dirty.row.topic().0 >> shift) as usize % DIGITS;
            let mut places = [0; DIGITS];
            self.list.iter().for_each(|dirty| places[digit(dirty)] += 1);
            let mut start = 0;
            for place in &mut places {
                start += std::mem::replace(place, start);
            }
            for dirty in &self.list {
                let place = &mut places[digit(dirty)];
                self.sorted[*place] = *dirty;
                *place += 1;
            }
            std::mem::swap(&mut self.list, &mut self.sorted);
        }
        for rows in self.list.chunk_by_mut(|a, b| a.row.topic() == b.row.topic()) {
            rows.sort_unstable_by_key(|dirty| dirty.row);
        }
    }

    /// Forgets the marks and keeps the memory, in proportion to what was marked.
    pub(crate) fn clear(&mut self) {
        self.merge_at = MERGE_AT_MIN.max(2 * self.list.len());
        self.list.clear();
        self.list.shrink_to(self.merge_at);
        self.sorted.truncate(self.merge_at);
        self.sorted.shrink_to(self.merge_at);
    }
}

impl Dirty {
    /// Takes `other` in, if it is about the same row.
    pub(crate) fn merge(&mut self, other: &Self) -> bool {
        let same = self.row == other.row;
        if same {
            self.mask |= other.mask;
        }
        same
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use evertick_protocol::TopicId;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn marks_of_one_row_merge_and_stay_few() {
        let row = |slot| KnownRow::new(TopicId(7), 1, slot);
        let mut marks = DirtyRows::default();
        for round in 0..1_000_000 {
            marks.push(row(round % 3), 1 << (round % 7));
        }
        assert!(marks.list.len() <= MERGE_AT_MIN);
        assert_eq!(marks.merge(), [0, 1, 2].map(|slot| Dirty { row: row(slot), mask: 0b111_1111 }));
    }

    proptest! {
        #[test]
        fn they_come_out_sorted(
            marks in prop::collection::vec((0..40u32, 0..2u16, 0..40u32, 0..8u32), 0..3000),
            spread in 1..9000u32,
        ) {
            let mut model = BTreeMap::new();
            let mut dirty = DirtyRows::default();
            for (topic, column, slot, bit) in marks {
                let row = KnownRow::new(TopicId(topic * spread), column, slot);
                *model.entry(row).or_default() |= 1 << bit;
                dirty.push(row, 1 << bit);
            }
            let want: Vec<_> = model.into_iter().map(|(row, mask)| Dirty { row, mask }).collect();
            prop_assert_eq!(dirty.merge(), want);
        }
    }
}
