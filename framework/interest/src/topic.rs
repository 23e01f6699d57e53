//! One topic: what its subscribers know and what has changed since the last frame.

use evertick_protocol::Square;
use evertick_query::QueryNumber;
use evertick_schema::{EntityId, Identity};
use evertick_world::Cell;

use crate::moving::Moving;
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

/// Says that fields of a known row have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Dirty {
    pub(crate) column: u16,
    pub(crate) slot: u32,
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
    pub(crate) dirty: Marks<Dirty>,
    pub(crate) moving: Moving,
    /// Whether the topic is in the list of those with rows that move.
    pub(crate) moves: bool,
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
            dirty: Marks::default(),
            moving: Moving::default(),
            moves: false,
            events: Vec::new(),
            cache: None,
        }
    }
}

/// A mark that can be merged with a later one of the same thing.
pub(crate) trait Mark: Ord + Copy {
    /// Takes `other` in, if it is about the same thing.
    fn merge(&mut self, other: &Self) -> bool;
}

impl Mark for Touch {
    fn merge(&mut self, other: &Self) -> bool {
        self == other
    }
}

impl Mark for Dirty {
    fn merge(&mut self, other: &Self) -> bool {
        let same = (self.column, self.slot) == (other.column, other.slot);
        if same {
            self.mask |= other.mask;
        }
        same
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

impl<T: Mark> Marks<T> {
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
        self.list.dedup_by(|later, kept| kept.merge(later));
        &mut self.list
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
    fn marks_of_one_thing_merge_and_stay_few() {
        let mut marks = Marks::default();
        for round in 0..10_000 {
            marks.push(Dirty { column: 1, slot: round % 3, mask: 1 << (round % 7) });
        }
        assert!(marks.list.len() <= MERGE_AT_MIN);
        let all = 0b111_1111;
        let want = [0, 1, 2].map(|slot| Dirty { column: 1, slot, mask: all });
        assert_eq!(*marks.merge(), want);
    }
}
