//! A unique index on small numbers: an array of slots.

use evertick_schema::EntityId;
use hashbrown::HashMap;

/// The array is at most this much longer than four times the entries.
const SPARE_SLOTS: u64 = 1024;

/// Entities by number, in an array while the numbers are dense. A number far above what the entries justify goes
/// to a hash map instead, so that no key can make the array large.
#[derive(Debug, Default)]
pub(crate) struct Dense {
    slots: Vec<EntityId>,
    sparse: HashMap<u64, EntityId>,
    used: usize,
}

impl Dense {
    #[inline]
    pub(crate) fn get(&self, key: u64) -> Option<EntityId> {
        match self.slots.get(key as usize) {
            Some(entity) if entity.is_some() => Some(*entity),
            _ if self.sparse.is_empty() => None,
            _ => self.sparse.get(&key).copied(),
        }
    }

    pub(crate) fn insert(&mut self, key: u64, entity: EntityId) {
        let len = self.slots.len() as u64;
        if key < len || key < 4 * self.used as u64 + SPARE_SLOTS {
            if key >= len {
                self.slots.resize(key as usize + 1, EntityId::NONE);
            }
            self.slots[key as usize] = entity;
            self.used += 1;
        } else {
            self.sparse.insert(key, entity);
        }
    }

    pub(crate) fn remove(&mut self, key: u64) {
        match self.slots.get_mut(key as usize) {
            Some(entity) if entity.is_some() => {
                *entity = EntityId::NONE;
                self.used -= 1;
            }
            _ => {
                self.sparse.remove(&key);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.used + self.sparse.len()
    }

    /// How long the array is.
    #[cfg(test)]
    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }
}
