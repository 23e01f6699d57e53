//! Reading by place.

use bevy_ecs::entity::EntityIndex;
use evertick_schema::EntityId;

use crate::ids::RowAt;
use crate::place::{Cell, Place};
use crate::reads::Reads;
use crate::row::RowId;

impl<'w> Reads<'w> {
    pub(crate) fn place(self, entity: EntityId) -> Option<Place> {
        let at = self.location(entity)?;
        let row = self.store.tables.spatial(at.table_id)?;
        let state = self.store.rows.get(row.index())?;
        Some(state.place?.of(state.column.get(self.ecs, at)?))
    }

    pub(crate) fn cell(self, entity: EntityId) -> Option<Cell> {
        self.store.grid.cell_of(self.store.ids.entity(entity)?.index())
    }

    pub(crate) fn cell_entities(self, cell: Cell) -> impl ExactSizeIterator<Item = EntityId> + use<'w> {
        self.store.grid.entities(cell).iter().map(move |index| self.store.ids.name(*index))
    }

    /// Appends the entities within `radius` of `place` that have a row of type `with`, by distance, then id.
    pub(crate) fn near(self, place: Place, radius: f32, with: Option<RowId>, out: &mut Vec<EntityId>) {
        let mut found: Vec<(f64, EntityId)> = Vec::new();
        let reach = f64::from(radius) * f64::from(radius);
        if radius.is_nan() || radius < 0.0 {
            return;
        }
        self.store.grid.visit(place, radius, |entities| {
            for entity in entities {
                if let Some(distance) = self.distance(*entity, place, with)
                    && distance <= reach
                {
                    found.push((distance, self.store.ids.name(*entity)));
                }
            }
        });
        found.sort_unstable_by(|(a, x), (b, y)| a.total_cmp(b).then(x.cmp(y)));
        out.extend(found.iter().map(|(_, entity)| *entity));
    }

    /// The square of the distance, if the entity is in the same space and has a row of type `with`.
    fn distance(self, entity: EntityIndex, place: Place, with: Option<RowId>) -> Option<f64> {
        let entity = self.ecs.entities().resolve_from_index(entity);
        let at = RowAt::from(self.ecs.entities().get_spawned(entity).ok()?);
        if with.is_some_and(|row| self.store.tables.rows(at.table_id).binary_search(&row).is_err()) {
            return None;
        }
        let state = self.store.rows.get(self.store.tables.spatial(at.table_id)?.index())?;
        let there = state.place?.of(state.column.get(self.ecs, at)?);
        let [x, y] = [0, 1].map(|axis| f64::from(there.at[axis]) - f64::from(place.at[axis]));
        (there.space == place.space).then_some(x * x + y * y)
    }
}
