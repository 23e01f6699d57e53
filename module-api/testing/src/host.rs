//! The host functions of a reducer, on the world's transaction.

use std::ops::Bound;

use evertick_module::native::Host;
use evertick_module::{Focus, Place};
use evertick_schema::{EntityId, Timestamp};
use evertick_world::{RowId, TimerId, Tx, World, WriteError};

use crate::scans::Scans;

/// Acts on a transaction.
pub(crate) struct TxHost<'a, 'w> {
    tx: &'a mut Tx<'w>,
    rows: &'a [RowId],
    module: u16,
    scans: Scans,
}

impl<'a, 'w> TxHost<'a, 'w> {
    pub(crate) fn new(tx: &'a mut Tx<'w>, rows: &'a [RowId], module: u16) -> Self {
        Self { tx, rows, module, scans: Scans::default() }
    }

    fn row(&self, row: u32) -> RowId {
        self.rows[row as usize]
    }
}

/// What the ABI answers to a write that can't be; what can only be misuse panics, as it traps in WebAssembly.
fn code(error: &WriteError) -> i32 {
    match error {
        WriteError::NoEntity { .. } | WriteError::Absent { .. } => -1,
        WriteError::DuplicateKey { .. } => -2,
        WriteError::Present { .. } => -3,
        WriteError::TwoPlaces { .. } => -4,
        misuse => panic!("{misuse}"),
    }
}

/// Copies `bytes` if they fit. Their length, or -1.
pub(crate) fn give(bytes: Option<&[u8]>, out: &mut [u8]) -> i32 {
    let Some(bytes) = bytes else { return -1 };
    if let Some(room) = out.get_mut(..bytes.len()) {
        room.copy_from_slice(bytes);
    }
    bytes.len() as i32
}

/// Copies an entity's id and row if they fit. Their length, or -1.
pub(crate) fn give_found(found: Option<(EntityId, &[u8])>, out: &mut [u8]) -> i32 {
    let Some((entity, bytes)) = found else { return -1 };
    let len = 8 + bytes.len();
    if let Some(room) = out.get_mut(..len) {
        room[..8].copy_from_slice(&entity.0.to_le_bytes());
        room[8..].copy_from_slice(bytes);
    }
    len as i32
}

/// Copies as many ids as fit. How many there are.
pub(crate) fn give_ids(ids: &[EntityId], out: &mut [EntityId]) -> i32 {
    for (room, id) in out.iter_mut().zip(ids) {
        *room = *id;
    }
    ids.len() as i32
}

/// What a scan by index looks for.
pub(crate) enum Wanted<'k> {
    All,
    Equal(u16, &'k [u8]),
    Range(u16, Bound<&'k [u8]>, Bound<&'k [u8]>),
}

impl<'k> Wanted<'k> {
    pub(crate) fn of(field: Option<u16>, lo: Option<&'k [u8]>, hi: Option<&'k [u8]>) -> Self {
        let bound = |key: Option<&'k [u8]>| key.map_or(Bound::Unbounded, Bound::Included);
        match (field, lo, hi) {
            (None, ..) => Self::All,
            (Some(field), Some(lo), Some(hi)) if lo == hi => Self::Equal(field, lo),
            (Some(field), lo, hi) => Self::Range(field, bound(lo), bound(hi)),
        }
    }
}

fn list(world: &World, row: RowId, wanted: &Wanted<'_>) -> Vec<EntityId> {
    let mut entities = Vec::new();
    match *wanted {
        Wanted::All => entities.extend(world.scan(row).map(|(entity, _)| entity)),
        Wanted::Equal(field, key) => world.lookup(row, field, key, &mut entities),
        Wanted::Range(field, lo, hi) => world.range(row, field, lo, hi, &mut entities),
    }
    entities
}

pub(crate) fn place(space: u32, at: [f32; 2]) -> evertick_world::Place {
    evertick_world::Place { space, at }
}

