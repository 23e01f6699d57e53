//! Rows that systems changed since the last commit, as they will stand in the delta.

use bevy_ecs::storage::TableId;
use evertick_schema::EntityId;

use crate::changes::Changes;
use crate::compare::{CHUNK, ones};
use crate::fold::each;
use crate::tables::Tables;

/// Rows of one type whose first change since the last commit was a system's, with their present values.
///
/// A segment remembers which rows of a table were appended together. So when another system changes the same
/// rows, their places are found by counting bits, and nothing is hashed.
#[derive(Debug, Default)]
pub(crate) struct Swept {
    pub(crate) changes: Changes,
    segments: Vec<Segment>,
}

#[derive(Debug)]
struct Segment {
    table: TableId,
    /// The version of the table's entities; under another, row numbers mean something else.
    structure: u64,
    /// Where its rows start in the changes.
    start: usize,
    /// Bit i of word w: row 64 w + i is in it, behind those before it.
    rows: Vec<u64>,
}

/// Where in the changes rows of tables are.
#[derive(Debug)]
pub(crate) struct Places<'s> {
    /// Segments, each with the place of the first row of every word.
    known: Vec<(&'s Segment, Vec<usize>)>,
}

impl Places<'_> {
    /// The place of row `row` of `table`, if a system was the first to change it.
    pub(crate) fn find(&self, table: TableId, row: usize) -> Option<usize> {
        let (number, bit) = (row / CHUNK, row % CHUNK);
        self.known.iter().filter(|(segment, _)| segment.table == table).find_map(|(segment, before)| {
            let word = *segment.rows.get(number)?;
            let below = (word & ((1 << bit) - 1)).count_ones() as usize;
            (word >> bit & 1 == 1).then(|| before[number] + below)
        })
    }
}

/// A walk through the rows of one table, 64 at a time and ascending, that appends and overwrites.
#[derive(Debug)]
pub(crate) struct Sweeper<'s> {
    changes: &'s mut Changes,
    /// Segments of the same table, each with how many of its rows are behind.
    known: Vec<(&'s Segment, usize)>,
    next: usize,
    fresh: Segment,
}

impl Swept {
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Forgets everything and keeps the memory.
    pub(crate) fn reset(&mut self, stride: Option<usize>) {
        self.changes.reset(stride);
        self.segments.clear();
    }

    /// Where in the changes rows of tables are. `None` when a table's entities are others by now than when
    /// its rows were swept.
    pub(crate) fn places(&self, tables: &Tables) -> Option<Places<'_>> {
        let mut known = Vec::with_capacity(self.segments.len());
        for segment in &self.segments {
            if tables.structure(segment.table) != segment.structure {
                return None;
            }
            let mut at = segment.start;
            let before = segment.rows.iter().map(|word| {
                at += word.count_ones() as usize;
                at - word.count_ones() as usize
            });
            known.push((segment, before.collect()));
        }
        Some(Places { known })
    }

    /// Lets `sweep` walk through a table.
    pub(crate) fn walk(&mut self, table: TableId, structure: u64, sweep: impl FnOnce(&mut Sweeper<'_>)) {
        let same = |segment: &&Segment| segment.table == table && segment.structure == structure;
        let fresh = Segment { table, structure, start: self.changes.len(), rows: Vec::new() };
        let known = self.segments.iter().filter(same).map(|segment| (segment, 0)).collect();
        let mut sweeper = Sweeper { changes: &mut self.changes, known, next: 0, fresh };
        sweep(&mut sweeper);
        let Sweeper { fresh, .. } = sweeper;
        if fresh.start < self.changes.len() {
            self.segments.push(fresh);
        }
    }
}

impl Sweeper<'_> {
    /// Takes the changed rows of word `number`: `fresh` those that nobody has touched before, `touched` the
    /// others; `masks` and `new` are of both together, in order. Returns those of `touched` that no system
    /// was the first to change.
    pub(crate) fn take(
        &mut self,
        number: usize,
        [fresh, touched]: [u64; 2],
        masks: &[u64],
        new: &[u8],
        name: impl Fn(usize) -> EntityId,
    ) -> u64 {
        self.skip_to(number);
        let dirty = fresh | touched;
        self.fresh.rows.resize(number, 0);
        self.fresh.rows.push(fresh);
        if touched == 0 {
            let mut names = [EntityId::NONE; CHUNK];
            each(dirty, |index, bit| names[index] = name(bit));
            self.changes.extend(&names[..masks.len()], masks, new);
            return 0;
        }
        let stride = new.len() / masks.len();
        for ((bit, mask), new) in ones(dirty).zip(masks).zip(new.chunks_exact(stride)) {
            if fresh >> bit & 1 == 1 {
                self.changes.push(name(bit), *mask, new);
            }
        }
        self.overwrite(number, touched, dirty, masks, new)
    }

    /// Overwrites rows of earlier segments; returns those that are in none.
    fn overwrite(&mut self, number: usize, touched: u64, dirty: u64, masks: &[u64], new: &[u8]) -> u64 {
        let mut left = touched;
        let stride = new.len() / masks.len();
        for (segment, behind) in &self.known {
            let rows = segment.rows.get(number).copied().unwrap_or(0);
            let here = rows & left;
            left &= !here;
            let start = segment.start + behind;
            if here == rows && here == dirty {
                self.changes.overwrite(start, masks, new);
                continue;
            }
            for bit in ones(here) {
                let below = (1u64 << bit) - 1;
                let at = start + (rows & below).count_ones() as usize;
                let from = (dirty & below).count_ones() as usize;
                self.changes.overwrite(at, &masks[from..=from], &new[from * stride..(from + 1) * stride]);
            }
        }
        left
    }

    /// Counts the rows of the words before `number`.
    fn skip_to(&mut self, number: usize) {
        for (segment, behind) in &mut self.known {
            let words = segment.rows.get(self.next.min(segment.rows.len())..number.min(segment.rows.len()));
            *behind += words.unwrap_or_default().iter().map(|word| word.count_ones() as usize).sum::<usize>();
        }
        self.next = number;
    }
}
