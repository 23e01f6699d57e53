//! The world in an image: counters, tables with their rows, cells, timers.

use std::io::{self, Read, Write};

use evertick_schema::{EntityId, RowKind, Timestamp, check_row};

use super::ImageError;
use super::codec::{In, Out};
use crate::cause::TimedCall;
use crate::columns;
use crate::config::Config;
use crate::grid::Grid;
use crate::ids::Ids;
use crate::place::Cell;
use crate::random::{RandomState, Stream};
use crate::restore::RestoreError;
use crate::row::{RowId, RowType};
use crate::snapshot::Counters;
use crate::store::Store;
use crate::timers::{DueTimer, TimerId, TimerOp};
use crate::world::World;

impl World {
    /// Whether all that happened is committed.
    pub(crate) fn is_committed(&self) -> bool {
        let Store { timers, sessions, detached, .. } = &self.store;
        self.is_settled() && timers.mark() == 0 && sessions.is_empty() && detached.is_empty()
    }

    /// Whether nothing has ever been in it.
    pub(crate) fn is_new(&self) -> bool {
        self.is_committed()
            && self.store.seq == 0
            && self.store.timers.len() == 0
            && self.entity_count() == 0
            && self.store.tables.all().all(|(_, rows)| rows.is_empty())
    }

    /// Takes other settings, as long as it is new.
    pub(crate) fn reset(&mut self, config: Config) {
        let store = &mut self.store;
        store.ids = Ids::new(config.region);
        store.grid = Grid::new(config.cell_size, config.cell_margin);
        store.config = config;
    }

    pub(crate) fn write_image<W: Write>(&self, out: &mut Out<'_, W>) -> io::Result<()> {
        let Counters { entities, timers, seq, random } = self.counters();
        for number in [entities, timers, seq] {
            out.u64(number)?;
        }
        out.put(&random.0)?;
        self.write_tables(out)?;
        self.write_cells(out)?;
        out.u64(self.store.timers.len() as u64)?;
        for (id, at, call) in self.timers() {
            out.u64(id.0)?;
            out.u64(at.0 as u64)?;
            out.u64(u64::from(call.module))?;
            out.u64(u64::from(call.reducer))?;
            out.blob(&call.args)?;
        }
        Ok(())
    }

    pub(crate) fn read_image<R: Read>(&mut self, input: &mut In<'_, R>) -> Result<(), ImageError> {
        let [entities, timers, seq] = [input.u64()?, input.u64()?, input.u64()?];
        let random = RandomState(input.array()?);
        self.store.ids.expect(entities);
        self.read_tables(input, entities)?;
        self.build()?;
        self.read_cells(input)?;
        for _ in 0..input.u64()? {
            let (id, at) = (TimerId(input.u64()?), Timestamp(input.u64()? as i64));
            let (module, reducer) = (input.u64()? as u16, input.u64()? as u32);
            let call = TimedCall { module, reducer, args: input.blob()?.to_vec() };
            if id.0 >= timers {
                return Err(ImageError::Damaged("a timer's number is of the future"));
            }
            self.store.timers.apply(&TimerOp::Set(DueTimer { id, at, call }));
        }
        self.store.timers.expect(timers);
        (self.store.seq, self.store.random) = (seq, Stream::at(random));
        self.close_period();
        Ok(())
    }

    /// Entities without rows, then table by table row types and entities with their rows.
    fn write_tables<W: Write>(&self, out: &mut Out<'_, W>) -> io::Result<()> {
        out.u64(self.bare().count() as u64)?;
        for entity in self.bare() {
            out.u64(entity.0)?;
        }
        let tables = || self.store.tables.all().filter(|(_, rows)| !rows.is_empty());
        out.u64(tables().count() as u64)?;
        for (table, rows) in tables() {
            out.u64(rows.len() as u64)?;
            for row in rows {
                out.u64(u64::from(row.0))?;
            }
            let reads = self.reads();
            let columns: Vec<_> = rows.iter().map(|row| (*row, reads.column(table, *row))).collect();
            out.u64(reads.entities(table).len() as u64)?;
            for (at, entity) in reads.entities(table).enumerate() {
                out.u64(entity.0)?;
                for (row, column) in &columns {
                    let bytes = column.map(|column| column.get(at)).unwrap_or_default();
                    if self.row(*row).layout.flat { out.put(bytes)? } else { out.blob(bytes)? }
                }
            }
        }
        Ok(())
    }

