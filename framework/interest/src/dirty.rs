//! Which known rows have changed since the last frame.

use crate::topic::{Dirty, KnownRow};

/// The list is merged when it has grown to this, or to twice what the last merge left.
const MERGE_AT_MIN: usize = 1 << 16;
/// Shorter lists are sorted by comparing.
const COUNT_MIN: usize = 1 << 10;

/// Changed rows of all topics. Appending is all that a mark costs; sorting waits until the frame, or until the list has doubled, so that
/// it stays in proportion to the distinct rows marked.
#[derive(Debug)]
pub(crate) struct DirtyRows {
    list: Vec<Dirty>,
    /// The other list while rows are put in order.
    sorted: Vec<Dirty>,
    /// By topic: how many rows are marked; then, where the next goes.
    places: Vec<u32>,
    merge_at: usize,
}

impl Default for DirtyRows {
    fn default() -> Self {
        Self { list: Vec::new(), sorted: Vec::new(), places: Vec::new(), merge_at: MERGE_AT_MIN }
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
    /// Cost: two passes, and little for each topic; or of a short list, as many comparisons as sorting takes.
    pub(crate) fn merge(&mut self) -> &[Dirty] {
        let topics = self.list.iter().map(|dirty| dirty.row.topic().0 as usize + 1).max().unwrap_or(0);
        if self.list.len() < COUNT_MIN || topics > 4 * self.list.len() {
            self.list.sort_unstable_by_key(|dirty| dirty.row);
        } else {
            self.sort_by_counting(topics);
        }
        self.list.dedup_by(|later, kept| kept.merge(later));
        &self.list
    }

    fn sort_by_counting(&mut self, topics: usize) {
        self.places.clear();
        self.places.resize(topics, 0);
        let topic = |dirty: &Dirty| dirty.row.topic().0 as usize;
        self.list.iter().for_each(|dirty| self.places[topic(dirty)] += 1);
        let mut start = 0;
        for place in &mut self.places {
            start += std::mem::replace(place, start);
        }
        // What is left there is overwritten, all of it.
        self.sorted.resize(self.list.len(), Dirty { row: KnownRow::default(), mask: 0 });
        for dirty in &self.list {
            let place = &mut self.places[topic(dirty)];
            self.sorted[*place as usize] = *dirty;
            *place += 1;
        }
        std::mem::swap(&mut self.list, &mut self.sorted);
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
