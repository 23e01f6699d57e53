//! Rows of one type that changed, column by column, in memory that is used again.

use evertick_schema::EntityId;

/// Entities with their rows and which fields changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Bytes of a row; 0 when rows are of variable length, and `ends` says where they are.
    stride: usize,
    entities: Vec<EntityId>,
    masks: Vec<u64>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Changes {
    /// Empty, for rows of `stride` bytes or of variable length.
    pub(crate) fn new(stride: Option<usize>) -> Self {
        let mut changes = Self::default();
        changes.reset(stride);
        changes
    }

    /// Gives memory back if little of much is in use.
    pub(crate) fn shrink(&mut self) {
        const KEEP_BYTES: usize = 64 << 10;
        let used = 16 * self.entities.len() + self.bytes.len();
        if self.capacity() > KEEP_BYTES && used < self.capacity() / 8 {
            self.entities.shrink_to_fit();
            self.masks.shrink_to_fit();
            self.bytes.shrink_to_fit();
            self.ends.shrink_to_fit();
        }
    }

    /// Forgets everything and keeps the memory.
    pub(crate) fn reset(&mut self, stride: Option<usize>) {
        self.stride = stride.unwrap_or(0);
        self.entities.clear();
        self.masks.clear();
        self.bytes.clear();
        self.ends.clear();
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.entities.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entities.is_empty()
    }

    /// The entities, in the order of [`Changes::iter`].
    pub fn entities(&self) -> &[EntityId] {
        &self.entities
    }

    /// Per entity the fields that changed, bit i for field i.
    pub fn masks(&self) -> &[u64] {
        &self.masks
    }

    /// The rows one behind the other.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The row at `index`, which is below [`Changes::len`].
    pub fn row(&self, index: usize) -> &[u8] {
        if self.ends.is_empty() {
            return &self.bytes[index * self.stride..(index + 1) * self.stride];
        }
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start..self.ends[index]]
    }

    /// Entity, mask of changed fields, and the whole row as it is now; of each entity once.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (EntityId, u64, &[u8])> {
        let (stride, mut ends, mut start) = (self.stride, self.ends.iter(), 0);
        let mut rest = &self.bytes[..];
        self.entities.iter().zip(&self.masks).map(move |(entity, mask)| {
            let bytes = match ends.next() {
                Some(end) => end - std::mem::replace(&mut start, *end),
                None => stride,
            };
            let (row, behind) = rest.split_at(bytes);
            rest = behind;
            (*entity, *mask, row)
        })
    }

    /// Appends one row.
    #[inline]
    pub(crate) fn push(&mut self, entity: EntityId, mask: u64, row: &[u8]) {
        self.entities.push(entity);
        self.masks.push(mask);
        self.bytes.extend_from_slice(row);
        if self.stride == 0 {
            self.ends.push(self.bytes.len());
        }
    }

    /// Appends flat rows: as many masks and rows as entities.
    pub(crate) fn extend(&mut self, entities: &[EntityId], masks: &[u64], rows: &[u8]) {
        self.entities.extend_from_slice(entities);
        self.masks.extend_from_slice(masks);
        self.bytes.extend_from_slice(rows);
        debug_assert_eq!(self.entities.len(), self.masks.len());
        debug_assert_eq!(self.entities.len() * self.stride, self.bytes.len());
    }

    /// Overwrites flat rows from `at` on; their masks get those of `masks` in addition.
    pub(crate) fn overwrite(&mut self, at: usize, masks: &[u64], rows: &[u8]) {
        for (have, mask) in self.masks[at..at + masks.len()].iter_mut().zip(masks) {
            *have |= mask;
        }
        self.bytes[at * self.stride..at * self.stride + rows.len()].copy_from_slice(rows);
    }

    /// Removes the rows of flat changes that `keep` does not want.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(EntityId, u64) -> bool) {
        let stride = self.stride;
        let mut kept = 0;
        for index in 0..self.entities.len() {
            let (entity, mask) = (self.entities[index], self.masks[index]);
            if !keep(entity, mask) {
                continue;
            }
            if kept != index {
                self.entities[kept] = entity;
                self.masks[kept] = mask;
                self.bytes.copy_within(index * stride..(index + 1) * stride, kept * stride);
            }
            kept += 1;
        }
        self.entities.truncate(kept);
        self.masks.truncate(kept);
        self.bytes.truncate(kept * stride);
    }

    /// Bytes of memory that are held, in use or not.
    fn capacity(&self) -> usize {
        8 * (self.entities.capacity() + self.masks.capacity() + self.ends.capacity()) + self.bytes.capacity()
    }
}
