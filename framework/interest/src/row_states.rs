//! What is known of rows of one type that move, by topic and slot.

use std::ops::Range;

use evertick_protocol::TopicId;
use evertick_schema::EntityId;

/// Room for rows is made for so many slots at a time; for twice as many as there are, once there are [`SLOTS_MANY`].
const SLOTS_STEP: u32 = 4;
const SLOTS_MANY: u32 = 32;
/// So many rows that are no topic's are not worth closing up.
const ABANDONED_MIN: usize = 1024;

/// The rows of one type.
#[derive(Debug)]
pub(crate) struct RowStates {
    /// By topic.
    places: Vec<Places>,
    /// By topic and slot.
    pub(crate) rows: Vec<RowState>,
    /// Of whom they are, where a row moves.
    pub(crate) entities: Vec<EntityId>,
    /// Rows that are no topic's any more.
    abandoned: usize,
    /// Which fields a [`RowState::mask`] stands for; the first has none.
    masks: Vec<u64>,
}

/// Where the rows of a topic are: so many, by slot.
#[derive(Clone, Copy, Debug, Default)]
struct Places {
    first: u32,
    count: u32,
}

/// What is known of a row that may move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RowState {
    /// The number of the fields that have changed since it began to move; 0 when it does not.
    pub(crate) mask: u8,
    /// The lowest bits of the tick in which it changed last. Rows are looked at in each tick that is told of; when more than 200 are not,
    /// one may come to rest later.
    pub(crate) tick: u8,
}

impl Default for RowStates {
    fn default() -> Self {
        Self { places: Vec::new(), rows: Vec::new(), entities: Vec::new(), abandoned: 0, masks: vec![0] }
    }
}

impl RowStates {
    /// There are so many topics.
    pub(crate) fn reach(&mut self, topics: usize) {
        if topics > self.places.len() {
            self.places.resize(topics, Places::default());
        }
    }

    /// Fields of the entity's row, which is at that slot, have changed in a tick with these lowest bits.
    #[inline]
    pub(crate) fn mark(&mut self, topic: TopicId, slot: u32, mask: u64, entity: EntityId, tick: u8) {
        let mut places = self.places[topic.0 as usize];
        if slot >= places.count {
            places = self.make_room(topic, slot);
        }
        let at = (places.first + slot) as usize;
        let known = self.fields(self.rows[at]);
        self.rows[at].tick = tick;
        if mask & !known != 0 {
            self.rows[at].mask = self.number(known | mask);
            self.entities[at] = entity;
        }
    }

    /// The row at that slot does not move any more.
    pub(crate) fn stop(&mut self, topic: TopicId, slot: u32) {
        let Places { first, count } = self.places[topic.0 as usize];
        if slot < count {
            self.rows[(first + slot) as usize] = RowState::default();
        }
    }

    /// The fields that have changed since a row began to move.
    #[inline]
    pub(crate) fn fields(&self, row: RowState) -> u64 {
        self.masks[usize::from(row.mask)]
    }

    /// Where the rows of a topic are.
    #[inline]
    pub(crate) fn range(&self, topic: TopicId) -> Range<usize> {
        let Places { first, count } = self.places[topic.0 as usize];
        first as usize..(first + count) as usize
    }

    /// The number that stands for these fields, or, when there are too many such sets, for more.
    #[inline]
    fn number(&mut self, mask: u64) -> u8 {
        let known = self.masks.iter().position(|known| *known == mask);
        known.unwrap_or_else(|| self.new_number(mask)) as u8
    }

    #[cold]
    fn new_number(&mut self, mask: u64) -> usize {
        let last = usize::from(u8::MAX);
        self.masks.push(if self.masks.len() < last { mask } else { u64::MAX });
        self.masks.truncate(last + 1);
        self.masks.len() - 1
    }

    /// Makes room for this slot of a topic, and some behind it.
    #[cold]
    fn make_room(&mut self, topic: TopicId, slot: u32) -> Places {
        let before = self.range(topic);
        self.abandon(topic);
        let slots = slot + 1;
        let count =
            if slots < SLOTS_MANY { slots.next_multiple_of(SLOTS_STEP) } else { slots.next_power_of_two() };
        let first = self.rows.len();
        self.rows.extend_from_within(before.clone());
        self.entities.extend_from_within(before);
        self.rows.resize(first + count as usize, RowState::default());
        self.entities.resize(first + count as usize, EntityId::NONE);
        let places = Places { first: first as u32, count };
        self.places[topic.0 as usize] = places;
        places
    }

    /// A topic has no rows any more.
    pub(crate) fn abandon(&mut self, topic: TopicId) {
        let places = std::mem::take(&mut self.places[topic.0 as usize]);
        self.abandoned += places.count as usize;
    }

    /// Puts the rows close together, by topic, when too many between them are no topic's.
    pub(crate) fn close_up(&mut self) {
        if self.abandoned <= ABANDONED_MIN || self.abandoned < self.rows.len() / 3 {
            return;
        }
        let len = self.rows.len() - self.abandoned;
        let (mut rows, mut entities) = (Vec::with_capacity(len), Vec::with_capacity(len));
        for topic in 0..self.places.len() {
            let range = self.range(TopicId(topic as u32));
            self.places[topic].first = rows.len() as u32;
            rows.extend_from_slice(&self.rows[range.clone()]);
            entities.extend_from_slice(&self.entities[range]);
        }
        (self.rows, self.entities, self.abandoned) = (rows, entities, 0);
    }
}