    fn read_tables<R: Read>(&mut self, input: &mut In<'_, R>, next: u64) -> Result<(), ImageError> {
        for _ in 0..input.u64()? {
            let entity = self.read_entity(input, next)?;
            self.bring(entity);
        }
        for _ in 0..input.u64()? {
            let rows = self.read_row_types(input)?;
            self.make_table(&rows);
            let mut bytes: Vec<Vec<u8>> = vec![Vec::new(); rows.len()];
            for _ in 0..input.u64()? {
                let entity = self.read_entity(input, next)?;
                for (row, bytes) in rows.iter().zip(&mut bytes) {
                    bytes.clear();
                    bytes.extend_from_slice(read_row(input, self.row(*row), entity)?);
                }
                let with: Vec<(RowId, &[u8])> =
                    rows.iter().copied().zip(bytes.iter().map(Vec::as_slice)).collect();
                self.bring_with(entity, &with);
            }
        }
        Ok(())
    }

    fn read_entity<R: Read>(&self, input: &mut In<'_, R>, next: u64) -> Result<EntityId, ImageError> {
        let entity = EntityId(input.u64()?);
        if entity.region() == self.store.config.region && entity.sequence() >= next {
            return Err(ImageError::Damaged("an entity's id is of the future"));
        }
        if !entity.is_some() || self.exists(entity) {
            return Err(ImageError::Damaged("an entity is there twice"));
        }
        Ok(entity)
    }

    /// The row types of a table, none of which was there before.
    fn read_row_types<R: Read>(&self, input: &mut In<'_, R>) -> Result<Vec<RowId>, ImageError> {
        let mut rows = Vec::new();
        for _ in 0..input.u64()? {
            let row = RowId(input.u64()? as u16);
            let is_stored = self.store.row(row).is_some_and(|(of, _)| of.def.kind != RowKind::Event);
            if !is_stored || rows.last().is_some_and(|last| *last >= row) {
                return Err(ImageError::Damaged("a table's row types are not such"));
            }
            rows.push(row);
        }
        if rows.is_empty() || self.store.tables.all().any(|(_, known)| known == rows) {
            return Err(ImageError::Damaged("a table is there twice"));
        }
        Ok(rows)
    }

    /// Makes an empty table: the order in which they are made is the order in which they are read.
    fn make_table(&mut self, row_types: &[RowId]) {
        let Store { rows, registry, tables, scratch, .. } = &mut self.store;
        let zeros: Vec<Vec<u8>> =
            row_types.iter().map(|row| vec![0; registry.types()[row.index()].layout.size as usize]).collect();
        let with: Vec<(RowId, &[u8])> =
            row_types.iter().copied().zip(zeros.iter().map(Vec::as_slice)).collect();
        let (bevy, _) = columns::spawn(&mut self.ecs, rows, &with, scratch);
        tables.learn(&self.ecs, rows);
        self.ecs.despawn(bevy);
    }

    fn write_cells<W: Write>(&self, out: &mut Out<'_, W>) -> io::Result<()> {
        let (grid, ids) = (&self.store.grid, &self.store.ids);
        out.u64(grid.cells().count() as u64)?;
        for (cell, entities) in grid.cells() {
            out.put(&cell.space.to_le_bytes())?;
            out.put(&cell.x.to_le_bytes())?;
            out.put(&cell.y.to_le_bytes())?;
            out.u64(entities.len() as u64)?;
            for bevy in entities {
                out.u64(ids.name(*bevy).0)?;
            }
        }
        Ok(())
    }

    fn read_cells<R: Read>(&mut self, input: &mut In<'_, R>) -> Result<(), ImageError> {
        let mut placed = 0;
        for _ in 0..input.u64()? {
            let space = u32::from_le_bytes(input.array()?);
            let [x, y] = [input.array()?, input.array()?].map(i32::from_le_bytes);
            let cell = Cell { space, x, y };
            for _ in 0..input.u64()? {
                let entity = EntityId(input.u64()?);
                let place = self.place(entity).filter(|place| self.store.grid.may_hold(cell, *place));
                let Some((_, bevy)) = place.zip(self.store.ids.entity(entity)) else {
                    return Err(ImageError::Damaged("an entity is in a cell that it can't be in"));
                };
                if self.cell(entity).is_some() {
                    return Err(ImageError::Damaged("an entity is in two cells"));
                }
                self.store.grid.put(bevy.index(), cell);
                placed += 1;
            }
        }
        let places = self.store.rows.iter().filter(|state| state.place.is_some());
        if places.map(|state| state.count).sum::<usize>() != placed {
            return Err(ImageError::Damaged("an entity that has a place is in no cell"));
        }
        Ok(())
    }
}

fn read_row<'i, R: Read>(
    input: &'i mut In<'_, R>,
    of: &RowType,
    entity: EntityId,
) -> Result<&'i [u8], ImageError> {
    let bytes = if of.layout.flat { input.bytes(of.layout.size as usize)? } else { input.blob()? };
    check_row(&of.layout, bytes).map_err(|error| RestoreError::BadRow {
        row: of.name.clone(),
        entity,
        error,
    })?;
    Ok(bytes)
}
