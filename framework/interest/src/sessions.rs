//! All sessions, and which of them look through which entity.

use evertick_protocol::{CallReply, Close, ResyncTopics, SessionFrame};
use evertick_schema::{EntityId, Identity, SessionId};
use evertick_world::{Cell, Focus, World};
use hashbrown::HashMap;

use crate::config::InterestConfig;
use crate::query::Waiting;
use crate::rules::Rules;
use crate::session::{Looks, Session, bounded_radius};
use crate::topic::TopicKey;
use crate::topics::Topics;

/// The connected clients. Nothing here walks all of them.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    by_id: HashMap<SessionId, Session>,
    /// Who looks through an entity; never none.
    by_focus: HashMap<EntityId, Vec<SessionId>>,
    /// Sessions that the next frame has something of their own for.
    queue: Vec<SessionId>,
    /// Last words to sessions that the server has closed.
    closed: Vec<(SessionId, SessionFrame)>,
    /// Joins beyond the bound, since the start.
    pub(crate) joins_ignored: u64,
    scratch: Vec<Cell>,
    /// Subscriptions to queries that wait for their first result.
    pub(crate) waiting: Waiting,
}

impl Sessions {
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<&Session> {
        self.by_id.get(&id)
    }

    pub(crate) fn open(&mut self, id: SessionId, identity: Identity, topics: &mut Topics, rules: &Rules) {
        self.close(id, topics);
        self.by_id.insert(id, Session { identity, ..Session::default() });
        let session = self.queue(id).expect("it was inserted just now");
        for key in [TopicKey::Everyone, TopicKey::Owner(identity)] {
            let topic = session.enter(key, topics, rules);
            session.fixed.push(topic);
        }
    }

    /// Forgets a session, with what it was still to be sent.
    pub(crate) fn close(&mut self, id: SessionId, topics: &mut Topics) {
        if let Some(mut session) = self.by_id.remove(&id) {
            self.unwatch(id, session.looks, topics);
            session.leave_all(topics);
        }
    }

    /// Forgets a session, if it is open; the next frame brings it the results it has earned, and `close`.
    pub(crate) fn reject(&mut self, id: SessionId, close: Close, topics: &mut Topics) {
        let results = self.by_id.get_mut(&id).map(|session| std::mem::take(&mut session.results));
        self.close(id, topics);
        let results = results.unwrap_or_default();
        self.closed.push((id, SessionFrame { results, close: Some(close), ..SessionFrame::default() }));
    }

    pub(crate) fn reply(&mut self, id: SessionId, reply: CallReply) {
        if let Some(session) = self.queue(id) {
            session.results.push(reply);
        }
    }

    pub(crate) fn resync(&mut self, id: SessionId, wanted: ResyncTopics<'_>, topics: &mut Topics) {
        if let Some(session) = self.queue(id) {
            session.resync(wanted, topics);
        }
    }

    pub(crate) fn join(
        &mut self,
        id: SessionId,
        group: u64,
        config: &InterestConfig,
        topics: &mut Topics,
        rules: &Rules,
    ) {
        let Some(session) = self.queue(id) else { return };
        if session.groups.iter().any(|(joined, _)| *joined == group) {
            return;
        }
        if session.groups.len() >= config.groups_max {
            self.joins_ignored += 1;
            tracing::debug!(session = id.0, group, "join ignored: the session is in the most groups allowed");
            return;
        }
        let topic = session.enter(TopicKey::Group(group), topics, rules);
        session.groups.push((group, topic));
        session.follow(topics, rules);
    }

    pub(crate) fn leave(&mut self, id: SessionId, group: u64, topics: &mut Topics, rules: &Rules) {
        let Some(session) = self.queue(id) else { return };
        if let Some(at) = session.groups.iter().position(|(joined, _)| *joined == group) {
            let (_, topic) = session.groups.swap_remove(at);
            session.leave(topic, topics);
            session.follow(topics, rules);
        }
    }

    pub(crate) fn focus(
        &mut self,
        id: SessionId,
        focus: Focus,
        config: &InterestConfig,
        world: &World,
        topics: &mut Topics,
        rules: &Rules,
    ) {
        let Some(session) = self.queue(id) else { return };
        let radius = |radius| bounded_radius(radius, config, world.config().cell_size);
        let looks = match focus {
            Focus::None => Looks::Nowhere,
            Focus::Point { place, radius: wish } => Looks::Still { place, radius: radius(wish) },
            Focus::Entity { entity, radius: wish } => Looks::At { entity, radius: radius(wish) },
        };
        let before = std::mem::replace(&mut session.looks, looks);
        session.view.from = None;
        let sees = match looks {
            Looks::Nowhere => false,
            Looks::Still { .. } => true,
            Looks::At { entity, .. } => world.place(entity).is_some(),
        };
        if !sees {
            session.close_eyes(topics, rules);
        }
        self.unwatch(id, before, topics);
        if let Looks::At { entity, .. } = looks {
            self.by_focus.entry(entity).or_default().push(id);
            topics.spots.watch(entity, true);
        }
        self.look(id, world, topics, rules);
    }

