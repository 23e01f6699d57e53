//! From entity ids to bevy's entities and back.
//!
//! Ids count up and are never reused, so those of this world's region are positions in a paged array: 16
//! bytes an entity, its bevy entity and where its rows are. So a point read goes from the id straight to the
//! row, without a look into bevy's own table of entities: one cache miss less of four, in a world that is
//! larger than the cache. A page is freed when its last entity is gone. Ids far beyond what has been seen (of
//! other regions, or out of a delta) go to a hash map, so that no id can make the array grow without bound.

use bevy_ecs::entity::{Entity, EntityIndex, EntityLocation};
use bevy_ecs::storage::{TableId, TableRow};
use evertick_schema::EntityId;
use hashbrown::HashMap;

const PAGE_BITS: u32 = 12;
const PAGE_SLOTS: usize = 1 << PAGE_BITS;
/// How many pages beyond the last the directory may grow at once.
const PAGES_AHEAD_MAX: usize = 1 << 12;
/// How many pages a directory may be told to expect: 17 thousand million ids, 100 MiB of directory.
const PAGES_EXPECTED_MAX: u64 = 1 << 22;

/// Where the rows of an entity are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowAt {
    pub(crate) table_id: TableId,
    pub(crate) table_row: TableRow,
}

impl From<EntityLocation> for RowAt {
    fn from(at: EntityLocation) -> Self {
        Self { table_id: at.table_id, table_row: at.table_row }
    }
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    entity: Entity,
    at: RowAt,
}

/// What [`Ids::seek`] came to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Seek {
    /// An entity, and where its rows are.
    Found(EntityId, RowAt),
    /// Nothing yet: go on from this number.
    Paused(u64),
    /// There is none.
    End,
}

#[derive(Debug)]
struct Page {
    slots: Box<[Option<Slot>]>,
    used: usize,
}

/// The entities, both ways.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    region: u16,
    /// The sequence number of the next entity.
    next: u64,
    count: usize,
    /// How far the directory may grow at once, beside [`PAGES_AHEAD_MAX`].
    expected: usize,
    pages: Vec<Option<Page>>,
    others: HashMap<EntityId, Slot>,
    /// By bevy's index; [`EntityId::NONE`] for entities that are not the world's.
    names: Vec<EntityId>,
}

