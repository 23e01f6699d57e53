//! One topic: what its subscribers know and what has changed since the last frame.

use std::fmt;

use evertick_protocol::{SLOTS_MAX, Square, TopicId, prefetch};
use evertick_query::QueryNumber;
use evertick_schema::{EntityId, Identity};
use evertick_world::Cell;

use crate::query::Scope;
use crate::roster::Roster;
use crate::rules::Class;
use crate::snapshots::Cache;

/// What a topic is about. Every visible row is in exactly one topic, or in none; but one that is sent on demand may be in
/// those of several queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TopicKey {
    /// Rows near: those of entities in this cell.
    Cell(Cell),
    /// Rows near that are seen from nearby only: those of entities in this cell.
    Detail(Cell),
    /// Rows that only this identity sees.
    Owner(Identity),
    /// Rows of a group, whatever their type.
    Group(u64),
    /// Rows that everyone sees.
    Everyone,
    /// Rows that sessions ask for: what a query matches of the rows that are visible to the scope.
    Query {
        /// The query's number.
        query: QueryNumber,
        /// Who may see the rows.
        scope: Scope,
    },
}

impl TopicKey {
    pub(crate) fn class(&self) -> Class {
        match self {
            Self::Cell(_) => Class::Cell,
            Self::Detail(_) => Class::Detail,
            Self::Owner(_) => Class::Owner,
            Self::Group(_) => Class::Group,
            Self::Everyone => Class::Everyone,
            Self::Query { .. } => Class::Query,
        }
    }

    /// The cell whose rows it has.
    pub(crate) fn cell(&self) -> Option<Cell> {
        match self {
            Self::Cell(cell) | Self::Detail(cell) => Some(*cell),
            _ => None,
        }
    }

    /// Where the topic is, if it has a place.
    pub(crate) fn square(&self, cell_size: f32) -> Option<Square> {
        let cell = self.cell()?;
        let min = [cell.x, cell.y].map(|at| (f64::from(at) * f64::from(cell_size)) as f32);
        Some(Square { space: cell.space, min, size: cell_size })
    }
}

/// Stands for all columns of an entity in [`Touch`].
pub(crate) const ALL_COLUMNS: u16 = u16::MAX;

/// Says that a row (or all rows) of an entity may have come or gone, and is to be sent whole if it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Touch {
    pub(crate) entity: EntityId,
    pub(crate) column: u16,
}

/// The most topics at a time.
pub(crate) const TOPICS_MAX: u32 = 1 << 28;
const COLUMN_BITS: u32 = u16::BITS;
const SLOT_BITS: u32 = SLOTS_MAX.ilog2();
const _: () = assert!(TOPICS_MAX.ilog2() + COLUMN_BITS + SLOT_BITS <= 64, "a row's name is one word");

/// Names a known row, and sorts: by topic, column and slot.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KnownRow(u64);

impl KnownRow {
    #[inline]
    pub(crate) const fn new(topic: TopicId, column: u16, slot: u32) -> Self {
        Self((topic.0 as u64) << (COLUMN_BITS + SLOT_BITS) | (column as u64) << SLOT_BITS | slot as u64)
    }

    #[inline]
    pub(crate) const fn topic(self) -> TopicId {
        TopicId((self.0 >> (COLUMN_BITS + SLOT_BITS)) as u32)
    }

    #[inline]
    pub(crate) const fn column(self) -> u16 {
        (self.0 >> SLOT_BITS) as u16
    }

    #[inline]
    pub(crate) const fn slot(self) -> u32 {
        self.0 as u32 & (SLOTS_MAX - 1)
    }
}

impl fmt::Debug for KnownRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} column {} slot {}", self.topic(), self.column(), self.slot())
    }
}

/// Says that fields of a known row have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Dirty {
    pub(crate) row: KnownRow,
    pub(crate) mask: u64,
}

/// An event on its way: its row bytes are a range of the interest's event buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Happened {
    pub(crate) wire: u16,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// A topic with subscribers. Without any it does not exist.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) key: TopicKey,
    pub(crate) subscribers: u32,
    /// Subscribers that the next frame brings a snapshot.
    pub(crate) newcomers: u32,
    /// Whether the roster has been built; before that nothing needs marking.
    pub(crate) live: bool,
    /// Whether the topic is in the list of those that the next frame looks at.
    pub(crate) queued: bool,
    pub(crate) roster: Roster,
    /// The roster's version on the wire: one more, wrapping, with each block in which somebody enters or leaves.
    pub(crate) version: u16,
    pub(crate) touched: Marks<Touch>,
    pub(crate) events: Vec<Happened>,
    /// The last snapshot, while it may be handed out.
    pub(crate) cache: Option<Cache>,
}

impl Topic {
    pub(crate) fn new(key: TopicKey, columns: usize) -> Self {
        Self {
            key,
            subscribers: 0,
            newcomers: 0,
            live: false,
            queued: false,
            roster: Roster::new(columns),
            version: 0,
            touched: Marks::default(),
            events: Vec::new(),
            cache: None,
        }
    }
}

/// Marks since the last frame. Appending is all that a mark costs; merging waits until the frame, or until
/// the list has doubled, so that the list stays in proportion to the distinct things marked.
#[derive(Debug)]
pub(crate) struct Marks<T> {
    list: Vec<T>,
    merge_at: usize,
}

const MERGE_AT_MIN: usize = 256;

impl<T> Default for Marks<T> {
    fn default() -> Self {
        Self { list: Vec::new(), merge_at: MERGE_AT_MIN }
    }
}

impl<T: Ord + Copy> Marks<T> {
    pub(crate) fn push(&mut self, mark: T) {
        if self.list.len() >= self.merge_at {
            self.merge();
            self.merge_at = MERGE_AT_MIN.max(2 * self.list.len());
        }
        self.list.push(mark);
    }

    /// Sorts the marks and merges those of the same thing.
    pub(crate) fn merge(&mut self) -> &mut Vec<T> {
        self.list.sort_unstable();
        self.list.dedup();
        &mut self.list
    }

    /// Has the processor fetch them.
    pub(crate) fn prefetch(&self) {
        prefetch(self.list.as_ptr(), 1);
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.merge_at = MERGE_AT_MIN;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_row_is_its_parts() {
        for (topic, column, slot) in [(0, 0, 0), (TOPICS_MAX - 1, u16::MAX, SLOTS_MAX - 1), (9, 300, 70_000)]
        {
            let row = KnownRow::new(TopicId(topic), column, slot);
            assert_eq!((row.topic(), row.column(), row.slot()), (TopicId(topic), column, slot));
        }
        assert!(KnownRow::new(TopicId(1), 0, 0) > KnownRow::new(TopicId(0), 9, 9));
    }

    #[test]
    fn marks_of_one_thing_merge_and_stay_few() {
        let touch = |column| Touch { entity: EntityId(7), column };
        let mut marks = Marks::default();
        for round in 0..10_000 {
            marks.push(touch(round % 3));
        }
        assert!(marks.list.len() <= MERGE_AT_MIN);
        assert_eq!(*marks.merge(), [0, 1, 2].map(touch));
    }
}
