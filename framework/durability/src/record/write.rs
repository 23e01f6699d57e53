//! Writing records.

use evertick_schema::SessionId;
use evertick_world::{DueTimer, RandomState, TimerOp, TraceEntry};

use super::bytes::{put_blob, put_signed, put_varint};
use super::{Header, Numbers, Section};

pub(super) const TIMER_SET: u8 = 0;
pub(super) const TIMER_GONE: u8 = 1;
pub(super) const SESSION_OPENED: u8 = 0;
pub(super) const SESSION_CLOSED: u8 = 1;

/// A session that came or went. Who it is stands in the record's dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionChange {
    Opened { caller: u64 },
    Closed(SessionId),
}

/// A record under construction at the start of a buffer.
#[derive(Debug)]
pub(crate) struct RecordWriter<'b> {
    pub(crate) out: &'b mut Vec<u8>,
}

impl<'b> RecordWriter<'b> {
    /// Starts a record; what `out` had is gone.
    pub(crate) fn start(out: &'b mut Vec<u8>, header: Header) -> Self {
        out.clear();
        out.push(header.kind.tag());
        put_varint(out, header.commit);
        put_varint(out, header.tick);
        put_signed(out, header.time.0);
        Self { out }
    }

    pub(crate) fn timers(&mut self, ops: &[TimerOp]) {
        if ops.is_empty() {
            return;
        }
        self.out.push(Section::Timers.tag());
        put_varint(self.out, ops.len() as u64);
        for op in ops {
            match op {
                TimerOp::Set(timer) => {
                    self.out.push(TIMER_SET);
                    put_timer(self.out, timer);
                }
                TimerOp::Gone(id) => {
                    self.out.push(TIMER_GONE);
                    put_varint(self.out, id.0);
                }
            }
        }
    }

    pub(crate) fn sessions(&mut self, changes: &[SessionChange]) {
        if changes.is_empty() {
            return;
        }
        self.out.push(Section::Sessions.tag());
        put_varint(self.out, changes.len() as u64);
        for change in changes {
            let (tag, number) = match change {
                SessionChange::Opened { caller } => (SESSION_OPENED, *caller),
                SessionChange::Closed(session) => (SESSION_CLOSED, session.0),
            };
            self.out.push(tag);
            put_varint(self.out, number);
        }
    }

    pub(crate) fn random(&mut self, state: RandomState) {
        self.out.push(Section::Random.tag());
        self.out.extend_from_slice(&state.0);
    }

    pub(crate) fn numbers(&mut self, numbers: Numbers) {
        self.out.push(Section::Numbers.tag());
        put_numbers(self.out, numbers);
    }

    pub(crate) fn generation(&mut self, generation: u64) {
        self.out.push(Section::Generation.tag());
        put_varint(self.out, generation);
    }

    /// What a replay compares with.
    pub(crate) fn checks(&mut self, delta: u32, trace: &[TraceEntry]) {
        self.out.push(Section::Checks.tag());
        self.out.extend_from_slice(&delta.to_le_bytes());
        put_varint(self.out, trace.len() as u64);
        for entry in trace {
            put_blob(self.out, entry.name.as_bytes());
            self.out.extend_from_slice(&entry.checksum.to_le_bytes());
        }
    }
}

pub(super) fn put_timer(out: &mut Vec<u8>, timer: &DueTimer) {
    put_varint(out, timer.id.0);
    put_signed(out, timer.at.0);
    put_varint(out, u64::from(timer.call.module));
    put_varint(out, u64::from(timer.call.reducer));
    put_blob(out, &timer.call.args);
}

pub(super) fn put_numbers(out: &mut Vec<u8>, numbers: Numbers) {
    numbers.fields().iter().for_each(|number| put_varint(out, *number));
}
