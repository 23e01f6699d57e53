//! What a frame tells of topics: a walk over all that have something to say, in the order of their numbers.
//!
//! Hot: in most topics rows move and nobody comes or goes. Then nothing of the topic itself is looked at: what moves stands in arrays for
//! all topics, and what else has changed in a list, which are read from the front to the back.

use evertick_protocol::{Blocks, TopicId};
use evertick_schema::Timestamp;
use evertick_world::World;

use crate::census::take_census;
use crate::encode::Encode;
use crate::moving::{Lanes, Moving};
use crate::reconcile::Reconcile;
use crate::rules::{Class, Rules};
use crate::snapshots::Cache;
use crate::topic::{Dirty, KnownRow, Topic};
use crate::topics::Topics;

/// Clients know all rows.
const ALL: Option<fn(KnownRow) -> bool> = None;
/// A queued topic is fetched while so many before it are told of, and what it leads to while half as many are.
const TOPICS_AHEAD: usize = 4;
/// No topic, and behind all.
const NONE: TopicId = TopicId(u32::MAX);

/// What the walk needs beside the topics.
pub(crate) struct Tell<'a, 'frame> {
    pub(crate) world: &'frame World,
    pub(crate) rules: &'frame Rules,
    pub(crate) reconcile: Reconcile<'a>,
    pub(crate) encode: Encode<'frame>,
    pub(crate) tick: u64,
    pub(crate) now: Timestamp,
    pub(crate) lanes: &'a mut Lanes,
    /// Changed rows of one topic, those to be sent whole among them.
    pub(crate) dirty: Vec<Dirty>,
}

impl Tell<'_, '_> {
    /// Tells of the topics in `queue`, which is sorted, and of all with changed rows; in a new tick also of those with rows that moved, because
    /// they may have come to rest.
    pub(crate) fn all(&mut self, topics: &mut Topics, queue: &[TopicId]) {
        let is_new_tick = topics.begin_tick(self.tick);
        let mut marks = std::mem::take(&mut topics.dirty);
        let mut moving = std::mem::take(&mut topics.moving);
        let in_motion = moving.to_tell(is_new_tick);
        let mut in_motion = in_motion.iter().peekable();
        let (mut queue, mut dirty) = (queue, marks.merge());
        queue.iter().take(TOPICS_AHEAD).for_each(|id| topics.prefetch(*id));
        loop {
            let mut id = dirty.first().map_or(NONE, |dirty| dirty.row.topic());
            id = id.min(queue.first().copied().unwrap_or(NONE));
            id = id.min(in_motion.peek().copied().unwrap_or(NONE));
            if id == NONE {
                break;
            }
            in_motion.next_if_eq(&id);
            let queued = queue.first() == Some(&id);
            if queued {
                queue = &queue[1..];
                queue.get(TOPICS_AHEAD - 1).into_iter().for_each(|id| topics.prefetch(*id));
                queue.get(TOPICS_AHEAD / 2).into_iter().for_each(|id| topics.prefetch_rest(*id));
            }
            let dirty = take_run(&mut dirty, |dirty| dirty.row.topic() == id);
            if queued {
                self.topic(topics, &mut moving, id, dirty);
            } else {
                self.rows(topics, &mut moving, id, dirty);
            }
        }
        marks.clear();
        moving.end_frame();
        (topics.dirty, topics.moving) = (marks, moving);
    }

    /// A topic in which rows have changed, and nobody has come or gone.
    #[inline]
    fn rows(&mut self, topics: &mut Topics, moving: &mut Moving, id: TopicId, dirty: &[Dirty]) {
        let Some(class) = topics.class(id) else { return };
        let entity = |slot| topics.get(id).roster.entity(slot);
        self.lanes.sort(moving, (id, self.tick), self.rules.latest(class), dirty, ALL, entity);
        if self.lanes.moved {
            self.states(topics, moving, (id, class));
        }
        if !self.lanes.ordered.is_empty() {
            let topic = topics.get_mut(id);
            self.reconcile.changes.clear();
            let ordered = self.encode.block(id, topic, self.reconcile.changes, &self.lanes.ordered);
            self.say(id, topic, Blocks { ordered, events: None });
        }
    }

    /// A topic in which entities may have come or gone, which has events or newcomers.
    fn topic(&mut self, topics: &mut Topics, moving: &mut Moving, id: TopicId, dirty: &[Dirty]) {
        let (topic, spots) = topics.with_spots(id);
        if topic.subscribers == 0 {
            return;
        }
        let class = topic.key.class();
        if !topic.live {
            topic.live = true;
            take_census(self.world, self.rules, self.reconcile.queries, topic.key, &mut topic.touched);
        }
        self.reconcile.topic(id, topic, spots);
        let changes = &*self.reconcile.changes;
        if !changes.left.is_empty() || !changes.removed.is_empty() {
            // Whoever is elsewhere now would be shown there with what the snapshot says.
            topic.cache = None;
        }
        let mut blocks = Blocks::default();
        let all_get_everything = topic.newcomers == topic.subscribers && topic.cache.is_none();
        if all_get_everything {
            self.lanes.clear();
            moving.forget(id);
        } else {
            // Rows that are sent whole move no more. Where one left, another may be by now, whose rows are among these.
            for Dirty { row, .. } in &changes.whole {
                if let Some(number) = self.rules.of_column(class, row.column()).latest {
                    moving.stop(number, id, row.slot());
                }
            }
            self.dirty.clear();
            self.dirty.extend_from_slice(dirty);
            self.dirty.extend_from_slice(&changes.whole);
            if !changes.whole.is_empty() {
                self.dirty.sort_unstable();
                self.dirty.dedup_by(|later, kept| kept.merge(later));
            }
            let roster = &topic.roster;
            let known = |row: KnownRow| roster.knows(row.slot(), row.column());
            let entity = |slot| roster.entity(slot);
            self.lanes.sort(
                moving,
                (id, self.tick),
                self.rules.latest(class),
                &self.dirty,
                Some(known),
                entity,
            );
            blocks.ordered = self.encode.block(id, topic, changes, &self.lanes.ordered);
        }
        blocks.events = self.encode.events(id, topic);
        self.say(id, topic, blocks);
        if topic.newcomers > 0 && topic.cache.is_none() {
            topic.cache = Some(Cache::new(self.encode.snapshot(id, topic), self.now));
            topics.keeps_snapshot(id);
        }
        if self.lanes.moved {
            self.states(topics, moving, (id, class));
        }
    }

    fn say(&mut self, id: TopicId, topic: &mut Topic, blocks: Blocks) {
        if let Some((block, cache)) = blocks.ordered.as_ref().zip(topic.cache.as_mut())
            && !cache.follow(block)
        {
            topic.cache = None;
        }
        self.encode.told.blocks(id, blocks);
    }

    #[inline]
    fn states(&mut self, topics: &Topics, moving: &Moving, (id, class): (TopicId, Class)) {
        let cell_size = self.world.config().cell_size;
        let square = || topics.get(id).key.square(cell_size);
        let entity = |slot| topics.get(id).roster.entity(slot);
        self.encode.states((id, class), moving, &self.lanes.moving, square, entity);
    }
}

/// Takes the items in front that are wanted.
#[inline]
fn take_run<'a, T>(list: &mut &'a [T], mut wanted: impl FnMut(&T) -> bool) -> &'a [T] {
    let count = list.iter().position(|item| !wanted(item)).unwrap_or(list.len());
    let (run, rest) = list.split_at(count);
    *list = rest;
    run
}