    /// Whether the next frame has something for a session of its own.
    pub(crate) fn have_news(&self) -> bool {
        !(self.queue.is_empty() && self.closed.is_empty() && self.waiting.is_empty())
    }

    /// Whether anybody looks through an entity.
    pub(crate) fn have_foci(&self) -> bool {
        !self.by_focus.is_empty()
    }

    /// An entity that somebody looks through may be in another cell, or has no place any more.
    pub(crate) fn look_through(
        &mut self,
        entity: EntityId,
        world: &World,
        topics: &mut Topics,
        rules: &Rules,
    ) {
        let Some(watchers) = self.by_focus.get(&entity).map(Vec::len) else { return };
        for index in 0..watchers {
            let id = self.by_focus[&entity][index];
            self.look(id, world, topics, rules);
        }
        let from = |id| Some(self.by_id.get(id)?.view.from?.0);
        let mut all = self.by_focus[&entity].iter().map(from);
        let first = all.next().flatten();
        topics.spots.look_from(entity, first.filter(|_| all.all(|from| from == first)));
    }

    /// An entity is gone. Whoever looked through it goes on to look where it was last.
    pub(crate) fn despawned(&mut self, entity: EntityId, topics: &mut Topics) {
        let Some(watchers) = self.by_focus.remove(&entity) else { return };
        topics.spots.watch(entity, false);
        for id in watchers {
            let session = self.by_id.get_mut(&id).expect("a watcher is open");
            session.looks = match (session.looks, session.view.from) {
                (Looks::At { radius, .. }, Some((place, _))) => Looks::Still { place, radius },
                _ => Looks::Nowhere,
            };
        }
    }

    fn look(&mut self, id: SessionId, world: &World, topics: &mut Topics, rules: &Rules) {
        let session = self.by_id.get_mut(&id).expect("a watcher is open");
        if session.look(world, topics, rules, &mut self.scratch) && !session.queued {
            session.queued = true;
            self.queue.push(id);
        }
    }

    fn unwatch(&mut self, id: SessionId, looks: Looks, topics: &mut Topics) {
        let Looks::At { entity, .. } = looks else { return };
        let Some(watchers) = self.by_focus.get_mut(&entity) else { return };
        watchers.retain(|watcher| *watcher != id);
        if watchers.is_empty() {
            self.by_focus.remove(&entity);
            topics.spots.watch(entity, false);
        }
    }

    /// The session, put in line for the next frame.
    pub(crate) fn queue(&mut self, id: SessionId) -> Option<&mut Session> {
        let session = self.by_id.get_mut(&id)?;
        if !session.queued {
            session.queued = true;
            self.queue.push(id);
        }
        Some(session)
    }

    /// What the next frame has for sessions of their own, in no particular order; `snapshots` are taken from
    /// the topics, which have just encoded them.
    pub(crate) fn end_frame(
        &mut self,
        topics: &mut Topics,
        cell_size: f32,
    ) -> HashMap<SessionId, SessionFrame> {
        let mut frames = HashMap::with_capacity(self.queue.len() + self.closed.len());
        for id in self.queue.drain(..) {
            // It may have been closed since, and even opened again.
            let Some(session) = self.by_id.get_mut(&id).filter(|session| session.queued) else { continue };
            session.queued = false;
            let left = std::mem::take(&mut session.left);
            let again = session.again.drain(..).filter(|topic| !left.contains(topic));
            let entered = session.entered.drain(..).chain(again);
            let entered = entered.map(|topic| topics.entered(topic, cell_size)).collect();
            let frame = SessionFrame {
                left,
                entered,
                results: std::mem::take(&mut session.results),
                viewpoint: session.viewpoint.take(),
                queries: session.take_answers(),
                ..SessionFrame::default()
            };
            let silent = frame.left.is_empty() && frame.entered.is_empty() && frame.results.is_empty();
            if !(silent && frame.queries.is_empty() && frame.viewpoint.is_none()) {
                frames.insert(id, frame);
            }
        }
        frames.extend(self.closed.drain(..));
        frames
    }
}
