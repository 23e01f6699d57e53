//! Fuzzy snapshots: all stored rows, a slice at a time, while the world goes on.
//!
//! Entities are visited in the order of their ids. An id is never used again and never changes, so it does not
//! matter what becomes of an entity in between: one that is there from the first slice to the last is visited
//! once, with the rows it has then. What the slices miss (rows that came behind the cursor, changes of rows that
//! were visited before) is in the deltas since [`World::snapshot_cursor`]; a [`crate::Restore`] that is given all
//! of them after the rows is exact.

use bevy_ecs::storage::TableId;
use evertick_schema::{EntityId, Timestamp};

use crate::cause::TimedCall;
use crate::columns::Rows;
use crate::ids::{RowAt, Seek};
use crate::random::RandomState;
use crate::reads::Reads;
use crate::row::RowId;
use crate::timers::TimerId;
use crate::world::World;

/// How many ids without an entity cost as much as a row, in the bound of a slice.
const LOOKS_PER_ROW: usize = 16;

/// How far a snapshot has come.
#[derive(Clone, Debug)]
pub struct SnapshotCursor {
    /// The next sequence number of the world's own region.
    next: u64,
    /// The first that did not exist when the snapshot began.
    end: u64,
    /// Entities that the directory of ids does not have and that are to come, the next one last.
    others: Vec<EntityId>,
}

/// What a world counts up and never goes back on, with the state of its random numbers. Beside rows and timers,
/// that is all that goes on after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// The sequence number of the next new entity.
    pub entities: u64,
    /// The number of the next timer.
    pub timers: u64,
    /// The number of the last commit.
    pub seq: u64,
    /// Where the random numbers of transactions stand.
    pub random: RandomState,
}

impl World {
    /// What it counts.
    pub fn counters(&self) -> Counters {
        let store = &self.store;
        Counters {
            entities: store.ids.next_sequence(),
            timers: store.timers.next(),
            seq: store.seq,
            random: store.random.state(),
        }
    }

    /// The start of a snapshot of everything that exists now. Entities that are made later are not visited.
    /// Cost: nothing per entity of the world's own region.
    pub fn snapshot_cursor(&self) -> SnapshotCursor {
        let mut others: Vec<EntityId> = self.store.ids.others().collect();
        others.sort_unstable_by(|a, b| b.cmp(a));
        SnapshotCursor { next: 0, end: self.store.ids.next_sequence(), others }
    }

    /// Visits the stored rows of the next entities, in order of entity, then row type. It stops at the entity
    /// with which `rows_max` is reached, or when it has looked at so many ids without an entity that they cost
    /// as much. Returns whether that was the last.
    ///
    /// Rows of transient row types are not visited, and so are entities that have nothing else.
    ///
    /// Cost: 5 ns a small row where rows stand in the order of ids, 20 where they do not.
    ///
    /// # Panics
    ///
    /// When there are changes that are not committed: a snapshot would hold what no log has.
    pub fn snapshot_slice(
        &self,
        cursor: &mut SnapshotCursor,
        rows_max: usize,
        mut visit: impl FnMut(EntityId, RowId, &[u8]),
    ) -> bool {
        assert!(self.is_settled(), "a snapshot's slice is taken right after a commit");
        let mut tables = SliceTables { reads: self.reads(), known: Vec::new() };
        let mut looks = rows_max.max(1).saturating_mul(LOOKS_PER_ROW);
        let mut spend = |looks: &mut usize, entity: EntityId, at: Option<RowAt>| {
            let Some(at) = at else { return };
            let columns = tables.columns(at.table_id);
            for (row, column) in columns {
                visit(entity, *row, column.get(at.table_row.index()));
            }
            *looks = looks.saturating_sub((columns.len() * LOOKS_PER_ROW).saturating_sub(1));
        };
        loop {
            match self.store.ids.seek(cursor.next, cursor.end, &mut looks) {
                Seek::Found(entity, at) => {
                    if let Some(other) = cursor.others.pop_if(|other| *other < entity) {
                        spend(&mut looks, other, self.store.ids.locate(other));
                        cursor.next = entity.sequence();
                    } else {
                        spend(&mut looks, entity, Some(at));
                        cursor.next = entity.sequence() + 1;
                    }
                }
                Seek::Paused(next) => {
                    cursor.next = next;
                    return false;
                }
                Seek::End => {
                    cursor.next = cursor.end;
                    let Some(other) = cursor.others.pop() else { return true };
                    spend(&mut looks, other, self.store.ids.locate(other));
                    if looks == 0 {
                        return false;
                    }
                }
            }
        }
    }

    /// The timers behind `last`, by time, then id, or all: what a snapshot of timers goes on with.
    pub fn timers_after(
        &self,
        last: Option<(Timestamp, TimerId)>,
    ) -> impl Iterator<Item = (TimerId, Timestamp, &TimedCall)> {
        self.store.timers.after(last)
    }
}

/// The stored columns of the tables that a slice has come upon.
struct SliceTables<'w> {
    reads: Reads<'w>,
    /// By table.
    known: Vec<Option<Vec<(RowId, Rows<'w>)>>>,
}

impl<'w> SliceTables<'w> {
    #[inline]
    fn columns(&mut self, table: TableId) -> &[(RowId, Rows<'w>)] {
        let number = table.as_usize();
        if number >= self.known.len() {
            self.known.resize_with(number + 1, || None);
        }
        let reads = self.reads;
        self.known[number].get_or_insert_with(|| {
            let types = reads.store.registry.types();
            let stored = |row: &&RowId| types[row.index()].def.storage.is_stored();
            let rows = reads.store.tables.rows(table).iter().filter(stored);
            rows.filter_map(|row| Some((*row, reads.column(table, *row)?))).collect()
        })
    }
}
