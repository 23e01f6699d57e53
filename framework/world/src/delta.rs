//! What one commit changed: the only thing that flows downstream of the world.

use evertick_schema::{EntityId, Timestamp};

use crate::cause::SessionOp;
use crate::changes::Changes;
use crate::place::Cell;
use crate::row::RowId;
use crate::timers::TimerOp;

/// Everything that one commit changed. Give it to [`crate::World::recycle`] when it is done with.
///
/// Values are absolute: what an entity has now, not by how much it changed. What came and went between two
/// commits is not in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delta {
    /// The commit's number, counting up from 1.
    pub seq: u64,
    /// The tick it belongs to.
    pub tick: u64,
    /// The world's time.
    pub time: Timestamp,
    /// Entities that are new.
    pub spawned: Vec<EntityId>,
    /// Entities that are gone.
    pub despawned: Vec<EntityId>,
    /// Changed rows, by row type, ascending; only types with changes.
    pub rows: Vec<RowDelta>,
    /// Entities that changed cell, each once.
    pub moved: Vec<CellMove>,
    /// Events in the order they were emitted.
    pub events: Vec<Event>,
    /// What transactions asked for sessions, in their order.
    pub sessions: Vec<SessionOp>,
    /// Timers that were set, ran or were cancelled, in their order.
    pub timers: Vec<TimerOp>,
}

impl Delta {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.spawned.is_empty()
            && self.despawned.is_empty()
            && self.rows.is_empty()
            && self.moved.is_empty()
            && self.events.is_empty()
            && self.sessions.is_empty()
            && self.timers.is_empty()
    }

    /// The changes of one row type.
    pub fn rows_of(&self, row: RowId) -> Option<&RowDelta> {
        self.rows.binary_search_by_key(&row, |delta| delta.row).ok().map(|at| &self.rows[at])
    }
}

/// Changed rows of one type. No entity is in two of the lists.
#[derive(Clone, Debug, PartialEq)]
pub struct RowDelta {
    /// The row type.
    pub row: RowId,
    /// Rows that are new; their masks have all fields.
    pub inserted: Changes,
    /// Rows that changed. After point writes, masks have exactly the fields whose bytes differ from the last
    /// commit's; where a system and others changed the same row, they may have more.
    pub updated: Changes,
    /// Entities whose row is gone, those that are gone altogether included.
    pub removed: Vec<EntityId>,
}

impl RowDelta {
    pub(crate) fn new(row: RowId, stride: Option<usize>) -> Self {
        Self { row, inserted: Changes::new(stride), updated: Changes::new(stride), removed: vec![] }
    }

    /// Forgets everything and keeps the memory, unless little of much was used.
    pub(crate) fn clear(&mut self, stride: Option<usize>) {
        self.inserted.shrink();
        self.updated.shrink();
        self.inserted.reset(stride);
        self.updated.reset(stride);
        self.removed.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.inserted.is_empty() && self.updated.is_empty() && self.removed.is_empty()
    }
}

/// An entity that changed cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellMove {
    /// The entity.
    pub entity: EntityId,
    /// Where it was at the last commit; `None` if it had no place.
    pub from: Option<Cell>,
    /// Where it is now; `None` if it has no place.
    pub to: Option<Cell>,
}

/// An event: a row that is sent and not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its type.
    pub row: RowId,
    /// The row.
    pub bytes: Box<[u8]>,
}
