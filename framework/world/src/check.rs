//! Compares what is kept of rows with the rows, the slow and obvious way.

use bevy_ecs::storage::Table;
use evertick_schema::check_row;

use crate::error::Inconsistency;
use crate::row::RowType;
use crate::store::RowState;
use crate::world::World;
use crate::write::location;

impl World {
    /// Whether indexes, grid, counts and ids are what the rows say. For tests and tools. Cost: everything
    /// there is, several times over.
    pub fn check(&self) -> Result<(), Inconsistency> {
        for (of, state) in self.row_types().iter().zip(&self.store.rows) {
            self.check_rows_of(of, state)?;
        }
        self.check_locations()?;
        self.check_grid()
    }

    fn check_rows_of(&self, of: &RowType, state: &RowState) -> Result<(), Inconsistency> {
        let name = &of.name;
        let mut count = 0;
        let mut found = Vec::new();
        for (entity, bytes) in self.scan(of.id) {
            count += 1;
            if self.get(of.id, entity) != Some(bytes) {
                return wrong(format!("scanning {name} gives {entity}, which does not have that row"));
            }
            if let Err(error) = check_row(&of.layout, bytes) {
                return wrong(format!("{name} of {entity} is malformed: {error}"));
            }
            if !self.rows_of(entity).any(|row| row == of.id) {
                return wrong(format!("{entity} does not know its {name}"));
            }
            for index in &state.indexes {
                found.clear();
                index.lookup(index.key_of(bytes), &mut found);
                if !found.contains(&entity) || index.is_unique() && found.len() > 1 || !found.is_sorted() {
                    return wrong(format!("index {} of {name} gives {found:?} for {entity}", index.field()));
                }
            }
        }
        if state.count != count {
            return wrong(format!("{name} has {count} rows and counts {}", state.count));
        }
        match state.indexes.iter().find(|index| index.len() != count) {
            Some(index) => wrong(format!(
                "index {} of {name} has {} entries for {count} rows",
                index.field(),
                index.len()
            )),
            None => Ok(()),
        }
    }

    fn check_locations(&self) -> Result<(), Inconsistency> {
        let ids = &self.store.ids;
        let tables = self.ecs.storages().tables.iter();
        let bevy = tables.flat_map(Table::entities).copied();
        let mut own = 0;
        for bevy in bevy.filter(|bevy| ids.name(bevy.index()).is_some()) {
            own += 1;
            let (name, at) = (ids.name(bevy.index()), location(&self.ecs, bevy));
            if (ids.entity(name), ids.locate(name)) != (Some(bevy), Some(at)) {
                return wrong(format!("{name} is at {at:?} and thought to be at {:?}", ids.locate(name)));
            }
        }
        if own != ids.len() {
            return wrong(format!("there are {own} entities, {} are known", ids.len()));
        }
        Ok(())
    }

    fn check_grid(&self) -> Result<(), Inconsistency> {
        let mut placed = 0;
        for (of, _) in
            self.row_types().iter().zip(&self.store.rows).filter(|(_, state)| state.place.is_some())
        {
            for (entity, _) in self.scan(of.id) {
                placed += 1;
                let (place, cell) = (self.place(entity), self.cell(entity));
                match (place, cell) {
                    (Some(place), Some(cell))
                        if self.store.grid.may_hold(cell, place)
                            && self.cell_entities(cell).filter(|other| *other == entity).count() == 1 => {}
                    _ => return wrong(format!("{entity} at {place:?} is in cell {cell:?}")),
                }
            }
        }
        let in_grid = self.store.grid.cells().map(|(_, entities)| entities.len()).sum::<usize>();
        if in_grid != placed {
            return wrong(format!("{in_grid} entities are in the grid, {placed} have a place"));
        }
        Ok(())
    }
}

fn wrong(what: String) -> Result<(), Inconsistency> {
    Err(Inconsistency(what))
}
