//! All topics, by number and by key.

use std::collections::VecDeque;
use std::sync::Arc;

use evertick_protocol::{Entered, TopicId, prefetch};
use evertick_schema::{Duration, EntityId, Timestamp};
use evertick_world::Cell;
use hashbrown::HashMap;

use crate::dirty::DirtyRows;
use crate::moving::Moving;
use crate::numbers::Numbers;
use crate::rules::{Class, Rule, Rules};
use crate::spots::Spots;
use crate::topic::{Happened, KnownRow, Topic, TopicKey, Touch};

/// The numbers of topics.
///
/// Hot: whoever changes cell, and whoever looks from elsewhere, looks cells up in no order. So these have tables of their own, a quarter as
/// large as one for all keys.
#[derive(Debug, Default)]
struct ByKey {
    cells: HashMap<Cell, TopicId>,
    details: HashMap<Cell, TopicId>,
    others: HashMap<TopicKey, TopicId>,
}

impl ByKey {
    fn get(&self, key: &TopicKey) -> Option<TopicId> {
        let id = match key {
            TopicKey::Cell(cell) => self.cells.get(cell),
            TopicKey::Detail(cell) => self.details.get(cell),
            key => self.others.get(key),
        };
        id.copied()
    }

    fn insert(&mut self, key: TopicKey, id: TopicId) {
        match key {
            TopicKey::Cell(cell) => self.cells.insert(cell, id),
            TopicKey::Detail(cell) => self.details.insert(cell, id),
            key => self.others.insert(key, id),
        };
    }

    fn remove(&mut self, key: &TopicKey) {
        match key {
            TopicKey::Cell(cell) => self.cells.remove(cell),
            TopicKey::Detail(cell) => self.details.remove(cell),
            key => self.others.remove(key),
        };
    }

    fn len(&self) -> usize {
        self.cells.len() + self.details.len() + self.others.len()
    }
}

/// The topics that have subscribers.
#[derive(Debug)]
pub(crate) struct Topics {
    by_key: ByKey,
    /// By topic number.
    list: Vec<Option<Box<Topic>>>,
    numbers: Numbers,
    /// Topics that the next frame looks at.
    queue: Vec<TopicId>,
    /// Topics whose last subscriber went, since the last frame.
    idle: Vec<TopicId>,
    /// By topic number, apart from `list` because a frame in which everything moves looks at nothing else.
    classes: Vec<Option<Class>>,
    /// Where entities are known.
    pub(crate) spots: Spots,
    /// Known rows that have changed since the last frame.
    pub(crate) dirty: DirtyRows,
    /// Rows that move.
    pub(crate) moving: Moving,
    /// Topics with snapshots that are kept, and when these were made; oldest first.
    cached: VecDeque<(Timestamp, TopicId)>,
    /// The tick of the last frame.
    tick: u64,
    /// The time of the last frame.
    pub(crate) now: Timestamp,
}

