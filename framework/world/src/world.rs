//! The world: its face.

use std::ops::Bound;

use evertick_schema::{EntityId, Identity, OWNER, PLAYER, RowDef, Timestamp, owner_row, player_row};

use crate::cause::{Cause, QueuedCall, TimedCall};
use crate::columns::Column;
use crate::config::Config;
use crate::delta::RowDelta;
use crate::index::Index;
use crate::place::{Cell, Place, PlaceField};
use crate::reads::Reads;
use crate::registry::RegisterError;
use crate::row::{RowId, RowType};
use crate::store::{Pending, RowState, Store, stride};
use crate::timers::{DueTimer, TimerId};
use crate::tx::Tx;

/// All state of one game shard. See the crate's documentation.
#[derive(Debug)]
pub struct World {
    pub(crate) ecs: bevy_ecs::world::World,
    pub(crate) store: Store,
    /// An empty world of bevy's, kept for [`World::lend`].
    pub(crate) blank: Option<bevy_ecs::world::World>,
}

/// The numbers of the row types that every world has.
const PLAYER_ROW: RowId = RowId(0);
const OWNER_ROW: RowId = RowId(1);

impl World {
    /// An empty world with the built-in row types.
    pub fn new(config: Config) -> Self {
        let mut world = Self { ecs: bevy_ecs::world::World::new(), store: Store::new(config), blank: None };
        let builtin = [(PLAYER, player_row()), (OWNER, owner_row())].map(|(name, mut def)| {
            def.name = name.trim_start_matches("evertick.").to_owned();
            def
        });
        let rows = world.register("evertick", &builtin).expect("the built-in row types are valid");
        assert_eq!(rows, [PLAYER_ROW, OWNER_ROW]);
        world.store.period = world.ecs.change_tick().get();
        world
    }

    /// The settings it was made with.
    pub fn config(&self) -> &Config {
        &self.store.config
    }

    /// Registers a module's row types and returns their numbers in the same order. A name with a dot is
    /// another module's (or built in): it must be registered already, with the same definition. Definitions
    /// are those of a description that was checked.
    pub fn register(&mut self, module: &str, rows: &[RowDef]) -> Result<Vec<RowId>, RegisterError> {
        let (ids, fresh) = self.store.registry.plan(module, rows)?;
        fresh.iter().try_for_each(check_fields)?;
        for row in fresh {
            let column = Column::register(&mut self.ecs, &row.name, &row.layout);
            let index = |def: &evertick_schema::IndexDef| {
                Index::new(*def, &row.layout.fields[usize::from(def.field)])
            };
            let stride = stride(&row.layout);
            self.store.rows.push(RowState {
                column,
                indexes: row.def.indexes.iter().map(index).collect(),
                place: PlaceField::new(&row.def, &row.layout),
                stride,
                count: 0,
                pending: Pending::new(stride),
                building: RowDelta::new(row.id, stride),
            });
            self.store.registry.add(row);
        }
        Ok(ids)
    }

    /// The row type of that number.
    ///
    /// # Panics
    ///
    /// When there is none: numbers come from [`World::register`].
    pub fn row(&self, row: RowId) -> &RowType {
        self.store.registry.get(row).expect("a row type's number comes from `register`")
    }

    /// All row types, by number.
    pub fn row_types(&self) -> &[RowType] {
        self.store.registry.types()
    }

    /// The row type called `module.Row`.
    pub fn row_named(&self, name: &str) -> Option<RowId> {
        self.store.registry.named(name)
    }

    /// How many entities there are.
    pub fn entity_count(&self) -> usize {
        self.store.ids.len()
    }

    /// How many rows of a type there are.
    pub fn row_count(&self, row: RowId) -> usize {
        self.store.rows.get(row.index()).map_or(0, |state| state.count)
    }

    /// Whether there is such an entity.
    pub fn exists(&self, entity: EntityId) -> bool {
        self.reads().exists(entity)
    }

    /// The entity's row of a type. Cost: four dependent loads, no hashing.
    #[inline]
    pub fn get(&self, row: RowId, entity: EntityId) -> Option<&[u8]> {
        self.reads().get(row, entity)
    }

    /// The types that the entity has rows of, ascending.
    pub fn rows_of(&self, entity: EntityId) -> impl Iterator<Item = RowId> {
        self.reads().rows_of(entity).iter().copied()
    }

