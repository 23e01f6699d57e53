//! Events on their way to topics.

use evertick_schema::EntityId;
use evertick_world::{Cell, Delta, Event, World};
use hashbrown::HashMap;

use crate::rules::{Route, Rules, cell_around, entity_at, f32_at};
use crate::topic::{Happened, TopicKey};
use crate::topics::Topics;

/// Events since the last frame, their bytes one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Events {
    pub(crate) bytes: Vec<u8>,
}

impl Events {
    /// Hands each event of `delta` to the topic that is to hear of it, if it has subscribers.
    pub(crate) fn absorb(&mut self, topics: &mut Topics, rules: &Rules, world: &World, delta: &Delta) {
        let mut vanished = Vanished { delta, cells: None };
        for event in &delta.events {
            let Some((wire, route)) = rules.event(event.row) else { continue };
            let key = destination(route, event, world, &mut vanished);
            if let Some(id) = key.and_then(|key| topics.find(key)) {
                let start = self.bytes.len();
                self.bytes.extend_from_slice(&event.bytes);
                topics.happened(id, Happened { wire, start, end: self.bytes.len() });
            }
        }
    }
}

fn destination(route: Route, event: &Event, world: &World, vanished: &mut Vanished<'_>) -> Option<TopicKey> {
    let bytes = &event.bytes;
    match route {
        Route::NearEntity { offset } => {
            let entity = entity_at(bytes, offset);
            world.cell(entity).or_else(|| vanished.cell(entity)).map(TopicKey::Cell)
        }
        Route::NearPoint { offset, across } => {
            let at = [f32_at(bytes, offset), f32_at(bytes, across)];
            let finite = at.iter().all(|at| at.is_finite());
            finite.then(|| TopicKey::Cell(cell_around(0, at, world.config().cell_size)))
        }
        Route::OwnerOf { offset } => world.owner(entity_at(bytes, offset)).map(TopicKey::Owner),
        Route::Owner(key) => Some(key.owner(bytes)),
        Route::Group(key) => Some(key.group(bytes)),
        Route::Everyone => Some(TopicKey::Everyone),
    }
}

/// Where the entities were that left space in this very delta: a death is heard where it happened.
struct Vanished<'delta> {
    delta: &'delta Delta,
    cells: Option<HashMap<EntityId, Cell>>,
}

impl Vanished<'_> {
    fn cell(&mut self, entity: EntityId) -> Option<Cell> {
        let gone = || {
            let moved = self.delta.moved.iter().filter(|entry| entry.to.is_none());
            moved.filter_map(|entry| Some((entry.entity, entry.from?))).collect()
        };
        self.cells.get_or_insert_with(gone).get(&entity).copied()
    }
}
