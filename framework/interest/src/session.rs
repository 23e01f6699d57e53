//! One session: what it is subscribed to, what it looks at, and what of its own the next frame brings it.

use std::cmp::Ordering;

use evertick_protocol::{CallReply, QueryReply, ResyncTopics, TopicId, Viewpoint};
use evertick_schema::{EntityId, Identity};
use evertick_world::{Cell, Place, World};

use crate::config::{InterestConfig, RADIUS_CELLS_MAX};
use crate::focus::{Ring, View, select};
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
    /// Topics whose content the client is to have anew. What is in `left` too it no longer sees.
    pub(crate) again: Vec<TopicId>,
    /// Where it looks, if the client's gateway is to be told.
    pub(crate) viewpoint: Option<Viewpoint>,
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
        } else if self.again.contains(&id) {
            topics.queue(id).newcomers += 1;
        }
        id
    }

    pub(crate) fn leave(&mut self, id: TopicId, topics: &mut Topics) {
        topics.unsubscribe(id);
        if take(&mut self.entered, id) {
            topics.get_mut(id).newcomers -= 1;
            return;
        }
        if self.again.contains(&id) {
            topics.get_mut(id).newcomers -= 1;
        }
        self.left.push(id);
    }

    /// The client is to have the content of these topics anew, as far as it is subscribed to them.
    pub(crate) fn resync(&mut self, wanted: ResyncTopics<'_>, topics: &mut Topics) {
        let groups = self.groups.iter().map(|(_, id)| *id);
        let placed = self.view.topics().filter_map(|key| topics.find(key));
        let mut has: Vec<_> = self.fixed.iter().copied().chain(groups).chain(placed).collect();
        has.extend(self.query_topics());
        has.sort_unstable();
        has.dedup();
        match wanted {
            ResyncTopics::All => self.viewpoint = self.looks_from(),
            ResyncTopics::Some(wanted) => has.retain(|id| wanted.contains(id)),
        }
        for id in has {
            if !self.entered.contains(&id) && !self.again.contains(&id) {
                self.again.push(id);
                topics.queue(id).newcomers += 1;
            }
        }
        // What it does not see at present counts once it does again.
        let wanted = |id: &TopicId| match wanted {
            ResyncTopics::All => true,
            ResyncTopics::Some(wanted) => wanted.contains(id),
        };
        for id in self.left.iter().filter(|id| wanted(id)) {
            if !self.again.contains(id) {
                self.again.push(*id);
            }
        }
    }

    /// From where the cells in view were selected, and how far it sees.
    fn looks_from(&self) -> Option<Viewpoint> {
        let (place, _) = self.view.from?;
        match self.looks {
            Looks::Nowhere => None,
            Looks::At { radius, .. } | Looks::Still { radius, .. } => {
                Some(Viewpoint { space: place.space, at: place.at, radius })
            }
        }
    }

    /// Leaves everything, for good.
    pub(crate) fn leave_all(&mut self, topics: &mut Topics) {
        let view = std::mem::take(&mut self.view);
        let placed = view.topics().filter_map(|key| topics.find(key));
        let groups = self.groups.drain(..).map(|(_, id)| id);
        let all: Vec<_> = self.fixed.drain(..).chain(groups).chain(placed).collect();
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
            self.viewpoint = self.looks_from();
            self.see(Ring::All, scratch, topics, rules);
            if let Some(share) = rules.detail_radius() {
                select(place, radius * share, cell_size, home, &self.view.details, scratch);
                self.see(Ring::Details, scratch, topics, rules);
            }
            self.follow(topics, rules);
        }
        stale
    }

    /// Looks nowhere: leaves all cells.
    pub(crate) fn close_eyes(&mut self, topics: &mut Topics, rules: &Rules) {
        self.view.from = None;
        self.see(Ring::All, &mut Vec::new(), topics, rules);
        self.see(Ring::Details, &mut Vec::new(), topics, rules);
        self.follow(topics, rules);
    }

    /// Enters and leaves topics of a ring so that those of `cells` are in view; `cells` has then what was.
    fn see(&mut self, ring: Ring, cells: &mut Vec<Cell>, topics: &mut Topics, rules: &Rules) {
        std::mem::swap(self.view.ring(ring), cells);
        let now = std::mem::take(self.view.ring(ring));
        // Both are sorted.
        let (mut left, mut entered) = (cells.iter().peekable(), now.iter().peekable());
        loop {
            let order = match (left.peek(), entered.peek()) {
                (Some(left), Some(entered)) => left.cmp(entered),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => break,
            };
            let left = left.next_if(|_| order.is_le());
            let entered = entered.next_if(|_| order.is_ge());
            match (left, entered) {
                (Some(cell), None) => {
                    if let Some(id) = topics.find(ring.topic(*cell)) {
                        self.leave(id, topics);
                    }
                }
                (None, Some(cell)) => _ = self.enter(ring.topic(*cell), topics, rules),
                _ => {}
            }
        }
        *self.view.ring(ring) = now;
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
