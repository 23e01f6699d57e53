//! Who is in a topic that has just found its first subscriber.

use evertick_schema::EntityId;
use evertick_world::{RowId, World};

use crate::rules::{Audience, KeyField, Rules};
use crate::topic::{ALL_COLUMNS, Marks, TopicKey, Touch};

/// Marks every row that may belong to the topic.
///
/// Cost: a cell, its entities; an owner, two look-ups per row type; everyone, all rows that everyone sees. A
/// row type seen by the owner or group that a field names costs a look-up where that field is indexed, and a
/// scan of all its rows where it is not: index such fields.
pub(crate) fn take_census(world: &World, rules: &Rules, key: TopicKey, touched: &mut Marks<Touch>) {
    if let TopicKey::Cell(cell) = key {
        for entity in world.cell_entities(cell) {
            touched.push(Touch { entity, column: ALL_COLUMNS });
        }
        return;
    }
    let mut found = Vec::new();
    for (column, of) in rules.columns(key.class()).iter().enumerate() {
        let rule = rules.of_column(key.class(), column as u16);
        match (rule.audience, key) {
            (Audience::EntityOwner, TopicKey::Owner(identity)) => {
                if let Some(owner) = rules.owner() {
                    world.lookup(owner, 0, &identity.0, &mut found);
                }
            }
            (Audience::Owner(field), TopicKey::Owner(identity)) => {
                rows_where(world, of.row, field, &identity.0, &mut found);
            }
            (Audience::Group(field), TopicKey::Group(group)) => {
                let bytes = group.to_le_bytes();
                let (value, beyond) = bytes.split_at(field.size);
                if beyond.iter().all(|byte| *byte == 0) {
                    rows_where(world, of.row, field, value, &mut found);
                }
            }
            _ => found.extend(world.scan(of.row).map(|(entity, _)| entity)),
        }
        for entity in found.drain(..) {
            touched.push(Touch { entity, column: column as u16 });
        }
    }
}

fn rows_where(world: &World, row: RowId, field: KeyField, value: &[u8], found: &mut Vec<EntityId>) {
    if field.indexed {
        world.lookup(row, field.field, value, found);
    } else {
        let rows = world.scan(row).filter(|(_, bytes)| field.bytes(bytes) == value);
        found.extend(rows.map(|(entity, _)| entity));
    }
}
