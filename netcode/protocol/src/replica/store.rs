//! The rows of one type.

use evertick_schema::EntityId;
use hashbrown::HashMap;

use crate::frame::TopicId;
use crate::replica::after;
use crate::replica::changes::Changes;

/// Rows by entity, dense, in no order.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowStore {
    /// The row type's number.
    row: u32,
    /// Bytes of a flat row; `None` when rows have tails.
    stride: Option<usize>,
    index: HashMap<EntityId, u32>,
    meta: Vec<Meta>,
    flat: Vec<u8>,
    variable: Vec<Box<[u8]>>,
    /// Holders besides the one in `meta`, of the few rows that have several.
    others: HashMap<EntityId, Vec<TopicId>>,
}

#[derive(Clone, Copy, Debug)]
struct Meta {
    entity: EntityId,
    /// One of the topics that hold the row.
    holder: TopicId,
    /// The newest frame that wrote the row, the low bits of its number.
    written: u32,
    /// The row's note in these changes; valid if `noted_in` is their number.
    note: u32,
    noted_in: u32,
}

/// Where changes are noted.
pub(crate) struct Noting<'c> {
    pub(crate) changes: &'c mut Changes,
    /// The number of these changes, different from those before.
    pub(crate) applied: u32,
    /// The low bits of the frame's number.
    pub(crate) frame: u32,
    /// Notes of rows that were there before and have been removed in these changes.
    pub(crate) removed: &'c mut HashMap<(u32, EntityId), u32>,
}

impl RowStore {
    pub(crate) fn new(row: u32, stride: Option<usize>) -> Self {
        Self { row, stride, ..Self::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.meta.len()
    }

    pub(crate) fn find(&self, entity: EntityId) -> Option<u32> {
        self.index.get(&entity).copied()
    }

    pub(crate) fn row(&self, index: u32) -> &[u8] {
        let index = index as usize;
        match self.stride {
            Some(stride) => &self.flat[index * stride..(index + 1) * stride],
            None => &self.variable[index],
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (EntityId, &[u8])> {
        self.meta.iter().enumerate().map(|(index, meta)| (meta.entity, self.row(index as u32)))
    }

    /// Whether a topic holds the row.
    pub(crate) fn is_held(&self, index: u32, topic: TopicId) -> bool {
        let meta = self.meta[index as usize];
        meta.holder == topic || self.others.get(&meta.entity).is_some_and(|others| others.contains(&topic))
    }

    /// A topic holds the row from now on. Returns whether it is one more than before.
    pub(crate) fn hold(&mut self, index: u32, topic: TopicId) -> bool {
        if self.is_held(index, topic) {
            return false;
        }
        self.others.entry(self.meta[index as usize].entity).or_default().push(topic);
        true
    }

    /// A topic, which holds the row, lets go of it. Returns whether others hold it still.
    pub(crate) fn release(&mut self, index: u32, topic: TopicId) -> bool {
        let meta = &mut self.meta[index as usize];
        let Some(others) = self.others.get_mut(&meta.entity) else { return false };
        if meta.holder == topic {
            meta.holder = others.swap_remove(0);
        } else {
            others.retain(|other| *other != topic);
        }
        if others.is_empty() {
            self.others.remove(&meta.entity);
        }
        true
    }

    /// The newest frame that wrote the row, the low bits of its number.
    pub(crate) fn written(&self, index: u32) -> u32 {
        self.meta[index as usize].written
    }

    /// All flat rows, one behind the other.
    pub(crate) fn flat_mut(&mut self) -> &mut [u8] {
        &mut self.flat
    }

    pub(crate) fn set_variable(&mut self, index: u32, row: &[u8]) {
        self.variable[index as usize] = row.into();
    }

    /// Says that the row is about to be written.
    pub(crate) fn touch(&mut self, index: u32, noting: &mut Noting<'_>) {
        let Meta { entity, noted_in, .. } = self.meta[index as usize];
        if noted_in != noting.applied {
            let note = noting.changes.note(self.row, entity, Some(self.row(index)), Some(index));
            let meta = &mut self.meta[index as usize];
            (meta.note, meta.noted_in) = (note, noting.applied);
        }
        let written = &mut self.meta[index as usize].written;
        if after(noting.frame, *written) {
            *written = noting.frame;
        }
    }

    /// Adds a row of zeros, or without bytes, for an entity that has none.
    pub(crate) fn insert(&mut self, entity: EntityId, holder: TopicId, noting: &mut Noting<'_>) -> u32 {
        let index = self.meta.len() as u32;
        let note = match noting.removed.remove(&(self.row, entity)) {
            Some(note) => {
                noting.changes.moved(note, Some(index));
                note
            }
            None => noting.changes.note(self.row, entity, None, Some(index)),
        };
        self.meta.push(Meta { entity, holder, written: noting.frame, note, noted_in: noting.applied });
        self.index.insert(entity, index);
        match self.stride {
            Some(stride) => self.flat.resize(self.flat.len() + stride, 0),
            None => self.variable.push(Box::default()),
        }
        index
    }

    /// Removes a row; the last one takes its place. Returns the bytes it had.
    pub(crate) fn remove(&mut self, index: u32, noting: &mut Noting<'_>) -> usize {
        let Meta { entity, note, noted_in, .. } = self.meta[index as usize];
        let len = self.row(index).len();
        let note = if noted_in == noting.applied {
            noting.changes.moved(note, None);
            note
        } else {
            noting.changes.note(self.row, entity, Some(self.row(index)), None)
        };
        noting.removed.insert((self.row, entity), note);
        self.index.remove(&entity);
        self.meta.swap_remove(index as usize);
        if let Some(moved) = self.meta.get(index as usize) {
            self.index.insert(moved.entity, index);
            if moved.noted_in == noting.applied {
                noting.changes.moved(moved.note, Some(index));
            }
        }
        match self.stride {
            Some(stride) => {
                let at = index as usize * stride;
                let last = self.flat.len() - stride;
                self.flat.copy_within(last.., at);
                self.flat.truncate(last);
            }
            None => drop(self.variable.swap_remove(index as usize)),
        }
        len
    }
}
