//! Chunks of snapshots: a head, sessions, timers, rows by entity, and an end.

use evertick_schema::{EntityId, Timestamp};
use evertick_world::{Caller, DueTimer, RandomState, RowId};

use super::bytes::{Input, Malformed, put_blob, put_signed, put_varint};
use super::causes::{read_caller, write_caller};
use super::read::{read_numbers, read_timer};
use super::write::{put_numbers, put_timer};
use super::{Numbers, Shapes};

const HEAD: u8 = 0;
const ENTITIES: u8 = 1;
const TIMERS: u8 = 2;
const SESSIONS: u8 = 3;
const END: u8 = 4;

/// How things stood when a snapshot began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SnapshotHead {
    /// Numbers below these may be in use.
    pub(crate) numbers: Numbers,
    /// The last commit, and its tick and time.
    pub(crate) commit: u64,
    pub(crate) tick: u64,
    pub(crate) time: Timestamp,
    pub(crate) random: RandomState,
}

/// What a snapshot ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SnapshotEnd {
    /// How many rows there are in it.
    pub(crate) rows: u64,
}

/// Writes chunks into a buffer.
#[derive(Debug, Default)]
pub(crate) struct SnapshotWrite {
    pub(crate) chunk: Vec<u8>,
    last: EntityId,
    /// The rows of the entity that is being visited, and how many they are.
    entity: EntityId,
    entity_rows: u64,
    entity_bytes: Vec<u8>,
}

impl SnapshotWrite {
    pub(crate) fn head(&mut self, head: &SnapshotHead) {
        let out = self.begin(HEAD);
        put_numbers(out, head.numbers);
        put_varint(out, head.commit);
        put_varint(out, head.tick);
        put_signed(out, head.time.0);
        out.extend_from_slice(&head.random.0);
    }

    pub(crate) fn begin_rows(&mut self) {
        self.begin(ENTITIES);
        self.last = EntityId::NONE;
        self.entity_rows = 0;
    }

    /// Appends a row; those of one entity come one after the other.
    #[inline]
    pub(crate) fn row(&mut self, shapes: &Shapes, entity: EntityId, row: RowId, bytes: &[u8]) {
        if self.entity_rows > 0 && self.entity != entity {
            self.end_entity();
        }
        self.entity = entity;
        self.entity_rows += 1;
        put_varint(&mut self.entity_bytes, u64::from(row.0));
        match shapes.get(row).and_then(|shape| shape.stride) {
            Some(_) => self.entity_bytes.extend_from_slice(bytes),
            None => put_blob(&mut self.entity_bytes, bytes),
        }
    }

    pub(crate) fn end_rows(&mut self) {
        if self.entity_rows > 0 {
            self.end_entity();
        }
    }

    fn end_entity(&mut self) {
        put_signed(&mut self.chunk, self.entity.0.wrapping_sub(self.last.0) as i64);
        put_varint(&mut self.chunk, self.entity_rows);
        self.chunk.extend_from_slice(&self.entity_bytes);
        self.entity_bytes.clear();
        self.last = self.entity;
        self.entity_rows = 0;
    }

    pub(crate) fn timers(&mut self, timers: impl Iterator<Item = DueTimer>) {
        let out = self.begin(TIMERS);
        timers.for_each(|timer| put_timer(out, &timer));
    }

    pub(crate) fn sessions<'c>(&mut self, callers: impl Iterator<Item = &'c Caller>) {
        let out = self.begin(SESSIONS);
        callers.for_each(|caller| write_caller(out, caller));
    }

    pub(crate) fn end(&mut self, end: SnapshotEnd) {
        let out = self.begin(END);
        put_varint(out, end.rows);
    }

    fn begin(&mut self, tag: u8) -> &mut Vec<u8> {
        self.chunk.clear();
        self.chunk.push(tag);
        &mut self.chunk
    }
}

/// What is told what a chunk holds.
pub(crate) trait SnapshotVisit {
    /// Why it stops.
    type Error: From<Malformed>;

    fn head(&mut self, head: SnapshotHead) -> Result<(), Self::Error>;
    /// All stored rows of an entity, by row type.
    fn entity(&mut self, entity: EntityId, rows: &[(RowId, &[u8])]) -> Result<(), Self::Error>;
    fn timer(&mut self, timer: DueTimer) -> Result<(), Self::Error>;
    fn session(&mut self, caller: Caller) -> Result<(), Self::Error>;
    fn end(&mut self, end: SnapshotEnd) -> Result<(), Self::Error>;
}

/// Reads one chunk.
pub(crate) fn read_chunk<V: SnapshotVisit>(
    bytes: &[u8],
    shapes: &Shapes,
    visit: &mut V,
) -> Result<(), V::Error> {
    let mut input = Input::new(bytes);
    match input.byte()? {
        HEAD => {
            let numbers = read_numbers(&mut input)?;
            let (commit, tick) = (input.varint()?, input.varint()?);
            let time = Timestamp(input.signed()?);
            let random = RandomState(input.array()?);
            visit.head(SnapshotHead { numbers, commit, tick, time, random })?;
        }
        ENTITIES => {
            let mut last = 0u64;
            let mut rows: Vec<(RowId, &[u8])> = Vec::new();
            while !input.is_empty() {
                last = last.wrapping_add(input.signed()? as u64);
                rows.clear();
                for _ in 0..input.count()? {
                    let row = RowId(input.small()?);
                    let Some(shape) = shapes.get(row) else {
                        return Ok(input.malformed("a row type that the module does not have")?);
                    };
                    rows.push((
                        row,
                        match shape.stride {
                            Some(stride) => input.take(stride)?,
                            None => input.blob()?,
                        },
                    ));
                }
                visit.entity(EntityId(last), &rows)?;
            }
        }
        TIMERS => {
            while !input.is_empty() {
                visit.timer(read_timer(&mut input)?)?;
            }
        }
        SESSIONS => {
            while !input.is_empty() {
                visit.session(read_caller(&mut input)?)?;
            }
        }
        END => visit.end(SnapshotEnd { rows: input.varint()? })?,
        _ => return Ok(input.malformed("an unknown kind of chunk")?),
    }
    match input.is_empty() {
        true => Ok(()),
        false => Ok(input.malformed("more than is due")?),
    }
}
