//! Where entities are known: in which topic, by which slot.
//!
//! Hot: every changed row asks. Most entities are in one topic, their cell's; that one stands in an array by the entity's number, so that
//! rows that change in the order of their entities find it without a cache miss each. Further ones are hashed.

use evertick_protocol::{SLOTS_MAX, TopicId};
use evertick_schema::EntityId;
use evertick_world::Place;
use hashbrown::HashMap;

use crate::topic::TOPICS_MAX;

const PAGE_BITS: u32 = 10;
const PAGE_SPOTS: usize = 1 << PAGE_BITS;
/// Entities whose number is beyond so many pages (some thousand millions) are hashed.
const PAGES_MAX: u64 = 1 << 22;

const SLOT_BITS: u32 = SLOTS_MAX.ilog2();
const TOPIC_BITS: u32 = TOPICS_MAX.ilog2();
const HAS_TOPIC: u64 = 1 << 62;
const IS_CELL: u64 = 1 << 61;
const WATCHED: u64 = 1 << 63;

/// What is known of an entity at once: the topic it is in and its slot there, if any; and whether a session looks through it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spot(u64);

const _: () = assert!(SLOT_BITS + TOPIC_BITS < 61, "flags stand above");

impl Spot {
    const fn of(topic: TopicId, slot: u32, cell: bool) -> u64 {
        let cell = if cell { IS_CELL } else { 0 };
        HAS_TOPIC | cell | (topic.0 as u64) << SLOT_BITS | slot as u64
    }

    /// The topic, and the slot in it.
    #[inline]
    const fn topic(self) -> Option<(TopicId, u32)> {
        if self.0 & HAS_TOPIC == 0 {
            return None;
        }
        let topic = (self.0 >> SLOT_BITS) as u32 & (TOPICS_MAX - 1);
        Some((TopicId(topic), self.0 as u32 & (SLOTS_MAX - 1)))
    }

    /// The same, if it is a cell's.
    #[inline]
    pub(crate) const fn cell(self) -> Option<(TopicId, u32)> {
        if self.0 & IS_CELL == 0 { None } else { self.topic() }
    }

    /// Whether a session looks through the entity.
    #[inline]
    pub(crate) const fn is_watched(self) -> bool {
        self.0 & WATCHED != 0
    }
}

/// Reads spots, and keeps the page that it has read from.
#[derive(Debug)]
pub(crate) struct SpotReader<'s> {
    spots: &'s Spots,
    /// The region and number of the page.
    number: u64,
    page: &'s [Spot; PAGE_SPOTS],
    from: Option<&'s [Option<Place>; PAGE_SPOTS]>,
}

static NO_PAGE: [Spot; PAGE_SPOTS] = [Spot(0); PAGE_SPOTS];

impl SpotReader<'_> {
    /// What is known of an entity at once.
    #[inline]
    pub(crate) fn get(&mut self, entity: EntityId) -> Spot {
        if entity.0 >> PAGE_BITS != self.number && !self.turn_to(entity) {
            return self.spots.get_far(entity);
        }
        self.page[entity.0 as usize % PAGE_SPOTS]
    }

    /// From where all that look through an entity that was just asked for have selected their cells; `None` where that is not known, and is to be
    /// looked at for each.
    #[inline]
    pub(crate) fn from(&self, entity: EntityId) -> Option<Place> {
        let from = self.from.filter(|_| entity.0 >> PAGE_BITS == self.number)?;
        from[entity.0 as usize % PAGE_SPOTS]
    }

    #[cold]
    fn turn_to(&mut self, entity: EntityId) -> bool {
        let page = self.spots.page(entity);
        if let Some(page) = page {
            (self.number, self.page) = (entity.0 >> PAGE_BITS, &page.spots);
            self.from = page.from.as_deref();
        }
        page.is_some()
    }
}

#[derive(Debug)]
struct Page {
    spots: Box<[Spot; PAGE_SPOTS]>,
    /// From where all that look through the entity have selected their cells.
    from: Option<Box<[Option<Place>; PAGE_SPOTS]>>,
    used: usize,
}

/// All spots. Memory: 8 bytes an entity that is known anywhere, as long as each is in one topic; 16 more where any of a thousand neighbours is
/// looked through.
#[derive(Debug)]
pub(crate) struct Spots {
    region: u16,
    pages: Vec<Option<Page>>,
    /// Of entities that have no place in the pages.
    far: HashMap<EntityId, Spot>,
    /// Further topics that an entity is in.
    others: HashMap<(EntityId, TopicId), u32>,
}

impl Spots {
    /// No spots; most entities will be of that region.
    pub(crate) fn new(region: u16) -> Self {
        Self { region, pages: Vec::new(), far: HashMap::new(), others: HashMap::new() }
    }

    /// What is known of an entity at once.
    #[inline]
    pub(crate) fn get(&self, entity: EntityId) -> Spot {
        match self.page(entity) {
            Some(page) => page.spots[entity.0 as usize % PAGE_SPOTS],
            None => self.get_far(entity),
        }
    }

