//! Indexes: from a field's value to the entities whose rows have it.
//!
//! Keys of at most eight bytes are numbers, others byte strings. Entities of equal keys are given in ascending
//! order, whatever happened before; so what a game sees of an index follows from the rows alone.

mod dense;
mod keyed;

use std::ops::Bound;

use evertick_schema::{EntityId, FieldLayout, IndexDef, IndexKind};

use crate::key::KeyField;
use dense::Dense;
use keyed::Keyed;

/// One index of a row type.
#[derive(Debug)]
pub(crate) struct Index {
    def: IndexDef,
    key: KeyField,
    entries: Entries,
}

#[derive(Debug)]
enum Entries {
    Dense(Dense),
    Numbers(Keyed<u64>),
    Bytes(Keyed<Box<[u8]>>),
}

impl Index {
    pub(crate) fn new(def: IndexDef, field: &FieldLayout) -> Self {
        let key = KeyField::new(field);
        let ordered = def.kind == IndexKind::Ordered;
        let entries = match (key.is_number(), def.kind, def.unique) {
            (true, IndexKind::Dense, true) => Entries::Dense(Dense::default()),
            (true, ..) => Entries::Numbers(Keyed::new(ordered, def.unique)),
            (false, ..) => Entries::Bytes(Keyed::new(ordered, def.unique)),
        };
        Self { def, key, entries }
    }

    pub(crate) fn field(&self) -> u16 {
        self.def.field
    }

    pub(crate) fn is_unique(&self) -> bool {
        self.def.unique
    }

    /// The key of `row`.
    #[inline]
    pub(crate) fn key_of<'row>(&self, row: &'row [u8]) -> &'row [u8] {
        self.key.of(row)
    }

    /// The first entity with `key`.
    #[inline]
    pub(crate) fn find(&self, key: &[u8]) -> Option<EntityId> {
        match &self.entries {
            Entries::Dense(entries) => entries.get(self.key.number(key)?),
            Entries::Numbers(entries) => entries.first(&self.key.number(key)?),
            Entries::Bytes(entries) => entries.first(key),
        }
    }

    /// Appends all entities with `key`, ascending.
    pub(crate) fn lookup(&self, key: &[u8], out: &mut Vec<EntityId>) {
        match &self.entries {
            Entries::Dense(_) => out.extend(self.find(key)),
            Entries::Numbers(entries) => {
                if let Some(key) = self.key.number(key) {
                    entries.all(&key, out);
                }
            }
            Entries::Bytes(entries) => entries.all(key, out),
        }
    }

    /// Appends the entities whose keys are within the bounds, by key, then entity. An index without order
    /// can only do equality and gives nothing else; so does a bound that is no key.
    pub(crate) fn range(&self, lo: Bound<&[u8]>, hi: Bound<&[u8]>, out: &mut Vec<EntityId>) {
        if self.def.kind != IndexKind::Ordered {
            if let (Bound::Included(lo), Bound::Included(hi)) = (lo, hi)
                && lo == hi
            {
                self.lookup(lo, out);
            }
            return;
        }
        match &self.entries {
            Entries::Numbers(entries) => {
                let number = |bound: Bound<&[u8]>| match bound {
                    Bound::Included(key) => self.key.number(key).map(Bound::Included),
                    Bound::Excluded(key) => self.key.number(key).map(Bound::Excluded),
                    Bound::Unbounded => Some(Bound::Unbounded),
                };
                if let (Some(lo), Some(hi)) = (number(lo), number(hi)) {
                    entries.range(lo, hi, out);
                }
            }
            Entries::Bytes(entries) => {
                let fits = |bound: &Bound<&[u8]>| match bound {
                    Bound::Included(key) | Bound::Excluded(key) => self.key.fits(key),
                    Bound::Unbounded => true,
                };
                if fits(&lo) && fits(&hi) {
                    entries.range(lo.map(Box::from), hi.map(Box::from), out);
                }
            }
            Entries::Dense(_) => {}
        }
    }

    /// Makes room for so many entities more, where that is known to be needed.
    pub(crate) fn reserve(&mut self, more: usize) {
        match &mut self.entries {
            Entries::Dense(_) => {}
            Entries::Numbers(entries) => entries.reserve(more),
            Entries::Bytes(entries) => entries.reserve(more),
        }
    }

    /// Adds `entity` under `key`, which is of a valid row, and if the index is unique nobody else's.
    pub(crate) fn insert(&mut self, key: &[u8], entity: EntityId) {
        match &mut self.entries {
            Entries::Dense(entries) => entries.insert(number(&self.key, key), entity),
            Entries::Numbers(entries) => entries.insert(number(&self.key, key), entity),
            Entries::Bytes(entries) => entries.insert(key.into(), entity),
        }
    }

    /// Removes `entity`, which is there under `key`.
    pub(crate) fn remove(&mut self, key: &[u8], entity: EntityId) {
        match &mut self.entries {
            Entries::Dense(entries) => entries.remove(number(&self.key, key)),
            Entries::Numbers(entries) => entries.remove(&number(&self.key, key), entity),
            Entries::Bytes(entries) => entries.remove(key, entity),
        }
    }

    /// How many entities it has.
    pub(crate) fn len(&self) -> usize {
        match &self.entries {
            Entries::Dense(entries) => entries.len(),
            Entries::Numbers(entries) => entries.len(),
            Entries::Bytes(entries) => entries.len(),
        }
    }
}

fn number(field: &KeyField, key: &[u8]) -> u64 {
    field.number(key).expect("the key of a valid row has the field's length")
}

#[cfg(test)]
mod tests;
