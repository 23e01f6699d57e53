//! Compares worlds and deltas with models.

use std::collections::BTreeSet;
use std::ops::Bound;

use evertick_schema::{EntityId, IndexKind};

use super::model::Model;
use super::rows::MARK;
use crate::delta::{CellMove, Delta};
use crate::diff::changed_fields;
use crate::place::Place;
use crate::world::World;

/// Entities, rows, cells and timers.
pub(super) fn rows(world: &World, model: &Model) {
    assert_eq!(world.entity_count(), model.entities.len());
    for (entity, rows) in &model.entities {
        assert!(world.exists(*entity));
        let has: Vec<_> = rows.keys().map(|row| model.id(*row)).collect();
        assert_eq!(world.rows_of(*entity).collect::<Vec<_>>(), has);
        for (row, bytes) in rows {
            assert_eq!(world.get(model.id(*row), *entity), Some(&bytes[..]));
        }
        assert_eq!(world.cell(*entity), model.cells.get(entity).copied(), "the cell of {entity}");
        assert_eq!(world.place(*entity), model.place(*entity));
    }
    for row in 0..model.types.len() {
        let mut scanned: Vec<_> =
            world.scan(model.id(row)).map(|(entity, bytes)| (entity, bytes.to_vec())).collect();
        let (mut cursor, mut paged) = (0, Vec::new());
        loop {
            let before = paged.len();
            world.scan_from(model.id(row), &mut cursor, 3, |entity, bytes| {
                paged.push((entity, bytes.to_vec()));
            });
            if paged.len() == before {
                break;
            }
        }
        assert_eq!(paged, scanned);
        scanned.sort();
        assert_eq!(scanned, model.rows(row).into_iter().collect::<Vec<_>>());
    }
    let timers: Vec<_> = world.timers().map(|(id, at, call)| ((at, id), call.args.clone())).collect();
    assert_eq!(timers, model.timers.clone().into_iter().collect::<Vec<_>>());
}

/// What indexes and grid give.
pub(super) fn lookups(world: &World, model: &Model) {
    let mut found = Vec::new();
    for (row, of) in model.types.iter().enumerate() {
        for index in &of.def.indexes {
            let mut keyed: Vec<_> = model
                .rows(row)
                .into_iter()
                .map(|(entity, bytes)| (model.key(row, index.field, &bytes), entity))
                .map(|((raw, sorts), entity)| (sorts, entity, raw))
                .collect();
            keyed.sort();
            for (sorts, entity, raw) in &keyed {
                let equal: Vec<EntityId> =
                    keyed.iter().filter(|(other, ..)| other == sorts).map(|key| key.1).collect();
                found.clear();
                world.lookup(model.id(row), index.field, raw, &mut found);
                assert_eq!(found, equal);
                assert_eq!(world.find(model.id(row), index.field, raw), equal.first().copied());
                if index.kind == IndexKind::Ordered {
                    found.clear();
                    world.range(
                        model.id(row),
                        index.field,
                        Bound::Included(raw),
                        Bound::Unbounded,
                        &mut found,
                    );
                    let above: Vec<_> =
                        keyed.iter().filter(|(other, ..)| other >= sorts).map(|key| key.1).collect();
                    assert_eq!(found, above, "from {entity}");
                    found.clear();
                    world.range(
                        model.id(row),
                        index.field,
                        Bound::Unbounded,
                        Bound::Excluded(raw),
                        &mut found,
                    );
                    let below: Vec<_> =
                        keyed.iter().filter(|(other, ..)| other < sorts).map(|key| key.1).collect();
                    assert_eq!(found, below, "below {entity}");
                }
            }
        }
    }
    for (space, radius, with) in [(0, 40.0, None), (1, 9.0, None), (0, 1000.0, Some(MARK))] {
        let place = Place { space, at: [-3.0, 11.0] };
        found.clear();
        world.near(place, radius, with.map(|row| model.id(row)), &mut found);
        assert_eq!(found, model.near(place, radius, with));
    }
}

/// A delta against the states before and after it. `exact`: so are the masks.
pub(super) fn delta(delta: &Delta, before: &Model, after: &Model, exact: bool) {
    let set = |entities: &[EntityId]| entities.iter().copied().collect::<BTreeSet<_>>();
    let missing = |from: &Model, of: &Model| {
        from.entities
            .keys()
            .filter(|entity| !of.entities.contains_key(entity))
            .copied()
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(set(&delta.spawned), missing(after, before));
    assert_eq!(set(&delta.despawned), missing(before, after));
    assert!(delta.rows.is_sorted_by_key(|rows| rows.row) && delta.rows.iter().all(|rows| !rows.is_empty()));
    for row in 0..after.types.len() {
        let (old, new) = (before.rows(row), after.rows(row));
        let mut seen = BTreeSet::new();
        if let Some(rows) = delta.rows_of(after.id(row)) {
            for (entity, mask, bytes) in rows.inserted.iter() {
                assert!(seen.insert(entity) && !old.contains_key(&entity));
                assert_eq!(
                    (mask, Some(bytes)),
                    (after.types[row].all_fields(), new.get(&entity).map(|row| &row[..]))
                );
            }
            for (entity, mask, bytes) in rows.updated.iter() {
                assert!(seen.insert(entity) && mask != 0);
                let changed = changed_fields(&after.types[row].layout, &old[&entity], bytes);
                assert_eq!(changed & !mask, 0, "a field is missing in the mask");
                assert!(!exact || changed == mask, "a field is in the mask that did not change");
                assert_eq!(bytes, new[&entity]);
            }
            for entity in &rows.removed {
                assert!(seen.insert(*entity) && old.contains_key(entity) && !new.contains_key(entity));
            }
        }
        let differ = old.keys().chain(new.keys()).filter(|entity| old.get(entity) != new.get(entity));
        assert!(differ.into_iter().all(|entity| seen.contains(entity)), "a change is not in the delta");
    }
    let mut moved: Vec<CellMove> = delta.moved.clone();
    moved.sort_by_key(|entry| entry.entity);
    let all: BTreeSet<_> = before.cells.keys().chain(after.cells.keys()).copied().collect();
    let cells = all.into_iter().map(|entity| CellMove {
        entity,
        from: before.cells.get(&entity).copied(),
        to: after.cells.get(&entity).copied(),
    });
    assert_eq!(moved, cells.filter(|entry| entry.from != entry.to).collect::<Vec<_>>());
    let events: Vec<_> = delta.events.iter().map(|event| event.bytes.to_vec()).collect();
    assert_eq!(events, after.events);
}
