//! Which entities a topic's subscribers know, by which slots, and which rows of them.

use crate::slots::Slots;
use evertick_protocol::{SLOTS_MAX, prefetch, set_bits};
use evertick_schema::{Duration, EntityId, Timestamp};

/// The clients' knowledge of one topic, as of the last frame. Invariant: an entity has a slot exactly while
/// at least one of its rows is known. Which slot an entity has, [`Spots`](crate::spots::Spots) say.
#[derive(Debug)]
pub(crate) struct Roster {
    /// Words of known-bits per slot.
    words: usize,
    len: usize,
    /// By slot; `NONE` where the slot is free.
    entities: Vec<EntityId>,
    /// By slot and column: whether clients have the row.
    known: Vec<u64>,
    slots: Slots,
}

impl Roster {
    /// A roster for topics whose rows have `columns` types.
    pub(crate) fn new(columns: usize) -> Self {
        Self {
            words: columns.div_ceil(64),
            len: 0,
            entities: Vec::new(),
            known: Vec::new(),
            slots: Slots::default(),
        }
    }

    /// Has the processor fetch what is behind this.
    pub(crate) fn prefetch(&self) {
        prefetch(self.entities.as_ptr(), 1);
        prefetch(self.known.as_ptr(), 1);
    }

    /// How many entities have a slot.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn entity(&self, slot: u32) -> EntityId {
        self.entities[slot as usize]
    }

    /// Gives an entity a slot, unless none is left.
    pub(crate) fn enter(&mut self, entity: EntityId, now: Timestamp, rest: Duration) -> Option<u32> {
        let slot = self.slots.allocate(now, rest, SLOTS_MAX)?;
        if slot as usize >= self.entities.len() {
            self.entities.resize(slot as usize + 1, EntityId::NONE);
            self.known.resize(self.entities.len() * self.words, 0);
        }
        self.entities[slot as usize] = entity;
        self.len += 1;
        Some(slot)
    }

    pub(crate) fn leave(&mut self, slot: u32, now: Timestamp) {
        self.len -= 1;
        self.entities[slot as usize] = EntityId::NONE;
        self.known_words(slot).fill(0);
        self.slots.free(slot, now);
    }

    pub(crate) fn knows(&self, slot: u32, column: u16) -> bool {
        let word = slot as usize * self.words + usize::from(column) / 64;
        self.known[word] >> (column % 64) & 1 == 1
    }

    pub(crate) fn set_known(&mut self, slot: u32, column: u16, known: bool) {
        let word = &mut self.known_words(slot)[usize::from(column) / 64];
        let bit = 1 << (column % 64);
        *word = if known { *word | bit } else { *word & !bit };
    }

    /// Whether clients have any row of the entity at `slot`.
    pub(crate) fn knows_any(&self, slot: u32) -> bool {
        let start = slot as usize * self.words;
        self.known[start..start + self.words].iter().any(|word| *word != 0)
    }

    /// The columns known of the entity at `slot`, ascending.
    pub(crate) fn columns(&self, slot: u32) -> impl Iterator<Item = u16> + '_ {
        let start = slot as usize * self.words;
        self.known[start..start + self.words]
            .iter()
            .enumerate()
            .flat_map(|(index, word)| set_bits(*word).map(move |bit| (index * 64) as u16 + bit as u16))
    }

    /// Slots in use with their entities, by slot.
    pub(crate) fn members(&self) -> impl Iterator<Item = (u32, EntityId)> + '_ {
        let all = self.entities.iter().enumerate();
        all.filter(|(_, entity)| entity.is_some()).map(|(slot, entity)| (slot as u32, *entity))
    }

    fn known_words(&mut self, slot: u32) -> &mut [u64] {
        let start = slot as usize * self.words;
        &mut self.known[start..start + self.words]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn known_rows_are_kept_by_slot_and_column() {
        let (now, rest) = (Timestamp(0), Duration::ZERO);
        let mut roster = Roster::new(130);
        let slot = roster.enter(EntityId(7), now, rest).unwrap();
        for column in [0, 63, 64, 129] {
            roster.set_known(slot, column, true);
        }
        assert_eq!(roster.columns(slot).collect::<Vec<_>>(), [0, 63, 64, 129]);
        roster.set_known(slot, 63, false);
        assert!(!roster.knows(slot, 63) && roster.knows(slot, 64));

        roster.leave(slot, now);
        let again = roster.enter(EntityId(8), now, rest).unwrap();
        assert_eq!(again, slot);
        assert!(!roster.knows_any(again), "a reused slot starts empty");
        assert_eq!((roster.len(), roster.entity(again)), (1, EntityId(8)));
    }
}
