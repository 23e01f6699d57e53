//! Indexes by hash or by order, unique or not.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::ops::Bound;

use evertick_schema::EntityId;
use hashbrown::HashMap;

/// A bucket of more entities than this is a tree: its vector would be moved about for too long.
const BUCKET_MAX: usize = 64;

/// A key as it is kept, with what it is looked up by.
pub(crate) trait Key: Hash + Ord + Borrow<Self::Ref> {
    type Ref: Hash + Ord + ?Sized;

    fn owned(key: &Self::Ref) -> Self;
}

impl Key for u64 {
    type Ref = Self;

    fn owned(key: &Self) -> Self {
        *key
    }
}

impl Key for Box<[u8]> {
    type Ref = [u8];

    fn owned(key: &[u8]) -> Self {
        key.into()
    }
}

/// Entities by key.
#[derive(Debug)]
pub(crate) enum Keyed<K> {
    UniqueHash(HashMap<K, EntityId>),
    Hash { buckets: HashMap<K, Bucket>, len: usize },
    UniqueOrdered(BTreeMap<K, EntityId>),
    Ordered(BTreeSet<(K, EntityId)>),
}

/// Entities with the same key, ascending.
#[derive(Debug)]
pub(crate) enum Bucket {
    One(EntityId),
    Few(Vec<EntityId>),
    Many(BTreeSet<EntityId>),
}

impl<K: Key> Keyed<K> {
    pub(crate) fn new(ordered: bool, unique: bool) -> Self {
        match (ordered, unique) {
            (false, true) => Self::UniqueHash(HashMap::new()),
            (false, false) => Self::Hash { buckets: HashMap::new(), len: 0 },
            (true, true) => Self::UniqueOrdered(BTreeMap::new()),
            (true, false) => Self::Ordered(BTreeSet::new()),
        }
    }

    #[inline]
    pub(crate) fn first(&self, key: &K::Ref) -> Option<EntityId> {
        match self {
            Self::UniqueHash(entries) => entries.get(key).copied(),
            Self::UniqueOrdered(entries) => entries.get(key).copied(),
            Self::Hash { buckets, .. } => buckets.get(key).map(Bucket::first),
            Self::Ordered(entries) => equal(entries, key).next(),
        }
    }

    pub(crate) fn all(&self, key: &K::Ref, out: &mut Vec<EntityId>) {
        match self {
            Self::Hash { buckets, .. } => {
                if let Some(bucket) = buckets.get(key) {
                    bucket.all(out);
                }
            }
            Self::Ordered(entries) => out.extend(equal(entries, key)),
            _ => out.extend(self.first(key)),
        }
    }

    pub(crate) fn range(&self, lo: Bound<K>, hi: Bound<K>, out: &mut Vec<EntityId>) {
        if is_empty(&lo, &hi) {
            return;
        }
        match self {
            Self::UniqueOrdered(entries) => {
                out.extend(entries.range::<K, _>((lo, hi)).map(|(_, entity)| *entity));
            }
            Self::Ordered(entries) => {
                const LAST: EntityId = EntityId(u64::MAX);
                let lo = match lo {
                    Bound::Included(key) => Bound::Included((key, EntityId::NONE)),
                    Bound::Excluded(key) => Bound::Excluded((key, LAST)),
                    Bound::Unbounded => Bound::Unbounded,
                };
                let hi = match hi {
                    Bound::Included(key) => Bound::Included((key, LAST)),
                    Bound::Excluded(key) => Bound::Excluded((key, EntityId::NONE)),
                    Bound::Unbounded => Bound::Unbounded,
                };
                out.extend(entries.range((lo, hi)).map(|(_, entity)| *entity));
            }
            Self::UniqueHash(_) | Self::Hash { .. } => {}
        }
    }

    /// Makes room for so many entries more. How many keys they share is not known, unless that is none.
    pub(crate) fn reserve(&mut self, more: usize) {
        if let Self::UniqueHash(entries) = self {
            entries.reserve(more);
        }
    }

    pub(crate) fn insert(&mut self, key: K, entity: EntityId) {
        match self {
            Self::UniqueHash(entries) => drop(entries.insert(key, entity)),
            Self::UniqueOrdered(entries) => drop(entries.insert(key, entity)),
            Self::Ordered(entries) => drop(entries.insert((key, entity))),
            Self::Hash { buckets, len } => {
                *len += 1;
                buckets.entry(key).and_modify(|bucket| bucket.insert(entity)).or_insert(Bucket::One(entity));
            }
        }
    }

    pub(crate) fn remove(&mut self, key: &K::Ref, entity: EntityId) {
        match self {
            Self::UniqueHash(entries) => drop(entries.remove(key)),
            Self::UniqueOrdered(entries) => drop(entries.remove(key)),
            Self::Ordered(entries) => drop(entries.remove(&(K::owned(key), entity))),
            Self::Hash { buckets, len } => {
                if let Some(bucket) = buckets.get_mut(key) {
                    *len -= 1;
                    if bucket.remove(entity) {
                        buckets.remove(key);
                    }
                }
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::UniqueHash(entries) => entries.len(),
            Self::UniqueOrdered(entries) => entries.len(),
            Self::Ordered(entries) => entries.len(),
            Self::Hash { len, .. } => *len,
        }
    }
}

fn equal<K: Key>(entries: &BTreeSet<(K, EntityId)>, key: &K::Ref) -> impl Iterator<Item = EntityId> {
    let range = (K::owned(key), EntityId::NONE)..=(K::owned(key), EntityId(u64::MAX));
    entries.range(range).map(|(_, entity)| *entity)
}

/// Whether nothing can be within the bounds; `BTreeMap::range` panics on some of those.
fn is_empty<K: Ord>(lo: &Bound<K>, hi: &Bound<K>) -> bool {
    match (lo, hi) {
        (Bound::Included(lo), Bound::Included(hi)) => lo > hi,
        (Bound::Included(lo) | Bound::Excluded(lo), Bound::Included(hi) | Bound::Excluded(hi)) => lo >= hi,
        _ => false,
    }
}

impl Bucket {
    fn first(&self) -> EntityId {
        match self {
            Self::One(entity) => *entity,
            Self::Few(entities) => entities[0],
            Self::Many(entities) => *entities.first().expect("an empty bucket is removed"),
        }
    }

    fn all(&self, out: &mut Vec<EntityId>) {
        match self {
            Self::One(entity) => out.push(*entity),
            Self::Few(entities) => out.extend_from_slice(entities),
            Self::Many(entities) => out.extend(entities),
        }
    }

    fn insert(&mut self, entity: EntityId) {
        match self {
            Self::One(first) => *self = Self::Few(vec![entity.min(*first), entity.max(*first)]),
            Self::Few(entities) => {
                if let Err(at) = entities.binary_search(&entity) {
                    entities.insert(at, entity);
                }
                if entities.len() > BUCKET_MAX {
                    *self = Self::Many(entities.iter().copied().collect());
                }
            }
            Self::Many(entities) => {
                entities.insert(entity);
            }
        }
    }

    /// Removes `entity`; returns whether nothing is left.
    fn remove(&mut self, entity: EntityId) -> bool {
        match self {
            Self::One(_) => true,
            Self::Few(entities) => {
                if let Ok(at) = entities.binary_search(&entity) {
                    entities.remove(at);
                }
                if let [last] = entities[..] {
                    *self = Self::One(last);
                }
                false
            }
            Self::Many(entities) => {
                entities.remove(&entity);
                if entities.len() <= BUCKET_MAX / 2 {
                    *self = Self::Few(entities.iter().copied().collect());
                }
                false
            }
        }
    }
}
