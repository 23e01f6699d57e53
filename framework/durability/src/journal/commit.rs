//! Commits: from a delta to a record.

use evertick_schema::SessionId;
use evertick_world::{Caller, Delta, Simulation};

use super::Journal;
use crate::record::{Header, Numbers, RecordKind, RecordWriter, SessionChange, put_rows, stored};

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Commit {
    /// Who is shown this commit, or a later one, may have to wait: until [`Journal::synced`] is at least this.
    /// `None` when nothing in it has to outlive a crash.
    pub synced_at: Option<u64>,
}

impl Journal {
    /// A session opened: its connect reducers ran and did not refuse. Part of the coming commit.
    pub fn opened(&mut self, caller: &Caller) {
        let index = self.causes.caller(caller);
        self.changes.push(SessionChange::Opened { caller: index });
        self.next_session = self.next_session.max(caller.session.0.saturating_add(1));
        self.sessions.insert(caller.session, caller.clone());
    }

    /// A session closed: its disconnect reducers ran. Part of the coming commit.
    pub fn closed(&mut self, session: SessionId) {
        if self.sessions.remove(&session).is_some() {
            self.changes.push(SessionChange::Closed(session));
        }
    }

    /// Logs what `delta` changed, with the causes and sessions since the last commit. To be called with every
    /// commit, in order, right after [`Simulation::commit`]. Of `simulation` it wants what it counts, and while a
    /// recording is under way its trace.
    ///
    /// A commit without changes of stored rows, timers, sessions or random numbers leaves no record.
    ///
    /// Cost: some nanoseconds and the changed bytes per row. While the log's queue is full this waits for the disk.
    pub fn commit(&mut self, simulation: &mut Simulation, delta: &Delta) -> Commit {
        let counters = simulation.world().counters();
        let next = Numbers {
            commit: delta.seq + 1,
            tick: delta.tick + 1,
            entities: counters.entities,
            timers: counters.timers,
            sessions: self.next_session,
        };
        self.reservation.synced(self.entries.log().synced());
        self.checkpoints.note(delta);
        self.last =
            Header { kind: RecordKind::Commit, commit: delta.seq, tick: delta.tick, time: delta.time };

        let stored = stored(&self.shapes, delta);
        let drew = counters.random != self.random;
        let reserve = self.reservation.due(next);
        let is_record = stored.any || drew || !self.changes.is_empty();
        let mut synced_at = None;
        if is_record || reserve.is_some() {
            let kind = if is_record { RecordKind::Commit } else { RecordKind::Reserve };
            let mut buffer = std::mem::take(&mut self.record);
            let mut record = RecordWriter::start(&mut buffer, Header { kind, ..self.last });
            if is_record {
                self.causes.write(record.out, delta.time);
                for rows in &delta.rows {
                    put_rows(record.out, &self.shapes, rows, &mut self.spans);
                }
                record.timers(&delta.timers);
                record.sessions(&self.changes);
                if drew {
                    record.random(counters.random);
                    self.random = counters.random;
                }
            }
            if let Some(numbers) = reserve {
                record.numbers(numbers);
            }
            let is_awaited = stored.durable || self.reservation.awaited(next).is_some();
            let seq = self.entries.append(&buffer, is_awaited || reserve.is_some());
            self.keep_buffer(buffer);
            if let Some(numbers) = reserve {
                self.reservation.logged(seq, numbers);
            }
            synced_at = is_awaited.then_some(seq);
        }
        synced_at = synced_at.max(self.reservation.awaited(next));
        self.record_commit(simulation, delta);
        self.causes.clear();
        self.changes.clear();
        Commit { synced_at }
    }

    /// Keeps a buffer's memory, unless it is a lot.
    pub(super) fn keep_buffer(&mut self, mut buffer: Vec<u8>) {
        const KEEP_BYTES: usize = 16 << 20;
        buffer.clear();
        buffer.shrink_to(KEEP_BYTES);
        self.record = buffer;
    }
}
