//! A snapshot's rows and then the log's records go into a world.

use std::collections::BTreeMap;

use evertick_schema::{EntityId, SessionId, Timestamp};
use evertick_world::{Caller, Counters, DueTimer, RandomState, Restore, RowId, TimerOp};

use super::error::OpenError;
use super::{Progress, stored::Stored};
use crate::log::Scan;
use crate::record::{
    Header, Malformed, Numbers, Parts, RecordKind, Shapes, SnapshotEnd, SnapshotHead, SnapshotVisit, Visit,
    read, read_chunk,
};

/// How often progress is told: once for so many bytes.
const PROGRESS_BYTES: u64 = 8 << 20;

/// What is known of a world beside its rows and timers.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) numbers: Numbers,
    pub(crate) commit: u64,
    pub(crate) tick: u64,
    pub(crate) time: Timestamp,
    pub(crate) random: RandomState,
    pub(crate) sessions: BTreeMap<SessionId, Caller>,
    /// Rows of the snapshot, and records since it with their bytes.
    pub(crate) rows: u64,
    pub(crate) records: u64,
    pub(crate) log_bytes: u64,
}

impl Known {
    fn new() -> Self {
        Self {
            numbers: Numbers::default(),
            commit: 0,
            tick: 0,
            time: Timestamp::default(),
            random: RandomState([0; 32]),
            sessions: BTreeMap::new(),
            rows: 0,
            records: 0,
            log_bytes: 0,
        }
    }

    /// What the world goes on counting from.
    fn counters(&self) -> Counters {
        let Numbers { commit, entities, timers, .. } = self.numbers;
        Counters { entities, timers, seq: commit.saturating_sub(1), random: self.random }
    }
}

/// Why reading stops.
enum Stop {
    Malformed(Malformed),
    Open(OpenError),
}

impl From<Malformed> for Stop {
    fn from(error: Malformed) -> Self {
        Self::Malformed(error)
    }
}

impl From<evertick_world::RestoreError> for Stop {
    fn from(error: evertick_world::RestoreError) -> Self {
        Self::Open(error.into())
    }
}

struct Redo<'r, 'w> {
    restore: &'r mut Restore<'w>,
    known: Known,
    generation: u64,
    /// The record that is read.
    seq: u64,
    kind: RecordKind,
    head: bool,
    end: Option<SnapshotEnd>,
}

/// Restores what `stored` has, up to the end of the log or `until`, and hands back what is known beside.
pub(crate) fn redo(
    mut restore: Restore<'_>,
    shapes: &Shapes,
    stored: Stored,
    scan: &Scan<'_>,
    until: u64,
    progress: &mut dyn FnMut(Progress),
) -> Result<Known, OpenError> {
    let seq = stored.seq;
    let mut redo = Redo {
        restore: &mut restore,
        known: Known::new(),
        generation: stored.preamble.generation,
        seq,
        kind: RecordKind::Commit,
        head: false,
        end: None,
    };
    read_snapshot(&mut redo, shapes, stored, progress)?;
    read_log(&mut redo, shapes, scan, until, progress)?;
    let known = redo.known;
    progress(Progress::Building { rows: known.rows });
    restore.counters(known.counters());
    restore.finish()?;
    Ok(known)
}

fn read_snapshot(
    redo: &mut Redo<'_, '_>,
    shapes: &Shapes,
    mut stored: Stored,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), OpenError> {
    let (seq, of_bytes) = (stored.seq, stored.reader.info().file_bytes);
    let (mut bytes, mut told) = (0, 0);
    while let Some(chunk) = stored.reader.next()? {
        bytes += chunk.len() as u64;
        read_chunk(chunk, shapes, redo).map_err(|stop| match stop {
            Stop::Malformed(error) => OpenError::Snapshot { seq, error },
            Stop::Open(error) => error,
        })?;
        if bytes - told >= PROGRESS_BYTES {
            told = bytes;
            progress(Progress::Snapshot { bytes, of_bytes, rows: redo.known.rows });
        }
    }
    let whole = redo.head && redo.end.is_some_and(|end| end.rows == redo.known.rows);
    if !whole {
        let error = Malformed { what: "it has no head, no end, or other rows than its end says", at: 0 };
        return Err(OpenError::Snapshot { seq, error });
    }
    Ok(())
}