    /// The entity whose row has `key` in `field`, by an index of any kind; of several the one with the lowest
    /// id. `None` without such an index.
    ///
    /// A key is the field's bytes as they stand in a row; of a string, the text alone.
    #[inline]
    pub fn find(&self, row: RowId, field: u16, key: &[u8]) -> Option<EntityId> {
        self.reads().find(row, field, key)
    }

    /// Appends to `out` all entities whose rows have `key` in `field`, ascending.
    pub fn lookup(&self, row: RowId, field: u16, key: &[u8], out: &mut Vec<EntityId>) {
        self.reads().lookup(row, field, key, out);
    }

    /// Appends to `out` the entities whose rows have a key within the bounds in `field`, by key, then id.
    /// Needs an ordered index; any other gives only what is equal to two equal, included bounds.
    pub fn range(&self, row: RowId, field: u16, lo: Bound<&[u8]>, hi: Bound<&[u8]>, out: &mut Vec<EntityId>) {
        self.reads().range(row, field, lo, hi, out);
    }

    /// All rows of a type, in an order that follows from the world's history.
    pub fn scan(&self, row: RowId) -> impl Iterator<Item = (EntityId, &[u8])> {
        self.reads().scan(row)
    }

    /// Visits up to `max` rows of a type from `cursor` on, which starts at 0 and is moved behind them. There
    /// are no more when none is visited. Rows that come, go or change tables between two calls may be missed
    /// or visited twice.
    pub fn scan_from(&self, row: RowId, cursor: &mut u64, max: usize, visit: impl FnMut(EntityId, &[u8])) {
        self.reads().scan_from(row, cursor, max, visit);
    }

    /// Appends to `out` the entities within `radius` metres of `place` that have a row of type `with`, by
    /// distance, then id.
    pub fn near(&self, place: Place, radius: f32, with: Option<RowId>, out: &mut Vec<EntityId>) {
        self.reads().near(place, radius, with, out);
    }

    /// Where the entity is, if it has a spatial component.
    pub fn place(&self, entity: EntityId) -> Option<Place> {
        self.reads().place(entity)
    }

    /// The place that a row of a spatial type says.
    #[inline]
    pub fn place_in(&self, row: RowId, bytes: &[u8]) -> Option<Place> {
        Some(self.store.rows.get(row.index())?.place?.of(bytes))
    }

    /// The grid cell that the entity counts to: the one it is in, or one that it has not yet left by the
    /// margin.
    pub fn cell(&self, entity: EntityId) -> Option<Cell> {
        self.reads().cell(entity)
    }

    /// The entities that count to a cell, in no order that means anything.
    pub fn cell_entities(&self, cell: Cell) -> impl ExactSizeIterator<Item = EntityId> {
        self.reads().cell_entities(cell)
    }

    /// Who owns the entity.
    pub fn owner(&self, entity: EntityId) -> Option<Identity> {
        self.get(OWNER_ROW, entity)?.try_into().ok().map(Identity)
    }

    /// The entity that is somebody's player.
    pub fn player(&self, identity: &Identity) -> Option<EntityId> {
        self.find(PLAYER_ROW, 0, &identity.0)
    }

    /// Starts a transaction.
    pub fn begin(&mut self, cause: Cause) -> Tx<'_> {
        Tx::new(self, cause)
    }

    /// Takes the calls that were detached from others, in their order.
    pub fn take_detached(&mut self) -> Vec<QueuedCall> {
        std::mem::take(&mut self.store.detached)
    }

    /// Takes up to `max` timers whose time is `now` or before, by time, then id.
    pub fn due_timers(&mut self, now: Timestamp, max: usize) -> Vec<DueTimer> {
        self.store.timers.due(now, max)
    }

    /// The timers that wait, by time, then id.
    pub fn timers(&self) -> impl Iterator<Item = (TimerId, Timestamp, &TimedCall)> {
        self.store.timers.iter()
    }

    pub(crate) fn reads(&self) -> Reads<'_> {
        Reads { ecs: &self.ecs, store: &self.store }
    }
}

/// Whether what a definition says of fields is so.
fn check_fields(row: &RowType) -> Result<(), RegisterError> {
    let wrong = |what, field| Err(RegisterError::Field { name: row.name.clone(), what, field });
    for index in &row.def.indexes {
        match row.layout.fields.get(usize::from(index.field)) {
            Some(field) if field.ty.is_flat() || field.ty == evertick_schema::Type::String => {}
            _ => return wrong("an index", index.field),
        }
    }
    match row.def.spatial {
        Some(spatial) if PlaceField::new(&row.def, &row.layout).is_none() => wrong("its place", spatial.at),
        _ => Ok(()),
    }
}