pub(crate) fn print(level: u32, text: &str) {
    let level = ["error", "warn", "info", "debug", "trace"].get(level as usize).unwrap_or(&"log");
    println!("{level:>5}: {text}");
}

impl Host for TxHost<'_, '_> {
    fn get(&mut self, row: u32, entity: EntityId, out: &mut [u8]) -> i32 {
        give(self.tx.get(self.row(row), entity), out)
    }

    fn put(&mut self, row: u32, entity: EntityId, bytes: &[u8], mode: u32) -> i32 {
        let row = self.row(row);
        let written = match mode {
            0 => self.tx.set(row, entity, bytes),
            1 => self.tx.insert(row, entity, bytes),
            _ => self.tx.update(row, entity, bytes),
        };
        written.map_or_else(|error| code(&error), |()| 0)
    }

    fn insert(&mut self, row: u32, bytes: &[u8]) -> i64 {
        match self.tx.insert_row(self.row(row), bytes) {
            Ok(entity) => entity.0.cast_signed(),
            Err(error) => i64::from(code(&error)),
        }
    }

    fn remove(&mut self, row: u32, entity: EntityId) -> bool {
        self.tx.remove(self.row(row), entity)
    }

    fn spawn(&mut self) -> EntityId {
        self.tx.spawn()
    }

    fn despawn(&mut self, entity: EntityId) -> bool {
        self.tx.despawn(entity)
    }

    fn find(&mut self, row: u32, field: u32, key: &[u8], out: &mut [u8]) -> i32 {
        let row = self.row(row);
        let entity = self.tx.find(row, field as u16, key);
        give_found(entity.and_then(|entity| Some((entity, self.tx.get(row, entity)?))), out)
    }

    fn scan(
        &mut self,
        row: u32,
        field: Option<u16>,
        lo: Option<&[u8]>,
        hi: Option<&[u8]>,
        cursor: &mut [u8; 16],
        out: &mut [u8],
    ) -> i32 {
        let row = self.row(row);
        let world: &World = self.tx;
        let wanted = Wanted::of(field, lo, hi);
        self.scans.page(cursor, out, || list(world, row, &wanted), |entity| world.get(row, entity))
    }

    fn near(&mut self, space: u32, at: [f32; 2], radius: f32, row: Option<u32>, out: &mut [EntityId]) -> i32 {
        let mut ids = Vec::new();
        self.tx.near(place(space, at), radius, row.map(|row| self.row(row)), &mut ids);
        give_ids(&ids, out)
    }

    fn emit(&mut self, row: u32, bytes: &[u8]) {
        if let Err(error) = self.tx.emit(self.row(row), bytes) {
            panic!("{error}");
        }
    }

    fn after(&mut self, at: Timestamp, reducer: u32, args: &[u8]) -> u64 {
        match self.tx.after(at, self.module, reducer, args) {
            Ok(TimerId(timer)) => timer,
            Err(error) => panic!("{error}"),
        }
    }

    fn cancel(&mut self, timer: u64) -> bool {
        self.tx.cancel(TimerId(timer))
    }

    fn detached(&mut self, reducer: u32, args: &[u8]) {
        if let Err(error) = self.tx.detached(self.module, reducer, args) {
            panic!("{error}");
        }
    }

    fn focus(&mut self, focus: Focus) {
        let session = self.tx.caller().session;
        let there = |Place { space, at }: Place| place(space, at.to_array());
        self.tx.focus(
            session,
            match focus {
                Focus::None => evertick_world::Focus::None,
                Focus::Entity { entity, radius } => evertick_world::Focus::Entity { entity, radius },
                Focus::Point { place, radius } => {
                    evertick_world::Focus::Point { place: there(place), radius }
                }
            },
        );
    }

    fn join(&mut self, group: u64, on: bool) {
        let session = self.tx.caller().session;
        if on { self.tx.join(session, group) } else { self.tx.leave(session, group) }
    }

    fn log(&mut self, level: u32, text: &str) {
        print(level, text);
    }

    fn random(&mut self) -> u64 {
        self.tx.random()
    }
}
