//! What a frame or a state changed, as the application is told.

use std::ops::Range;

use evertick_schema::{EntityId, Timestamp};

use crate::frame::{CallReply, QueryReply, TopicId};
use crate::replica::store::RowStore;

/// What one frame or State message changed. Kept and handed in again, it allocates nothing in the long run.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The frame's number.
    pub number: u64,
    /// The frame's tick.
    pub tick: u64,
    /// The world's time at that tick; of a State message, at the newest frame's.
    pub time: Timestamp,
    /// Results of calls, in the order of the calls' execution. Their effects are in this frame or were in an earlier one.
    pub results: Vec<CallReply>,
    /// Answers to queries, in order.
    pub queries: Vec<QueryReply>,
    notes: Vec<Note>,
    results_of_queries: Vec<ResultChange>,
    events: Vec<(u32, Range<usize>)>,
    /// Old rows and events.
    bytes: Vec<u8>,
}

/// One row's net change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    /// What happened.
    pub kind: ChangeKind,
    /// The row type's number.
    pub row: u32,
    /// Whose row.
    pub entity: EntityId,
    /// The row before the frame; `None` of an inserted one.
    pub old: Option<&'a [u8]>,
}

/// A row that a query's topic has begun to hold or let go of; see [`Changes::results_of_queries`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResultChange {
    /// The query's topic.
    pub topic: TopicId,
    /// The row type's number.
    pub row: u32,
    /// Whose row.
    pub entity: EntityId,
}

/// What happened to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum ChangeKind {
    Inserted,
    Updated,
    Removed,
}

/// Something that happened and is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The event type's number.
    pub row: u32,
    /// The event as row bytes, which are valid.
    pub bytes: &'a [u8],
}

/// A row that the frame touched.
#[derive(Clone, Debug)]
struct Note {
    row: u32,
    entity: EntityId,
    /// Where the row before the frame is in `bytes`.
    old: Option<Range<usize>>,
    /// Where the row is in its store now.
    now: Option<u32>,
    kind: ChangeKind,
}

impl Changes {
    /// No changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// The rows that changed, each once.
    pub fn iter(&self) -> impl Iterator<Item = Change<'_>> {
        self.notes.iter().map(|note| Change {
            kind: note.kind,
            row: note.row,
            entity: note.entity,
            old: note.old.clone().map(|old| &self.bytes[old]),
        })
    }

    /// The rows that topics of queries have begun to hold or let go of, maybe several times: whether they hold them now says
    /// [`Replica::is_held`](crate::Replica::is_held).
    pub fn results_of_queries(&self) -> &[ResultChange] {
        &self.results_of_queries
    }

    /// The events, in order.
    pub fn events(&self) -> impl Iterator<Item = Event<'_>> {
        self.events.iter().map(|(row, bytes)| Event { row: *row, bytes: &self.bytes[bytes.clone()] })
    }

    pub(crate) fn clear(&mut self) {
        self.notes.clear();
        self.results_of_queries.clear();
        self.events.clear();
        self.bytes.clear();
        self.results.clear();
        self.queries.clear();
    }

    pub(crate) fn event(&mut self, row: u32, event: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(event);
        self.events.push((row, start..self.bytes.len()));
    }

    pub(crate) fn result_of_query(&mut self, topic: TopicId, row: u32, entity: EntityId) {
        self.results_of_queries.push(ResultChange { topic, row, entity });
    }

    /// Notes a row for the first time in this frame; returns the note's number.
    pub(crate) fn note(&mut self, row: u32, entity: EntityId, old: Option<&[u8]>, now: Option<u32>) -> u32 {
        let old = old.map(|old| {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(old);
            start..self.bytes.len()
        });
        self.notes.push(Note { row, entity, old, now, kind: ChangeKind::Updated });
        (self.notes.len() - 1) as u32
    }

    /// The row of this note is now elsewhere in its store, or nowhere.
    pub(crate) fn moved(&mut self, note: u32, now: Option<u32>) {
        self.notes[note as usize].now = now;
    }

    /// Works out net changes, and forgets what did not change.
    pub(crate) fn settle(&mut self, stores: &[RowStore]) {
        let bytes = &self.bytes;
        self.notes.retain_mut(|note| {
            note.kind = match (&note.old, note.now) {
                (None, None) => return false,
                (None, Some(_)) => ChangeKind::Inserted,
                (Some(_), None) => ChangeKind::Removed,
                (Some(old), Some(now)) => {
                    if bytes[old.clone()] == *stores[note.row as usize].row(now) {
                        return false;
                    }
                    ChangeKind::Updated
                }
            };
            true
        });
    }
}
