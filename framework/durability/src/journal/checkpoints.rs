//! Rows of checkpoint row types that changed since they were last written.
//!
//! Each row type has a bit per entity, in pages by id. A sweep goes through the dirty pages at such a pace that it is
//! at the end after the row type's period, so every tick writes its share: a row that keeps changing is written
//! once a period, and no tick writes them all.

use std::collections::BTreeMap;

use evertick_schema::{EntityId, StorageClass, Timestamp};
use evertick_world::{Delta, RowId, World};

use crate::record::{PutBuffer, RowShape, Shapes};

/// Entities of one page.
const PAGE: u64 = 512;

/// The most bytes of rows in one checkpoint's record; a larger row gets one of its own.
const RECORD_BYTES: usize = 256 << 10;

/// All checkpoint row types.
#[derive(Debug)]
pub(super) struct Checkpoints {
    types: Vec<Dirty>,
    puts: PutBuffer,
}

/// One row type.
#[derive(Debug)]
struct Dirty {
    row: RowId,
    every_us: i64,
    pages: BTreeMap<u64, [u64; 8]>,
    /// When the sweep began, how many pages it found, how many it has done, and where it goes on.
    started: Timestamp,
    found: usize,
    done: usize,
    next: u64,
}

impl Checkpoints {
    pub(super) fn new(shapes: &Shapes, now: Timestamp) -> Self {
        let types = shapes.iter().filter_map(|(row, shape)| match shape.class {
            StorageClass::Checkpoint { every_us } => Some(Dirty {
                row,
                every_us: every_us.max(1),
                pages: BTreeMap::new(),
                started: now,
                found: 0,
                done: 0,
                next: 0,
            }),
            StorageClass::Durable | StorageClass::Transient => None,
        });
        Self { types: types.collect(), puts: PutBuffer::default() }
    }

    /// Notes the rows that a commit changed. Cost: a few nanoseconds a row.
    pub(super) fn note(&mut self, delta: &Delta) {
        for dirty in &mut self.types {
            if let Some(rows) = delta.rows_of(dirty.row) {
                dirty.note(rows.updated.entities());
            }
        }
    }

    /// Writes what is due at `now`, at most about `rows_max` rows, or all that is dirty without `now`. `write` is
    /// given the rows of one record at a time. What entities no longer have is skipped.
    pub(super) fn sweep(
        &mut self,
        world: &World,
        shapes: &Shapes,
        now: Option<Timestamp>,
        rows_max: usize,
        mut write: impl FnMut(RowId, &mut PutBuffer),
    ) {
        let mut left = rows_max;
        for dirty in &mut self.types {
            let Some(shape) = shapes.get(dirty.row) else { continue };
            let mut due = match now {
                Some(now) => dirty.due(now),
                None => {
                    dirty.next = 0;
                    usize::MAX
                }
            };
            while due > 0
                && left > 0
                && let Some(page) = dirty.take_page()
            {
                due -= 1;
                left =
                    left.saturating_sub(gather((world, shape, dirty.row), page, &mut self.puts, &mut write));
            }
            if self.puts.len() > 0 {
                write(dirty.row, &mut self.puts);
            }
        }
    }
}

/// Puts a page's rows into `puts` and hands them on when they are enough. Returns how many there were.
fn gather(
    (world, shape, row): (&World, &RowShape, RowId),
    (page, bits): (u64, [u64; 8]),
    puts: &mut PutBuffer,
    write: &mut impl FnMut(RowId, &mut PutBuffer),
) -> usize {
    let mut rows = 0;
    for (word, mut bits) in bits.into_iter().enumerate() {
        while bits != 0 {
            let entity = EntityId(page * PAGE + word as u64 * 64 + u64::from(bits.trailing_zeros()));
            bits &= bits - 1;
            let Some(bytes) = world.get(row, entity) else { continue };
            puts.push(shape, entity, bytes);
            rows += 1;
            if puts.bytes() >= RECORD_BYTES {
                write(row, puts);
            }
        }
    }
    rows
}

impl Dirty {
    fn note(&mut self, entities: &[EntityId]) {
        let mut rest = entities.iter().copied().peekable();
        while let Some(entity) = rest.next() {
            let number = entity.0 / PAGE;
            let page = self.pages.entry(number).or_default();
            let mut set = |entity: EntityId| {
                let at = entity.0 % PAGE;
                page[(at / 64) as usize] |= 1 << (at % 64);
            };
            set(entity);
            // Neighbours mostly come one after the other.
            while let Some(entity) = rest.next_if(|entity| entity.0 / PAGE == number) {
                set(entity);
            }
        }
    }

    /// How many pages are due now.
    fn due(&mut self, now: Timestamp) -> usize {
        let elapsed = now.since(self.started).0;
        if elapsed < self.every_us {
            let share = self.found as u128 * elapsed.max(0) as u128 / self.every_us as u128;
            return (share as usize + 1).min(self.found).saturating_sub(self.done);
        }
        if self.found > 0 && self.pages.range(self.next..).next().is_some() {
            // What this sweep has not come to.
            return usize::MAX;
        }
        (self.started, self.found, self.done, self.next) = (now, self.pages.len(), 0, 0);
        usize::from(self.found > 0)
    }

    /// The next dirty page of the sweep, which is clean from now on.
    fn take_page(&mut self) -> Option<(u64, [u64; 8])> {
        let (number, _) = self.pages.range(self.next..).next()?;
        let page = self.pages.remove_entry(&{ *number })?;
        self.next = page.0 + 1;
        self.done += 1;
        Some(page)
    }
}
