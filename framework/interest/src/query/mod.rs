//! Rows that sessions ask for: queries, and the topics that hold their results.
//!
//! Rows of types that are `on_demand` are in no topic but those of queries. A query's result is cut along the
//! lines by which rows are visible: there is one topic for each query and each [`Scope`], that is, for each topic
//! that the rows would be in if they were sent without being asked for. A session that asks is subscribed to the
//! query's topics of the scopes that it sees, and follows them as its view and its groups change. So a topic's
//! content depends on nothing of one session, and all who ask the same share it, whatever is visible to whom.
//!
//! What a changed row concerns is found from two sides: by the topics that know its entity, and by the queries
//! that it matches now ([`QueryIndex`]). Both only mark; the frame compares with the world, as for all topics.

mod sessions;

use std::sync::Arc;

use evertick_protocol::TopicId;
use evertick_query::{Catalog, Query, QueryIndex, QueryNumber};
use evertick_schema::{EntityId, Identity};
use evertick_world::{Cell, Delta, RowDelta, RowId, World};
use hashbrown::HashMap;

use crate::rules::{Audience, Rule, Rules};
use crate::topic::TopicKey;
use crate::topics::Topics;

pub(crate) use sessions::{SessionQuery, Waiting};

/// To whom a part of a query's result is visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Who sees this cell.
    Cell(Cell),
    /// This identity.
    Owner(Identity),
    /// Who is in this group.
    Group(u64),
    /// Everyone.
    Everyone,
}

impl Scope {
    /// `None` of a topic that has no queries.
    pub(crate) fn of(key: TopicKey) -> Option<Self> {
        match key {
            TopicKey::Cell(cell) => Some(Self::Cell(cell)),
            TopicKey::Owner(identity) => Some(Self::Owner(identity)),
            TopicKey::Group(group) => Some(Self::Group(group)),
            TopicKey::Everyone => Some(Self::Everyone),
            TopicKey::Detail(_) | TopicKey::Query { .. } => None,
        }
    }
}

/// The queries that sessions are subscribed to.
#[derive(Debug)]
pub(crate) struct Queries {
    catalog: Catalog,
    index: QueryIndex,
    cell_size: f32,
    known: HashMap<Arc<Query>, Known>,
    free: Vec<QueryNumber>,
    /// Queries that lost their last user since the last frame.
    unused: Vec<Arc<Query>>,
    /// The topics of queries that clients know a row of an entity in. Never an empty list.
    members: HashMap<EntityId, Vec<TopicId>>,
    matching: Vec<QueryNumber>,
}

#[derive(Debug)]
struct Known {
    number: QueryNumber,
    /// Subscriptions of sessions.
    users: u32,
}

impl Queries {
    /// No queries; they may name `wire_rows`.
    pub(crate) fn new(world: &World, wire_rows: &[RowId]) -> Self {
        let cell_size = world.config().cell_size;
        Self {
            catalog: Catalog::new(world, wire_rows),
            index: QueryIndex::new(cell_size),
            cell_size,
            known: HashMap::new(),
            free: Vec::new(),
            unused: Vec::new(),
            members: HashMap::new(),
            matching: Vec::new(),
        }
    }

    /// How many different queries there are.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// One more user of a query.
    fn acquire(&mut self, query: Query) -> QueryNumber {
        if let Some(known) = self.known.get_mut(&query) {
            known.users += 1;
            return known.number;
        }
        // Numbers that are not free are those in use, so there are as many as queries.
        let number = self.free.pop().unwrap_or(self.known.len() as QueryNumber);
        let query = Arc::new(query);
        self.index.insert(number, query.clone());
        self.known.insert(query, Known { number, users: 1 });
        number
    }

    /// One user less. Without any the query ends with the next frame, as its topics do.
    fn release(&mut self, number: QueryNumber) {
        let query = self.index.get(number).expect("a query in use is known").clone();
        let known = self.known.get_mut(&query).expect("a query in the index is known");
        known.users -= 1;
        if known.users == 0 {
            self.unused.push(query);
        }
    }

    /// Forgets queries that nobody uses. Their topics must have ended.
    pub(crate) fn end_frame(&mut self) {
        for query in std::mem::take(&mut self.unused) {
            // It may have found a user again, or stand in the list twice.
            if self.known.get(&query).is_some_and(|known| known.users == 0)
                && let Some(known) = self.known.remove(&query)
            {
                self.index.remove(known.number);
                self.free.push(known.number);
            }
        }
    }

    /// A query in use.
    pub(crate) fn get(&self, number: QueryNumber) -> &Arc<Query> {
        self.index.get(number).expect("a query's topics end before the query")
    }

