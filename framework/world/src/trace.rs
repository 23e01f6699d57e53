//! What ran, in which order, and a checksum of what each did: by which a replay finds the first transaction or
//! system that did something else.
//!
//! A reducer's checksum is over the changes of its transaction so far and its outcome; a system's over the rows and
//! commands that it handed over. Neither depends on where bevy keeps things, nor on whether the guest is WebAssembly
//! or linked natively.

use std::sync::Arc;

use crate::cause::{Focus, QueuedCall, SessionOp, SessionWish};
use crate::guest::{GuestFault, Outcome};
use crate::log::Change;
use crate::sweep::{RunOutput, Sweep};
use crate::tx::Tx;

/// The most entries that are kept until somebody takes them. Further ones go into the checksum of the last.
pub const TRACE_ENTRIES_MAX: usize = 1 << 20;

/// Pieces of at least so many bytes are not copied before they are summed.
const LARGE: usize = 512;

/// A run of a reducer or system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceEntry {
    /// `module.reducer` or `module.system`.
    pub name: Arc<str>,
    /// CRC32C of what it did. Equal on the same state with the same inputs.
    pub checksum: u32,
}

/// The entries since the last time they were taken.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    entries: Vec<TraceEntry>,
    digest: Digest,
}

impl Trace {
    pub(crate) fn take(&mut self) -> Vec<TraceEntry> {
        std::mem::take(&mut self.entries)
    }

    /// A reducer ran in `tx`, which is still open.
    pub(crate) fn reducer(&mut self, name: &Arc<str>, tx: &Tx<'_>, outcome: &Result<Outcome, GuestFault>) {
        let digest = &mut self.digest;
        match outcome {
            Ok(Outcome::Ok(result)) => {
                digest.numbers([0, u64::from(tx.over_limit().is_some())]);
                digest.bytes(result);
                tx.digest_changes(digest);
            }
            Ok(Outcome::Refused { variant, message, fields }) => {
                digest.numbers([1, u64::from(*variant)]);
                digest.bytes(message.as_bytes());
                digest.bytes(fields);
            }
            Err(fault) => digest.numbers([2, fault.kind as u64]),
        }
        tx.digest_detached(digest);
        self.end(name);
    }

    /// A system ran.
    pub(crate) fn system(&mut self, name: &Arc<str>, output: &RunOutput) {
        let digest = &mut self.digest;
        digest.numbers([3, output.fault.as_ref().map_or(0, |fault| 1 + fault.kind as u64)]);
        let changed = |sweep: &&Sweep| sweep.changed.dirty.iter().any(|word| *word != 0);
        let mut sweeps: Vec<&Sweep> = output.sweeps.iter().filter(changed).collect();
        // A guest hands columns over in an order of its own.
        sweeps.sort_unstable_by_key(|sweep| sweep.slot);
        for sweep in sweeps {
            digest.numbers(sweep.slot.map(|number| number as u64));
            let words = sweep.changed.dirty.iter().enumerate().filter(|(_, word)| **word != 0);
            words.for_each(|(number, word)| digest.numbers([number as u64, *word]));
            digest.bytes(&sweep.changed.bytes);
        }
        digest.bytes(&output.commands);
        self.end(name);
    }

    fn end(&mut self, name: &Arc<str>) {
        let checksum = self.digest.finish();
        if self.entries.len() < TRACE_ENTRIES_MAX {
            self.entries.push(TraceEntry { name: Arc::clone(name), checksum });
        } else if let Some(last) = self.entries.last_mut() {
            last.checksum = crc32c::crc32c_append(last.checksum, &checksum.to_le_bytes());
        }
    }
}

/// A checksum in the making. Small pieces are gathered: a sum has a cost of its own.
#[derive(Debug, Default)]
struct Digest {
    sum: u32,
    buffer: Vec<u8>,
}

impl Digest {
    fn numbers<const N: usize>(&mut self, numbers: [u64; N]) {
        numbers.iter().for_each(|number| self.buffer.extend_from_slice(&number.to_le_bytes()));
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.numbers([bytes.len() as u64]);
        if bytes.len() < LARGE {
            self.buffer.extend_from_slice(bytes);
        } else {
            self.flush();
            self.sum = crc32c::crc32c_append(self.sum, bytes);
        }
        if self.buffer.len() >= 1 << 16 {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.sum = crc32c::crc32c_append(self.sum, &self.buffer);
        self.buffer.clear();
    }

    /// The checksum; the next starts anew.
    fn finish(&mut self) -> u32 {
        self.flush();
        std::mem::take(&mut self.sum)
    }
}

impl Tx<'_> {
    /// What the transaction has changed so far.
    fn digest_changes(&self, digest: &mut Digest) {
        let start = self.start();
        let store = &self.store;
        for record in &store.log.records()[store.start.records..] {
            let (kind, row) = match record.change {
                Change::Spawned => (0, None),
                Change::Despawned => (1, None),
                Change::Inserted { row } => (2, Some(row)),
                Change::Updated { row, .. } => (3, Some(row)),
                Change::Removed { row, .. } => (4, Some(row)),
                Change::Placed => (5, None),
                Change::Left(_) => (6, None),
            };
            digest.numbers([record.entity.0, kind, row.map_or(u64::MAX, |row| u64::from(row.0))]);
            if let Some(bytes) = row.and_then(|row| self.get(row, record.entity)) {
                digest.bytes(bytes);
            }
        }
        for event in &store.events[start.events..] {
            digest.numbers([u64::from(event.row.0)]);
            digest.bytes(&event.bytes);
        }
        for SessionOp { session, wish } in &store.sessions[start.sessions..] {
            let [kind, a, b, c] = wish_words(wish);
            digest.numbers([session.0, kind, a, b, c]);
        }
        for (timer, set) in store.timers.changed_since(start.timers) {
            digest.numbers([timer.0, set.map_or(0, |(at, _)| at.0 as u64)]);
            if let Some((_, call)) = set {
                digest.numbers([u64::from(call.module), u64::from(call.reducer)]);
                digest.bytes(&call.args);
            }
        }
        digest.bytes(&store.random.state().0);
    }

    /// The calls that it has detached so far.
    fn digest_detached(&self, digest: &mut Digest) {
        for QueuedCall { module, reducer, args, .. } in &self.store.detached[self.start().detached..] {
            digest.numbers([u64::from(*module), u64::from(*reducer)]);
            digest.bytes(args);
        }
    }
}

fn wish_words(wish: &SessionWish) -> [u64; 4] {
    let float = |value: f32| u64::from(value.to_bits());
    match wish {
        SessionWish::Focus(Focus::None) => [0, 0, 0, 0],
        SessionWish::Focus(Focus::Entity { entity, radius }) => [1, entity.0, float(*radius), 0],
        SessionWish::Focus(Focus::Point { place, radius }) => {
            let [x, y] = place.at.map(float);
            [2, u64::from(place.space), x | y << 32, float(*radius)]
        }
        SessionWish::Join(group) => [3, *group, 0, 0],
        SessionWish::Leave(group) => [4, *group, 0, 0],
    }
}