impl Topics {
    /// No topics; their numbers rest for `rest` before they are used again. Most entities are of `region`.
    pub(crate) fn new(rest: Duration, region: u16, moving: Moving) -> Self {
        Self {
            by_key: ByKey::default(),
            list: Vec::new(),
            numbers: Numbers::new(rest),
            queue: Vec::new(),
            idle: Vec::new(),
            classes: Vec::new(),
            spots: Spots::new(region),
            dirty: DirtyRows::default(),
            moving,
            cached: VecDeque::new(),
            tick: 0,
            now: Timestamp(0),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(crate) fn find(&self, key: TopicKey) -> Option<TopicId> {
        self.by_key.get(&key)
    }

    pub(crate) fn get_mut(&mut self, id: TopicId) -> &mut Topic {
        self.list[id.0 as usize].as_mut().expect("a topic number is known only while the topic exists")
    }

    pub(crate) fn get(&self, id: TopicId) -> &Topic {
        self.list[id.0 as usize].as_ref().expect("a topic number is known only while the topic exists")
    }

    /// Has the processor fetch the topic itself, which is to be looked at soon.
    pub(crate) fn prefetch(&self, id: TopicId) {
        if let Some(Some(topic)) = self.list.get(id.0 as usize) {
            prefetch(&raw const **topic, size_of::<Topic>());
        }
    }

    /// Has it fetch what that leads to.
    pub(crate) fn prefetch_rest(&self, id: TopicId) {
        if let Some(Some(topic)) = self.list.get(id.0 as usize) {
            topic.roster.prefetch();
            topic.touched.prefetch();
        }
    }

    /// A topic, and where entities are known.
    pub(crate) fn with_spots(&mut self, id: TopicId) -> (&mut Topic, &mut Spots) {
        let topic = self.list[id.0 as usize].as_mut();
        (topic.expect("a topic number is known only while the topic exists"), &mut self.spots)
    }

    /// The class of a topic; `None` if it has ended.
    #[inline]
    pub(crate) fn class(&self, id: TopicId) -> Option<Class> {
        self.classes[id.0 as usize]
    }

    /// One more subscriber; the topic is made if it is the first.
    pub(crate) fn subscribe(&mut self, key: TopicKey, rules: &Rules) -> TopicId {
        let id = self.find(key).unwrap_or_else(|| self.make(key, rules));
        self.get_mut(id).subscribers += 1;
        id
    }

    /// One subscriber less. Without any the topic ends with the next frame.
    pub(crate) fn unsubscribe(&mut self, id: TopicId) {
        let topic = self.get_mut(id);
        topic.subscribers -= 1;
        if topic.subscribers == 0 {
            self.idle.push(id);
        }
    }

    fn make(&mut self, key: TopicKey, rules: &Rules) -> TopicId {
        let id = self.numbers.allocate(&key, self.now);
        let id = id.expect("sessions are far too few for so many topics");
        if id.0 as usize >= self.list.len() {
            self.list.resize_with(id.0 as usize + 1, || None);
            self.classes.resize(id.0 as usize + 1, None);
            self.moving.reach(id);
        }
        self.classes[id.0 as usize] = Some(key.class());
        self.list[id.0 as usize] = Some(Topic::new(key, rules.columns(key.class()).len()).into());
        self.by_key.insert(key, id);
        id
    }

    /// The next frame looks at this topic.
    pub(crate) fn queue(&mut self, id: TopicId) -> &mut Topic {
        let topic = self.list[id.0 as usize].as_mut().expect("a queued topic exists");
        if !topic.queued {
            topic.queued = true;
            self.queue.push(id);
        }
        topic
    }

    /// Marks that rows of an entity may have come or gone.
    pub(crate) fn touch(&mut self, id: TopicId, entity: EntityId, column: u16) {
        if self.get_mut(id).live {
            self.queue(id).touched.push(Touch { entity, column });
        }
    }

    /// Marks changed fields of a row, which is `row` now. An entity without a slot is new; its rows are sent whole anyway.
    pub(crate) fn changed(&mut self, id: TopicId, entity: EntityId, rule: &Rule, mask: u64, row: &[u8]) {
        if let Some(slot) = self.spots.slot(id, entity) {
            match rule.latest {
                Some(number) => self.moving.mark(number, (id, slot), mask, row),
                None => self.dirty.push(KnownRow::new(id, rule.column, slot), mask),
            }
        }
    }

    /// Adds an event for the topic's subscribers.
    pub(crate) fn happened(&mut self, id: TopicId, event: Happened) {
        self.queue(id).events.push(event);
    }

    /// Whether the next frame looks at any topic.
    pub(crate) fn has_news(&self) -> bool {
        !self.queue.is_empty() || !self.dirty.is_empty() || !self.moving.is_unchanged()
    }

    /// Takes the topics in which entities may have come or gone, in order, for [`Topics::end_frame`] to give the list back: those with
    /// marks, events and newcomers. Snapshots that are over are forgotten.
    pub(crate) fn take_queue(&mut self) -> Vec<TopicId> {
        while let Some((made, id)) = self.cached.front().copied() {
            let topic = self.list[id.0 as usize].as_mut();
            if let Some(topic) =
                topic.filter(|topic| topic.cache.as_ref().is_some_and(|cache| cache.made == made))
            {
                if topic.cache.as_ref().is_some_and(|cache| !cache.is_over(self.now)) {
                    break;
                }
                topic.cache = None;
            }
            self.cached.pop_front();
        }
        self.queue.sort_unstable();
        std::mem::take(&mut self.queue)
    }

    /// Begins the frame of a tick; returns whether the last was of another.
    pub(crate) fn begin_tick(&mut self, tick: u64) -> bool {
        std::mem::replace(&mut self.tick, tick) != tick
    }

    /// A topic has a snapshot that is kept for a while.
    pub(crate) fn keeps_snapshot(&mut self, id: TopicId) {
        self.cached.push_back((self.now, id));
    }

    /// A topic for one of its newcomers.
    pub(crate) fn entered(&mut self, id: TopicId, cell_size: f32) -> Entered {
        let topic = self.get_mut(id);
        let cache = topic.cache.as_ref().expect("a topic with newcomers has a snapshot");
        Entered {
            topic: id,
            square: topic.key.square(cell_size),
            snapshot: Arc::clone(&cache.snapshot),
            followed: cache.followed.clone(),
        }
    }

    /// Ends a frame: topics are no longer queued, and those that nobody is subscribed to are handed to `ended`
    /// and forgotten.
    pub(crate) fn end_frame(&mut self, mut queue: Vec<TopicId>, mut ended: impl FnMut(TopicId, &Topic)) {
        for id in queue.drain(..) {
            let topic = self.list[id.0 as usize].as_mut().expect("a queued topic exists");
            topic.queued = false;
            topic.newcomers = 0;
            topic.events.clear();
        }
        self.queue = queue;
        for id in std::mem::take(&mut self.idle) {
            let place = &mut self.list[id.0 as usize];
            // It may have found a subscriber again, or stand in the list twice.
            if let Some(topic) = place.take_if(|topic| topic.subscribers == 0) {
                ended(id, &topic);
                topic.roster.members().for_each(|(_, entity)| self.spots.leave(id, entity));
                self.classes[id.0 as usize] = None;
                self.moving.forget(id);
                self.by_key.remove(&topic.key);
                self.numbers.free(&topic.key, id, self.now);
            }
        }
    }
}
