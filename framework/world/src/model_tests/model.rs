//! The obvious world: maps of rows, and rules without any cleverness.

use std::collections::BTreeMap;

use evertick_schema::{EntityId, RowKind, Timestamp};

use super::rows::{BERTH, POSITION};
use crate::error::WriteError;
use crate::key::KeyField;
use crate::place::{Cell, Place};
use crate::row::{RowId, RowType};
use crate::timers::TimerId;
use crate::write::Mode;

pub(super) const CELL: f32 = 16.0;
pub(super) const MARGIN: f32 = 3.0;

#[derive(Clone, Default)]
pub(super) struct Model {
    pub(super) types: Vec<RowType>,
    /// The world's number of the first row type.
    pub(super) first: u16,
    pub(super) entities: BTreeMap<EntityId, BTreeMap<usize, Vec<u8>>>,
    pub(super) cells: BTreeMap<EntityId, Cell>,
    pub(super) timers: BTreeMap<(Timestamp, TimerId), Vec<u8>>,
    pub(super) events: Vec<Vec<u8>>,
}

impl Model {
    pub(super) fn id(&self, row: usize) -> RowId {
        RowId(self.first + row as u16)
    }

    pub(super) fn rows(&self, row: usize) -> BTreeMap<EntityId, Vec<u8>> {
        let rows = self.entities.iter().filter_map(|(entity, rows)| Some((*entity, rows.get(&row)?.clone())));
        rows.collect()
    }

    /// What field `field` of a row compares by: bytes to look up with, and a string that sorts.
    pub(super) fn key(&self, row: usize, field: u16, bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let key = KeyField::new(&self.types[row].layout.fields[usize::from(field)]);
        let raw = key.of(bytes).to_vec();
        let sorts =
            if key.is_number() { key.number(&raw).unwrap().to_be_bytes().to_vec() } else { raw.clone() };
        (raw, sorts)
    }

    /// What is left after a restart: stored rows, the entities that have some, and cells that do not lag.
    pub(super) fn restarted(&self) -> Self {
        let mut model = self.clone();
        for rows in model.entities.values_mut() {
            rows.retain(|row, _| self.types[*row].def.storage.is_stored());
        }
        model.entities.retain(|_, rows| !rows.is_empty());
        let place = |entity| Some((entity, cell_at(self.place(entity)?)));
        model.cells = model.entities.keys().copied().filter_map(place).collect();
        model.events.clear();
        model
    }

    fn duplicate(&self, row: usize, entity: EntityId, bytes: &[u8]) -> bool {
        self.types[row].def.indexes.iter().filter(|index| index.unique).any(|index| {
            let key = |bytes: &[u8]| self.key(row, index.field, bytes).0;
            self.rows(row).iter().any(|(other, theirs)| *other != entity && key(theirs) == key(bytes))
        })
    }

    /// Whether the write is refused, by the error's name.
    pub(super) fn put(
        &mut self,
        row: usize,
        entity: EntityId,
        bytes: &[u8],
        mode: Mode,
    ) -> Result<(), &'static str> {
        let rows = self.entities.get(&entity).ok_or("entity")?;
        match (rows.contains_key(&row), mode) {
            (true, Mode::Insert) => return Err("present"),
            (false, Mode::Update) => return Err("absent"),
            (false, _) if self.types[row].def.kind != RowKind::Component => return Err("kind"),
            (false, _) if [POSITION, BERTH].contains(&row) && self.cells.contains_key(&entity) => {
                return Err("places");
            }
            _ => {}
        }
        if self.duplicate(row, entity, bytes) {
            return Err("duplicate");
        }
        self.write(row, entity, bytes);
        Ok(())
    }

    pub(super) fn put_keyed(
        &mut self,
        row: usize,
        entity: EntityId,
        bytes: &[u8],
    ) -> Result<(), &'static str> {
        if self.duplicate(row, entity, bytes) {
            return Err("duplicate");
        }
        self.entities.entry(entity).or_default();
        self.write(row, entity, bytes);
        Ok(())
    }

    pub(super) fn write(&mut self, row: usize, entity: EntityId, bytes: &[u8]) {
        self.entities.get_mut(&entity).unwrap().insert(row, bytes.to_vec());
        if let Some(place) = self.place_in(row, bytes) {
            let cell = self.cells.get(&entity).copied();
            self.cells.insert(entity, cell.filter(|cell| holds(*cell, place)).unwrap_or(cell_at(place)));
        }
    }

    pub(super) fn remove(&mut self, row: usize, entity: EntityId) -> bool {
        let Some(rows) = self.entities.get_mut(&entity).filter(|rows| rows.contains_key(&row)) else {
            return false;
        };
        if self.types[row].def.kind != RowKind::Component {
            return self.despawn(entity);
        }
        rows.remove(&row);
        if [POSITION, BERTH].contains(&row) {
            self.cells.remove(&entity);
        }
        true
    }

    pub(super) fn despawn(&mut self, entity: EntityId) -> bool {
        self.cells.remove(&entity);
        self.entities.remove(&entity).is_some()
    }

    fn place_in(&self, row: usize, bytes: &[u8]) -> Option<Place> {
        let float = |at: usize| f32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        match row {
            POSITION => Some(Place { space: u32::from(bytes[8]), at: [float(0), float(4)] }),
            BERTH => Some(Place { space: 0, at: [float(4), float(12)] }),
            _ => None,
        }
    }

    pub(super) fn place(&self, entity: EntityId) -> Option<Place> {
        self.entities.get(&entity)?.iter().find_map(|(row, bytes)| self.place_in(*row, bytes))
    }

    pub(super) fn near(&self, place: Place, radius: f32, with: Option<usize>) -> Vec<EntityId> {
        let mut found: Vec<(f64, EntityId)> = Vec::new();
        for (entity, rows) in &self.entities {
            let Some(there) = self.place(*entity).filter(|there| there.space == place.space) else {
                continue;
            };
            let [x, y] = [0, 1].map(|axis| f64::from(there.at[axis]) - f64::from(place.at[axis]));
            let square = x * x + y * y;
            if square <= f64::from(radius).powi(2) && with.is_none_or(|row| rows.contains_key(&row)) {
                found.push((square, *entity));
            }
        }
        found.sort_by(|a, b| a.partial_cmp(b).unwrap());
        found.into_iter().map(|(_, entity)| entity).collect()
    }
}

fn cell_at(place: Place) -> Cell {
    let [x, y] = place.at.map(|at| (at / CELL).floor() as i32);
    Cell { space: place.space, x, y }
}

/// Whether an entity that was in `cell` stays there.
fn holds(cell: Cell, place: Place) -> bool {
    let within = |at: f32, line: i32| {
        let low = line as f32 * CELL;
        at >= low - MARGIN && at < low + CELL + MARGIN
    };
    cell.space == place.space && within(place.at[0], cell.x) && within(place.at[1], cell.y)
}

pub(super) fn name(error: &WriteError) -> &'static str {
    match error {
        WriteError::NoEntity { .. } => "entity",
        WriteError::Present { .. } => "present",
        WriteError::Absent { .. } => "absent",
        WriteError::WrongKind { .. } => "kind",
        WriteError::TwoPlaces { .. } => "places",
        WriteError::DuplicateKey { .. } => "duplicate",
        _ => "other",
    }
}