fn read_log(
    redo: &mut Redo<'_, '_>,
    shapes: &Shapes,
    scan: &Scan<'_>,
    until: u64,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), OpenError> {
    let (mut parts, mut told) = (Parts::default(), 0);
    let mut records = scan.records(redo.seq + 1)?;
    while let Some(record) = records.next()? {
        let seq = record.seq;
        if seq > until {
            break;
        }
        redo.seq = seq;
        redo.known.log_bytes += record.body.len() as u64;
        let whole = parts.push(seq, record.body).map_err(|error| OpenError::Record { seq, error })?;
        if let Some(whole) = whole {
            redo.known.records += 1;
            read(whole.bytes, shapes, redo).map_err(|stop| match stop {
                Stop::Malformed(error) => OpenError::Record { seq: whole.first, error },
                Stop::Open(error) => error,
            })?;
        }
        if redo.known.log_bytes - told >= PROGRESS_BYTES {
            told = redo.known.log_bytes;
            progress(Progress::Log { records: redo.known.records, seq, last_seq: scan.last_seq() });
        }
    }
    Ok(())
}

impl SnapshotVisit for Redo<'_, '_> {
    type Error = Stop;

    fn head(&mut self, head: SnapshotHead) -> Result<(), Stop> {
        let SnapshotHead { numbers, commit, tick, time, random } = head;
        self.known = Known { numbers, commit, tick, time, random, ..Known::new() };
        self.head = true;
        Ok(())
    }

    fn entity(&mut self, entity: EntityId, rows: &[(RowId, &[u8])]) -> Result<(), Stop> {
        self.known.rows += rows.len() as u64;
        Ok(self.restore.put_all(entity, rows)?)
    }

    fn timer(&mut self, timer: DueTimer) -> Result<(), Stop> {
        self.restore.timer(&TimerOp::Set(timer));
        Ok(())
    }

    fn session(&mut self, caller: Caller) -> Result<(), Stop> {
        self.known.sessions.insert(caller.session, caller);
        Ok(())
    }

    fn end(&mut self, end: SnapshotEnd) -> Result<(), Stop> {
        self.end = Some(end);
        Ok(())
    }
}

impl Visit for Redo<'_, '_> {
    type Error = Stop;

    fn header(&mut self, header: Header) -> Result<(), Stop> {
        self.kind = header.kind;
        self.known.commit = self.known.commit.max(header.commit);
        self.known.tick = self.known.tick.max(header.tick);
        self.known.time = self.known.time.max(header.time);
        Ok(())
    }

    fn put(&mut self, row: RowId, entity: EntityId, bytes: &[u8]) -> Result<(), Stop> {
        Ok(self.restore.put(row, entity, bytes)?)
    }

    fn patch(&mut self, row: RowId, entity: EntityId, mask: u64, fields: &[u8]) -> Result<(), Stop> {
        self.restore.patch(row, entity, mask, fields)?;
        Ok(())
    }

    fn remove(&mut self, row: RowId, entity: EntityId) -> Result<(), Stop> {
        self.restore.remove(row, entity)?;
        Ok(())
    }

    fn timer(&mut self, op: TimerOp) -> Result<(), Stop> {
        self.restore.timer(&op);
        Ok(())
    }

    fn opened(&mut self, caller: &Caller) -> Result<(), Stop> {
        self.known.numbers.sessions = self.known.numbers.sessions.max(caller.session.0.saturating_add(1));
        self.known.sessions.insert(caller.session, caller.clone());
        Ok(())
    }

    fn closed(&mut self, session: SessionId) -> Result<(), Stop> {
        self.known.sessions.remove(&session);
        Ok(())
    }

    fn random(&mut self, state: RandomState) -> Result<(), Stop> {
        self.known.random = state;
        Ok(())
    }

    fn numbers(&mut self, numbers: Numbers) -> Result<(), Stop> {
        // A clean end says exactly which are next; anything else, below which they may be in use.
        self.known.numbers = match self.kind {
            RecordKind::Close => numbers,
            _ => self.known.numbers.max(numbers),
        };
        Ok(())
    }

    fn generation(&mut self, found: u64) -> Result<(), Stop> {
        if found == self.generation {
            return Ok(());
        }
        Err(Stop::Open(OpenError::Generation { seq: self.seq, expected: self.generation, found }))
    }
}
