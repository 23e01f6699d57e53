//! Who is in a topic that has just found its first subscriber.

use evertick_query::Query;
use evertick_schema::EntityId;
use evertick_world::{RowId, World};

use crate::query::{Queries, Scope};
use crate::rules::{Audience, KeyField, Rule, Rules};
use crate::topic::{ALL_COLUMNS, Marks, TopicKey, Touch};

/// Marks every row that may belong to the topic.
///
/// Cost: a cell, its entities; an owner, two look-ups per row type; everyone, all rows that everyone sees. A
/// row type seen by the owner or group that a field names costs a look-up where that field is indexed, and a
/// scan of all its rows where it is not: index such fields.
pub(crate) fn take_census(
    world: &World,
    rules: &Rules,
    queries: &Queries,
    key: TopicKey,
    touched: &mut Marks<Touch>,
) {
    if let TopicKey::Query { query, scope } = key {
        return query_census(world, rules, queries.get(query), scope, touched);
    }
    if let Some(cell) = key.cell() {
        for entity in world.cell_entities(cell) {
            touched.push(Touch { entity, column: ALL_COLUMNS });
        }
        return;
    }
    let Some(scope) = Scope::of(key) else { return };
    let mut found = Vec::new();
    for column in 0..rules.columns(key.class()).len() as u16 {
        rows_seen(world, rules, rules.of_column(key.class(), column), scope, &mut found);
        for entity in found.drain(..) {
            touched.push(Touch { entity, column });
        }
    }
}

/// Marks the rows of the query's type that the scope may see; whether they match is found out behind this.
fn query_census(world: &World, rules: &Rules, query: &Query, scope: Scope, touched: &mut Marks<Touch>) {
    let rule = rules.row(query.row()).expect("only visible rows can be asked for");
    let mut found = Vec::new();
    match scope {
        Scope::Cell(cell) => found.extend(world.cell_entities(cell)),
        scope => rows_seen(world, rules, rule, scope, &mut found),
    }
    for entity in found {
        touched.push(Touch { entity, column: rule.column });
    }
}

/// Appends the entities whose rows of one type an owner, a group or everyone may see.
fn rows_seen(world: &World, rules: &Rules, rule: &Rule, scope: Scope, found: &mut Vec<EntityId>) {
    match (rule.audience, scope) {
        (Audience::EntityOwner, Scope::Owner(identity)) => {
            if let Some(owner) = rules.owner() {
                world.lookup(owner, 0, &identity.0, found);
            }
        }
        (Audience::Owner(field), Scope::Owner(identity)) => {
            rows_where(world, rule.row, field, &identity.0, found);
        }
        (Audience::Group(field), Scope::Group(group)) => {
            let bytes = group.to_le_bytes();
            let (value, beyond) = bytes.split_at(field.size);
            if beyond.iter().all(|byte| *byte == 0) {
                rows_where(world, rule.row, field, value, found);
            }
        }
        _ => found.extend(world.scan(rule.row).map(|(entity, _)| entity)),
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
