//! From what a commit changed to marks on topics.
//!
//! A mark never says what a client is to be sent, only what must be looked at again: the frame compares what
//! clients know with what the world then holds. So any number of deltas may be absorbed between two frames,
//! and a row that goes and comes back in between costs nothing but a look.
//!
//! Hot: one pass over the changed rows. No allocation per row but for the growth of the lists of marks.

use evertick_protocol::TopicId;
use evertick_schema::EntityId;
use evertick_world::{CellMove, RowDelta, RowId, World};
use hashbrown::HashMap;

use crate::rules::{Audience, Class, Rule, Rules};
use crate::topic::{ALL_COLUMNS, KnownRow, TopicKey};
use crate::topics::Topics;

/// The topics that rows with an owner or a group are known in, by row. The topic of such a row hangs on a
/// field's value, and once that has changed the old value is gone. Rows in cells need no entry: a delta says
/// from where an entity moved.
pub(crate) type Homes = HashMap<(EntityId, RowId), TopicId>;

/// Marks entities that changed cell, in the cells they left and entered.
pub(crate) fn mark_moves(topics: &mut Topics, rules: &Rules, moved: &[CellMove]) {
    let cells = moved.iter().flat_map(|entry| {
        let cells = [entry.from, entry.to].into_iter().flatten();
        cells.map(|cell| (entry.entity, cell))
    });
    let keys = cells.flat_map(|(entity, cell)| {
        let detail = rules.detail_radius().map(|_| TopicKey::Detail(cell));
        std::iter::once(TopicKey::Cell(cell)).chain(detail).map(move |key| (entity, key))
    });
    // All are found, and fetched meanwhile, before the first is looked at.
    let found = keys.filter_map(|(entity, key)| {
        let id = topics.find(key)?;
        topics.prefetch(id);
        Some((id, entity))
    });
    for (id, entity) in found.collect::<Vec<_>>() {
        topics.touch(id, entity, ALL_COLUMNS);
    }
}

/// Marks the changed rows of one type.
pub(crate) fn mark_rows(topics: &mut Topics, homes: &Homes, rules: &Rules, world: &World, rows: &RowDelta) {
    if let Some(rule) = rules.row(rows.row).filter(|rule| !rule.on_demand) {
        match rule.audience {
            Audience::Near | Audience::Everyone => mark_placed(topics, world, rule, rows),
            _ => mark_keyed(topics, homes, world, rule, rows),
        }
    }
    let followers = rules.following_owner(rows.row);
    if !followers.is_empty() {
        let changed = rows.inserted.iter().chain(rows.updated.iter()).map(|(entity, ..)| entity);
        for entity in changed.chain(rows.removed.iter().copied()) {
            for rule in followers {
                touch_row(topics, homes, world, rule, entity);
            }
        }
    }
}

/// Rows whose topic does not hang on their own fields.
fn mark_placed(topics: &mut Topics, world: &World, rule: &Rule, rows: &RowDelta) {
    let everyone = topics.find(TopicKey::Everyone);
    let find = |topics: &Topics, entity| match rule.audience {
        Audience::Everyone => everyone,
        _ => topics.find(rule.near(world.cell(entity)?)),
    };
    if rule.class() == Class::Cell {
        // Between frames an entity is known in one cell at most; who has changed cell since is marked by the move.
        let Topics { spots, dirty, moving, .. } = topics;
        let (mut spots, rows) = (spots.reader(), rows.updated.iter());
        let rows = rows.map(|(entity, mask, row)| (spots.get(entity).cell(), mask, row));
        match rule.latest {
            Some(number) => moving.mark_all(number, rows),
            None => rows.for_each(|(at, mask, _)| {
                if let Some((id, slot)) = at {
                    dirty.push(KnownRow::new(id, rule.column, slot), mask);
                }
            }),
        }
    } else {
        for (entity, mask, row) in rows.updated.iter() {
            if let Some(id) = find(topics, entity) {
                topics.changed(id, entity, rule, mask, row);
            }
        }
    }
    // A row that went together with its entity's place is marked by the move.
    let inserted = rows.inserted.iter().map(|(entity, ..)| entity);
    for entity in inserted.chain(rows.removed.iter().copied()) {
        if let Some(id) = find(topics, entity) {
            topics.touch(id, entity, rule.column);
        }
    }
}

/// Rows whose topic hangs on a field, or on the entity's owner.
fn mark_keyed(topics: &mut Topics, homes: &Homes, world: &World, rule: &Rule, rows: &RowDelta) {
    for (entity, mask, row) in rows.updated.iter() {
        if rule.is_keyed_by(mask) {
            touch_row(topics, homes, world, rule, entity);
        } else if let Some(home) = homes.get(&(entity, rule.row)) {
            topics.changed(*home, entity, rule, mask, row);
        }
    }
    let inserted = rows.inserted.iter().map(|(entity, ..)| entity);
    for entity in inserted.chain(rows.removed.iter().copied()) {
        touch_row(topics, homes, world, rule, entity);
    }
}

/// Marks a row in the topic where clients know it and in the one where it is now.
fn touch_row(topics: &mut Topics, homes: &Homes, world: &World, rule: &Rule, entity: EntityId) {
    let home = homes.get(&(entity, rule.row)).copied();
    let now = world
        .get(rule.row, entity)
        .and_then(|bytes| rule.topic(world, entity, bytes))
        .and_then(|key| topics.find(key));
    for id in home.into_iter().chain(now.filter(|now| home != Some(*now))) {
        topics.touch(id, entity, rule.column);
    }
}