impl Ids {
    pub(crate) fn new(region: u16) -> Self {
        Self { region, next: 1, ..Self::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// The sequence number that the next new entity gets.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.next
    }

    /// Numbers below `next` may have been used before: they are not given out, and may come back.
    pub(crate) fn expect(&mut self, next: u64) {
        self.next = self.next.max(next);
        self.expected = (next >> PAGE_BITS).min(PAGES_EXPECTED_MAX) as usize;
    }

    /// A new id. It stays used even if nothing comes of it: it may have been told to somebody.
    pub(crate) fn allocate(&mut self) -> EntityId {
        let id = EntityId::new(self.region, self.next);
        self.next += 1;
        id
    }

    #[inline]
    pub(crate) fn entity(&self, id: EntityId) -> Option<Entity> {
        self.slot(id).map(|slot| slot.entity)
    }

    /// Where the entity's rows are.
    #[inline]
    pub(crate) fn locate(&self, id: EntityId) -> Option<RowAt> {
        self.slot(id).map(|slot| slot.at)
    }

    #[inline]
    fn slot(&self, id: EntityId) -> Option<Slot> {
        let sequence = id.sequence();
        if id.region() == self.region
            && let Some(Some(page)) = self.pages.get((sequence >> PAGE_BITS) as usize)
            && let Some(slot) = page.slots[sequence as usize & (PAGE_SLOTS - 1)]
        {
            return Some(slot);
        }
        if self.others.is_empty() { None } else { self.others.get(&id).copied() }
    }

    /// Notes where bevy keeps the rows of its entity `entity` from now on.
    pub(crate) fn moved(&mut self, entity: Entity, at: RowAt) {
        let id = self.name(entity.index());
        let sequence = id.sequence();
        if let Some(slot) = self.others.get_mut(&id) {
            slot.at = at;
        } else if let Some(Some(page)) = self.pages.get_mut((sequence >> PAGE_BITS) as usize)
            && let Some(slot) = &mut page.slots[sequence as usize & (PAGE_SLOTS - 1)]
        {
            slot.at = at;
        }
    }

    /// The id of bevy's entity number `index`, [`EntityId::NONE`] if it is not the world's.
    #[inline]
    pub(crate) fn name(&self, index: EntityIndex) -> EntityId {
        self.names.get(index.index() as usize).copied().unwrap_or(EntityId::NONE)
    }

    /// Names by bevy's index, for loops over a table.
    pub(crate) fn names(&self) -> &[EntityId] {
        &self.names
    }

    pub(crate) fn insert(&mut self, id: EntityId, entity: Entity, at: RowAt) {
        let slot = Slot { entity, at };
        if id.region() == self.region {
            self.next = self.next.max(id.sequence() + 1);
        }
        self.count += 1;
        let index = entity.index_u32() as usize;
        if index >= self.names.len() {
            self.names.resize(index + 1, EntityId::NONE);
        }
        self.names[index] = id;

        let page = (id.sequence() >> PAGE_BITS) as usize;
        if id.region() != self.region || page > self.pages.len().max(self.expected) + PAGES_AHEAD_MAX {
            self.others.insert(id, slot);
            return;
        }
        if page >= self.pages.len() {
            self.pages.resize_with(page + 1, || None);
        }
        let page = self.pages[page]
            .get_or_insert_with(|| Page { slots: vec![None; PAGE_SLOTS].into_boxed_slice(), used: 0 });
        page.slots[id.sequence() as usize & (PAGE_SLOTS - 1)] = Some(slot);
        page.used += 1;
    }

    /// The first entity of the directory whose sequence number is `from` or above and below `end`. Each number
    /// or page that is looked at costs one of `looks`; the search pauses when there are none left.
    #[inline]
    pub(crate) fn seek(&self, from: u64, end: u64, looks: &mut usize) -> Seek {
        let mut at = from;
        while at < end {
            if *looks == 0 {
                return Seek::Paused(at);
            }
            *looks -= 1;
            let number = at >> PAGE_BITS;
            if number >= self.pages.len() as u64 {
                break;
            }
            match &self.pages[number as usize] {
                None => at = (number + 1) << PAGE_BITS,
                Some(page) => match &page.slots[at as usize & (PAGE_SLOTS - 1)] {
                    Some(slot) => return Seek::Found(EntityId::new(self.region, at), slot.at),
                    None => at += 1,
                },
            }
        }
        Seek::End
    }

    /// The entities that are not in the directory, in no order.
    pub(crate) fn others(&self) -> impl ExactSizeIterator<Item = EntityId> {
        self.others.keys().copied()
    }

    pub(crate) fn remove(&mut self, id: EntityId) -> Option<Entity> {
        let entity = self.entity(id)?;
        self.count -= 1;
        self.names[entity.index_u32() as usize] = EntityId::NONE;
        if self.others.remove(&id).is_some() {
            return Some(entity);
        }
        let slot = &mut self.pages[(id.sequence() >> PAGE_BITS) as usize];
        let page = slot.as_mut().expect("the entity was found in this page");
        page.slots[id.sequence() as usize & (PAGE_SLOTS - 1)] = None;
        page.used -= 1;
        if page.used == 0 {
            *slot = None;
        }
        Some(entity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bevy(index: u32) -> Entity {
        Entity::from_raw_u32(index).expect("a small index")
    }

    fn at(row: u32) -> RowAt {
        let row = TableRow::new(nonmax::NonMaxU32::new(row).expect("a small row"));
        RowAt { table_id: TableId::from_u32(1), table_row: row }
    }

    #[test]
    fn finds_its_own_and_foreign_ids_and_frees_pages() {
        let mut ids = Ids::new(7);
        let far = EntityId::new(7, 1 << 40);
        let foreign = EntityId::new(8, 3);
        let own: Vec<EntityId> = (0..10_000).map(|_| ids.allocate()).collect();
        for (index, id) in own.iter().enumerate() {
            ids.insert(*id, bevy(index as u32), at(index as u32));
        }
        ids.insert(foreign, bevy(10_000), at(10_000));
        ids.insert(far, bevy(10_001), at(10_001));
        ids.moved(bevy(10_000), at(3));
        ids.moved(bevy(5000), at(4));
        assert_eq!(
            [foreign, own[5000], far].map(|id| ids.locate(id)),
            [3, 4, 10_001].map(|row| Some(at(row)))
        );
        assert_eq!(ids.len(), 10_002);
        assert!(ids.pages.len() < 10, "a far id does not grow the directory");
        assert_eq!(ids.allocate(), EntityId::new(7, (1 << 40) + 1));
        assert_eq!(ids.entity(own[5000]), Some(bevy(5000)));
        assert_eq!(ids.entity(foreign), Some(bevy(10_000)));
        assert_eq!(ids.name(bevy(10_001).index()), far);

        for id in &own {
            assert!(ids.remove(*id).is_some());
            assert_eq!(ids.entity(*id), None);
        }
        assert!(ids.pages.iter().all(Option::is_none));
        assert_eq!(ids.remove(far), Some(bevy(10_001)));
        assert_eq!(ids.remove(far), None);
        assert_eq!(ids.len(), 1);
    }
}
