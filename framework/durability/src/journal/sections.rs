//! What a snapshot is made of, a chunk at a time: sessions, timers, rows.
//!
//! Each is gone through in an order that what happens meanwhile can't disturb (sessions by id, timers by time and id,
//! rows by entity), so that together with the log since the snapshot's beginning nothing is missed.

use std::collections::BTreeMap;
use std::ops::Bound;

use evertick_schema::{SessionId, Timestamp};
use evertick_world::{Caller, DueTimer, SnapshotCursor, TimerId, World};

use crate::record::{Shapes, SnapshotEnd, SnapshotHead, SnapshotWrite};

/// Rows, sessions or timers of one chunk.
const CHUNK_ITEMS: usize = 512;

/// How far a snapshot's content is.
#[derive(Debug)]
enum Section {
    Head,
    Sessions(Option<SessionId>),
    Timers(Option<(Timestamp, TimerId)>),
    Rows,
    End,
    Done,
}

/// Hands out a snapshot's chunks.
#[derive(Debug)]
pub(crate) struct Sections {
    section: Section,
    head: SnapshotHead,
    cursor: SnapshotCursor,
    write: SnapshotWrite,
    rows: u64,
    /// The last entry of the log when rows were last looked at.
    needs_seq: u64,
}

/// What is to be written.
pub(crate) struct Contents<'a> {
    pub(crate) world: &'a World,
    pub(crate) shapes: &'a Shapes,
    pub(crate) sessions: &'a BTreeMap<SessionId, Caller>,
    /// The last entry of the log.
    pub(crate) last_seq: u64,
}

impl Sections {
    /// Begins a snapshot of what exists now.
    pub(crate) fn new(head: SnapshotHead, world: &World) -> Self {
        Self {
            section: Section::Head,
            head,
            cursor: world.snapshot_cursor(),
            write: SnapshotWrite::default(),
            rows: 0,
            needs_seq: 0,
        }
    }

    /// The last entry of the log of which something may be in it.
    pub(crate) fn needs_seq(&self) -> u64 {
        self.needs_seq
    }

    /// How many rows it has so far.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// The next chunk, in `buffer`'s memory; none at the end. To be called between commits.
    pub(crate) fn next(&mut self, contents: &Contents<'_>, buffer: Vec<u8>) -> Option<Vec<u8>> {
        self.write.chunk = buffer;
        match &mut self.section {
            Section::Head => {
                self.write.head(&self.head);
                self.section = Section::Sessions(None);
            }
            Section::Sessions(last) => {
                let from = last.map_or(Bound::Unbounded, Bound::Excluded);
                let callers = || contents.sessions.range((from, Bound::Unbounded)).take(CHUNK_ITEMS);
                self.write.sessions(callers().map(|(_, caller)| caller));
                self.section = match callers().nth(CHUNK_ITEMS - 1) {
                    Some((last, _)) => Section::Sessions(Some(*last)),
                    None => Section::Timers(None),
                };
            }
            Section::Timers(last) => {
                let timers = || contents.world.timers_after(*last).take(CHUNK_ITEMS);
                self.write.timers(timers().map(|(id, at, call)| DueTimer { id, at, call: call.clone() }));
                self.section = match timers().nth(CHUNK_ITEMS - 1) {
                    Some((id, at, _)) => Section::Timers(Some((at, id))),
                    None => Section::Rows,
                };
            }
            Section::Rows => {
                self.write.begin_rows();
                let Self { write, rows, .. } = self;
                let done =
                    contents.world.snapshot_slice(&mut self.cursor, CHUNK_ITEMS, |entity, row, bytes| {
                        write.row(contents.shapes, entity, row, bytes);
                        *rows += 1;
                    });
                self.write.end_rows();
                if done {
                    self.section = Section::End;
                }
            }
            Section::End => {
                self.write.end(SnapshotEnd { rows: self.rows });
                self.section = Section::Done;
                return Some(std::mem::take(&mut self.write.chunk));
            }
            Section::Done => return None,
        }
        self.needs_seq = contents.last_seq;
        Some(std::mem::take(&mut self.write.chunk))
    }
}
