//! One session: what it is subscribed to, what it looks at, and what of its own the next frame brings it.

use evertick_protocol::{CallReply, QueryReply, TopicId};
use evertick_schema::{EntityId, Identity};
use evertick_world::{Cell, Place, World};

use crate::config::{InterestConfig, RADIUS_CELLS_MAX};
use crate::focus::{View, select};
use crate::query::SessionQuery;
use crate::rules::Rules;
use crate::topic::TopicKey;
use crate::topics::Topics;

/// Where a session looks, its radius already within the bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Looks {
    /// Nowhere.
    #[default]
    Nowhere,
    /// Wherever that entity goes.
    At { entity: EntityId, radius: f32 },
    /// At a point.
    Still { place: Place, radius: f32 },
}

/// A connected client.
#[derive(Debug, Default)]
pub(crate) struct Session {
    pub(crate) identity: Identity,
    /// Everyone, and its own identity's.
    pub(crate) fixed: Vec<TopicId>,
    pub(crate) groups: Vec<(u64, TopicId)>,
    pub(crate) looks: Looks,
    pub(crate) view: View,
    /// Topics that the client has and is no longer to have.
    pub(crate) left: Vec<TopicId>,
    /// Topics that the client is to have and has not yet.
    pub(crate) entered: Vec<TopicId>,
    pub(crate) results: Vec<CallReply>,
    pub(crate) queries: Vec<SessionQuery>,
    /// What to say of queries that are refused or explained.
    pub(crate) answers: Vec<QueryReply>,
    /// Whether the session is in the list of those that the next frame has something of their own for.
    pub(crate) queued: bool,
}

impl Session {
    pub(crate) fn enter(&mut self, key: TopicKey, topics: &mut Topics, rules: &Rules) -> TopicId {
        let id = topics.subscribe(key, rules);
        if !take(&mut self.left, id) {
            self.entered.push(id);
            topics.queue(id).newcomers += 1;
        }
        id
    }

    pub(crate) fn leave(&mut self, id: TopicId, topics: &mut Topics) {
        topics.unsubscribe(id);
        if take(&mut self.entered, id) {
            topics.get_mut(id).newcomers -= 1;
        } else {
            self.left.push(id);
        }
    }

    /// Leaves everything, for good.
    pub(crate) fn leave_all(&mut self, topics: &mut Topics) {
        let cells = self.view.cells.drain(..).filter_map(|cell| topics.find(TopicKey::Cell(cell)));
        let groups = self.groups.drain(..).map(|(_, id)| id);
        let all: Vec<_> = self.fixed.drain(..).chain(groups).chain(cells).collect();
        for id in all {
            self.leave(id, topics);
        }
    }

    /// Selects cells anew, if the focus has moved so far that it matters. A focused entity that is nowhere
    /// leaves the view as it is. Returns whether anything was selected anew.
    pub(crate) fn look(
        &mut self,
        world: &World,
        topics: &mut Topics,
        rules: &Rules,
        scratch: &mut Vec<Cell>,
    ) -> bool {
        let cell_size = world.config().cell_size;
        let (place, radius, home) = match self.looks {
            Looks::Nowhere => return false,
            Looks::Still { place, radius } => (place, radius, None),
            Looks::At { entity, radius } => match world.place(entity) {
                Some(place) => (place, radius, world.cell(entity)),
                None => return false,
            },
        };
        let stale = self.view.is_stale(place, home, cell_size);
        if stale {
            select(place, radius, cell_size, home, &self.view.cells, scratch);
            self.view.from = Some((place, home));
            self.see(scratch, topics, rules);
        }
        stale
    }

    /// Looks nowhere: leaves all cells.
    pub(crate) fn close_eyes(&mut self, topics: &mut Topics, rules: &Rules) {
        self.view.from = None;
        self.see(&mut Vec::new(), topics, rules);
    }

    /// Enters and leaves cells so that the view is `cells`, which gets the old view.
    fn see(&mut self, cells: &mut Vec<Cell>, topics: &mut Topics, rules: &Rules) {
        std::mem::swap(&mut self.view.cells, cells);
        for cell in cells.iter() {
            if self.view.cells.binary_search(cell).is_err()
                && let Some(id) = topics.find(TopicKey::Cell(*cell))
            {
                self.leave(id, topics);
            }
        }
        for index in 0..self.view.cells.len() {
            let cell = self.view.cells[index];
            if cells.binary_search(&cell).is_err() {
                self.enter(TopicKey::Cell(cell), topics, rules);
            }
        }
        self.follow(topics, rules);
    }
}

/// The radius that a session gets when it asks for `radius`.
pub(crate) fn bounded_radius(radius: f32, config: &InterestConfig, cell_size: f32) -> f32 {
    radius.max(0.0).min(config.radius_max).min(RADIUS_CELLS_MAX * cell_size)
}

fn take(list: &mut Vec<TopicId>, id: TopicId) -> bool {
    let at = list.iter().position(|listed| *listed == id);
    at.map(|at| list.swap_remove(at)).is_some()
}