    /// To ask for many entities, which are mostly in the order of their numbers.
    #[inline]
    pub(crate) const fn reader(&self) -> SpotReader<'_> {
        SpotReader { spots: self, number: u64::MAX, page: &NO_PAGE, from: None }
    }

    /// The page of an entity that is in the pages.
    #[inline]
    fn page(&self, entity: EntityId) -> Option<&Page> {
        let page = self.pages.get((entity.sequence() >> PAGE_BITS) as usize)?.as_ref()?;
        (entity.region() == self.region).then_some(page)
    }

    fn get_far(&self, entity: EntityId) -> Spot {
        if self.far.is_empty() { Spot::default() } else { self.far.get(&entity).copied().unwrap_or_default() }
    }

    /// The entity's slot in a topic.
    #[inline]
    pub(crate) fn slot(&self, topic: TopicId, entity: EntityId) -> Option<u32> {
        match self.get(entity).topic() {
            Some((known, slot)) if known == topic => Some(slot),
            _ if self.others.is_empty() => None,
            _ => self.others.get(&(entity, topic)).copied(),
        }
    }

    /// The entity is at `slot` of a topic in which it was not; `cell` says whether that is a cell.
    pub(crate) fn enter(&mut self, topic: TopicId, entity: EntityId, slot: u32, cell: bool) {
        let known = self.get(entity);
        match known.topic() {
            Some(_) if !cell => {
                self.others.insert((entity, topic), slot);
                return;
            }
            Some((before, slot)) => _ = self.others.insert((entity, before), slot),
            None => {}
        }
        self.set(entity, Spot(known.0 & WATCHED | Spot::of(topic, slot, cell)));
    }

    /// The entity is not in the topic any more.
    pub(crate) fn leave(&mut self, topic: TopicId, entity: EntityId) {
        let known = self.get(entity);
        if known.topic().is_some_and(|(known, _)| known == topic) {
            self.set(entity, Spot(known.0 & WATCHED));
        } else {
            self.others.remove(&(entity, topic));
        }
    }

    /// A session looks through the entity from now on, or none any more.
    pub(crate) fn watch(&mut self, entity: EntityId, watched: bool) {
        let known = self.get(entity).0 & !WATCHED;
        self.set(entity, Spot(known | if watched { WATCHED } else { 0 }));
        self.look_from(entity, None);
    }

    /// All that look through the entity have selected their cells from there; `None` when not all have from the same place.
    pub(crate) fn look_from(&mut self, entity: EntityId, from: Option<Place>) {
        let page = (entity.sequence() >> PAGE_BITS) as usize;
        if let Some(Some(page)) = self.pages.get_mut(page)
            && entity.region() == self.region
            && (from.is_some() || page.from.is_some())
        {
            let all = page.from.get_or_insert_with(|| Box::new([None; PAGE_SPOTS]));
            all[entity.0 as usize % PAGE_SPOTS] = from;
        }
    }

    fn set(&mut self, entity: EntityId, spot: Spot) {
        let page = entity.sequence() >> PAGE_BITS;
        if entity.region() != self.region || page >= PAGES_MAX {
            if spot == Spot::default() {
                self.far.remove(&entity);
            } else {
                self.far.insert(entity, spot);
            }
            return;
        }
        let index = page as usize;
        if index >= self.pages.len() {
            self.pages.resize_with(index + 1, || None);
        }
        let page = self.pages[index].get_or_insert_with(|| Page {
            spots: Box::new([Spot::default(); PAGE_SPOTS]),
            from: None,
            used: 0,
        });
        let place = &mut page.spots[entity.sequence() as usize & (PAGE_SPOTS - 1)];
        page.used += usize::from(spot != Spot::default());
        page.used -= usize::from(*place != Spot::default());
        *place = spot;
        if page.used == 0 {
            self.pages[index] = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Near ones, and some without a place in the pages.
    fn entity(number: u64) -> EntityId {
        match number {
            0 => EntityId::new(2, 1),
            1 => EntityId::new(1, 1 << 40),
            _ => EntityId::new(1, number * 300),
        }
    }

    proptest! {
        #[test]
        fn they_are_a_map(steps in prop::collection::vec((0..6u64, 0..5u32, 0..100u32, 0..3u8), 0..60)) {
            let mut spots = Spots::new(1);
            let mut model = BTreeMap::new();
            let mut watched = BTreeMap::new();
            for (number, topic, slot, what) in steps {
                let (entity, topic) = (entity(number), TopicId(topic * 1000));
                match what {
                    0 => {
                        let from = (slot % 4 == 0).then_some(Place { space: slot, at: [1.0, 2.0] });
                        watched.insert(entity, (slot % 2 == 0, from));
                        spots.watch(entity, slot % 2 == 0);
                        spots.look_from(entity, from);
                    }
                    1 if model.contains_key(&(entity, topic)) => {
                        model.remove(&(entity, topic));
                        spots.leave(topic, entity);
                    }
                    1 => {}
                    _ if model.contains_key(&(entity, topic)) => {}
                    _ => {
                        model.insert((entity, topic), slot);
                        spots.enter(topic, entity, slot, topic.0 < 3000);
                    }
                }
                let mut reader = spots.reader();
                for number in 0..6 {
                    for topic in (0..5).map(|topic| TopicId(topic * 1000)) {
                        let entity = self::entity(number);
                        let known = model.get(&(entity, topic)).copied();
                        prop_assert_eq!(spots.slot(topic, entity), known);
                        let (is_watched, from) = watched.get(&entity).copied().unwrap_or_default();
                        prop_assert_eq!(spots.get(entity).is_watched(), is_watched);
                        prop_assert_eq!(reader.get(entity), spots.get(entity));
                        // Of those far off it is never known.
                        prop_assert_eq!(reader.from(entity), from.filter(|_| number > 1));
                    }
                }
            }
            let entered: Vec<_> = model.into_keys().collect();
            entered.into_iter().for_each(|(entity, topic)| spots.leave(topic, entity));
            watched.into_keys().for_each(|entity| spots.watch(entity, false));
            prop_assert!(spots.far.is_empty() && spots.others.is_empty());
            prop_assert!(spots.pages.iter().all(Option::is_none));
        }
    }
}
