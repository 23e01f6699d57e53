//! From marks to what has become of a topic: who entered and left, which rows came, went or changed.

use evertick_protocol::TopicId;
use evertick_query::RESULT_ROWS_MAX;
use evertick_schema::{Duration, EntityId, Timestamp};
use evertick_world::World;

use crate::absorb::Homes;
use crate::query::Queries;
use crate::rules::{Class, Rule, Rules};
use crate::spots::Spots;
use crate::topic::{ALL_COLUMNS, Dirty, KnownRow, Topic, TopicKey, Touch};

/// What a frame changed in a topic's roster; reused from topic to topic.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Slots whose entities left.
    pub(crate) left: Vec<u32>,
    /// Slots whose entities entered.
    pub(crate) entered: Vec<u32>,
    /// Rows that went from entities that stay, by column and slot.
    pub(crate) removed: Vec<(u16, u32)>,
    /// Rows to be sent whole.
    pub(crate) whole: Vec<Dirty>,
    /// Columns of one entity.
    columns: Vec<u16>,
}

/// Compares what clients know with what the world holds, for marked entities.
pub(crate) struct Reconcile<'frame> {
    pub(crate) world: &'frame World,
    pub(crate) rules: &'frame Rules,
    pub(crate) homes: &'frame mut Homes,
    pub(crate) queries: &'frame mut Queries,
    pub(crate) now: Timestamp,
    pub(crate) rest: Duration,
    pub(crate) changes: &'frame mut Changes,
    /// Rows left out because their entities found no slot.
    pub(crate) slotless: u64,
}

/// A topic, and where entities are known.
type At<'a> = (TopicId, &'a mut Topic, &'a mut Spots);

impl Changes {
    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.left.clear();
        self.entered.clear();
        self.removed.clear();
        self.whole.clear();
    }
}

impl Reconcile<'_> {
    /// Brings the roster of `topic` up to date with the world. What has become of it is in `changes`, each list sorted.
    pub(crate) fn topic(&mut self, id: TopicId, topic: &mut Topic, spots: &mut Spots) {
        self.changes.clear();
        let mut touched = std::mem::take(&mut topic.touched);
        for touches in touched.merge().chunk_by(|a, b| a.entity == b.entity) {
            self.entity((id, topic, spots), touches);
        }
        touched.clear();
        topic.touched = touched;
        self.changes.left.sort_unstable();
        self.changes.entered.sort_unstable();
        self.changes.removed.sort_unstable();
        self.changes.whole.sort_unstable();
    }

    /// One entity's touches, sorted.
    fn entity(&mut self, (id, topic, spots): At<'_>, touches: &[Touch]) {
        let entity = touches[0].entity;
        let removed_before = self.changes.removed.len();
        if touches.last().is_some_and(|touch| touch.column == ALL_COLUMNS) {
            self.all_rows((id, topic, spots), entity);
        } else {
            for touch in touches {
                let rule = self.rules.of_column(topic.key.class(), touch.column);
                self.row((id, topic, spots), entity, rule);
            }
        }
        if let Some(slot) = spots.slot(id, entity)
            && !topic.roster.knows_any(slot)
        {
            topic.roster.leave(slot, self.now);
            spots.leave(id, entity);
            self.changes.left.push(slot);
            self.changes.removed.truncate(removed_before);
        }
    }

    /// An entity that may have changed cell: all its rows, and all that clients know of it.
    fn all_rows(&mut self, (id, topic, spots): At<'_>, entity: EntityId) {
        let mut columns = std::mem::take(&mut self.changes.columns);
        columns.extend(spots.slot(id, entity).into_iter().flat_map(|slot| topic.roster.columns(slot)));
        let class = topic.key.class();
        if self.world.cell(entity).is_some_and(|cell| topic.key.cell() == Some(cell)) {
            let present = self.world.rows_of(entity).filter_map(|row| self.rules.row(row));
            columns.extend(present.filter(|rule| rule.class() == class).map(|rule| rule.column));
            columns.sort_unstable();
            columns.dedup();
        }
        for column in columns.drain(..) {
            self.row((id, topic, spots), entity, self.rules.of_column(class, column));
        }
        self.changes.columns = columns;
    }

    fn row(&mut self, (id, topic, spots): At<'_>, entity: EntityId, rule: &Rule) {
        let here = match topic.key {
            TopicKey::Query { query, scope } => {
                self.queries.holds(self.world, self.rules, query, scope, entity)
            }
            key => {
                let bytes = self.world.get(rule.row, entity);
                bytes.is_some_and(|bytes| rule.topic(self.world, entity, bytes) == Some(key))
            }
        };
        if here {
            self.admit((id, topic, spots), entity, rule);
        } else {
            self.forget((id, topic, spots), entity, rule);
        }
    }

    /// The row is in the topic: clients are to get all of it.
    fn admit(&mut self, (id, topic, spots): At<'_>, entity: EntityId, rule: &Rule) {
        let slot = spots.slot(id, entity).or_else(|| {
            if rule.class() == Class::Query && topic.roster.len() >= RESULT_ROWS_MAX {
                return None;
            }
            let slot = topic.roster.enter(entity, self.now, self.rest)?;
            spots.enter(id, entity, slot, rule.class() == Class::Cell);
            self.changes.entered.push(slot);
            Some(slot)
        });
        let Some(slot) = slot else {
            self.slotless += 1;
            return;
        };
        topic.roster.set_known(slot, rule.column, true);
        self.changes.whole.push(Dirty { row: KnownRow::new(id, rule.column, slot), mask: u64::MAX });
        match rule.class() {
            Class::Query => self.queries.admit(id, entity),
            class if class.has_homes() => {
                self.homes.insert((entity, rule.row), id);
            }
            _ => {}
        }
    }

    /// The row is not in the topic, or no more.
    fn forget(&mut self, (id, topic, spots): At<'_>, entity: EntityId, rule: &Rule) {
        let Some(slot) = spots.slot(id, entity) else { return };
        if !topic.roster.knows(slot, rule.column) {
            return;
        }
        topic.roster.set_known(slot, rule.column, false);
        self.changes.removed.push((rule.column, slot));
        match rule.class() {
            Class::Query => self.queries.forget(id, entity),
            class if class.has_homes() => forget_home(self.homes, entity, rule, id),
            _ => {}
        }
    }
}

/// Forgets that a row is known in topic `id`, unless another topic has it by now.
fn forget_home(homes: &mut Homes, entity: EntityId, rule: &Rule, id: TopicId) {
    if homes.get(&(entity, rule.row)) == Some(&id) {
        homes.remove(&(entity, rule.row));
    }
}

/// Forgets the homes of all rows known in a topic that ends.
pub(crate) fn forget_homes(
    homes: &mut Homes,
    queries: &mut Queries,
    rules: &Rules,
    id: TopicId,
    topic: &Topic,
) {
    let class = topic.key.class();
    if class == Class::Query {
        topic.roster.members().for_each(|(_, entity)| queries.forget(id, entity));
    }
    if class.has_homes() {
        for (slot, entity) in topic.roster.members() {
            for column in topic.roster.columns(slot) {
                forget_home(homes, entity, rules.of_column(class, column), id);
            }
        }
    }
}