    /// Whether the row that the query asks for is there, matches, and is visible to the scope, it and all that is
    /// joined with it.
    pub(crate) fn holds(
        &self,
        world: &World,
        rules: &Rules,
        number: QueryNumber,
        scope: Scope,
        entity: EntityId,
    ) -> bool {
        let query = self.get(number);
        let sees = |row: RowId| matches!(visible(world, rules, row, entity), Some(seen) if seen == scope);
        let joined = |row: &RowId| visible(world, rules, *row, entity) == Some(Scope::Everyone) || sees(*row);
        sees(query.row()) && query.joins().iter().all(joined) && query.matches(world, entity)
    }

    /// Clients are to know the entity's row in a query's topic.
    pub(crate) fn admit(&mut self, id: TopicId, entity: EntityId) {
        let topics = self.members.entry(entity).or_default();
        if !topics.contains(&id) {
            topics.push(id);
        }
    }

    /// Clients no longer know it there.
    pub(crate) fn forget(&mut self, id: TopicId, entity: EntityId) {
        if let Some(topics) = self.members.get_mut(&entity) {
            topics.retain(|known| *known != id);
            if topics.is_empty() {
                self.members.remove(&entity);
            }
        }
    }

    /// Marks what a commit changed of the results of queries. Costs next to nothing while there are none.
    pub(crate) fn absorb(&mut self, topics: &mut Topics, rules: &Rules, world: &World, delta: &Delta) {
        if self.index.is_empty() {
            return;
        }
        for rows in &delta.rows {
            self.absorb_rows(topics, rules, world, rows);
        }
        for moved in &delta.moved {
            self.rescoped(topics, rules, world, moved.entity, Audience::Near);
        }
    }

    fn absorb_rows(&mut self, topics: &mut Topics, rules: &Rules, world: &World, rows: &RowDelta) {
        let come_and_gone = || {
            let inserted = rows.inserted.iter().map(|(entity, ..)| entity);
            inserted.chain(rows.removed.iter().copied())
        };
        if self.index.concerns(rows.row) {
            for (entity, mask, _) in rows.updated.iter() {
                self.changed(topics, rules, world, rows.row, entity, Some(mask));
            }
            for entity in come_and_gone() {
                self.changed(topics, rules, world, rows.row, entity, None);
            }
        }
        if rules.owner() == Some(rows.row) {
            for entity in come_and_gone().chain(rows.updated.iter().map(|(entity, ..)| entity)) {
                self.rescoped(topics, rules, world, entity, Audience::EntityOwner);
            }
        }
    }

    /// Others may see the entity's rows of this audience than before.
    fn rescoped(
        &mut self,
        topics: &mut Topics,
        rules: &Rules,
        world: &World,
        entity: EntityId,
        audience: Audience,
    ) {
        for row in world.rows_of(entity) {
            if self.index.concerns(row) && rules.row(row).is_some_and(|rule| rule.audience == audience) {
                self.changed(topics, rules, world, row, entity, None);
            }
        }
    }

    /// A row has changed, with the fields that have if it is still the same row.
    fn changed(
        &mut self,
        topics: &mut Topics,
        rules: &Rules,
        world: &World,
        row: RowId,
        entity: EntityId,
        mask: Option<u64>,
    ) {
        let members = self.members.get(&entity).map_or(&[][..], Vec::as_slice);
        for id in members {
            let TopicKey::Query { query, scope } = topics.get_mut(*id).key else { continue };
            let asked = self.get(query);
            if !asked.concerns(row) {
                continue;
            }
            let rule = rule(rules, asked);
            match mask.filter(|_| self.holds(world, rules, query, scope, entity)) {
                Some(mask) if asked.row() == row => {
                    let bytes = world.get(row, entity).expect("a row that matches is there");
                    topics.changed(*id, entity, rule, mask, bytes);
                }
                Some(_) => {}
                None => topics.touch(*id, entity, rule.column),
            }
        }
        let mut matching = std::mem::take(&mut self.matching);
        self.index.matching(world, row, entity, &mut matching);
        for query in matching.drain(..) {
            let asked = self.get(query);
            let scope = visible(world, rules, asked.row(), entity);
            if let Some(id) = scope.and_then(|scope| topics.find(TopicKey::Query { query, scope }))
                && !members.contains(&id)
            {
                topics.touch(id, entity, rule(rules, asked).column);
            }
        }
        self.matching = matching;
    }
}

/// The rule of a query's rows.
pub(crate) fn rule<'r>(rules: &'r Rules, query: &Query) -> &'r Rule {
    rules.row(query.row()).expect("only visible rows can be asked for")
}

/// To whom a row is visible now, if it is there and visible to anybody.
fn visible(world: &World, rules: &Rules, row: RowId, entity: EntityId) -> Option<Scope> {
    Scope::of(rules.row(row)?.topic(world, entity, world.get(row, entity)?)?)
}
