//! Rows of one type that move, by topic and slot.
//!
//! Hot: changes come in no order. So what one leaves is written without a look at what was there, which nobody has to wait for; the frame
//! puts it together when it reads the rows of a topic one behind the other.

use std::ops::Range;

use evertick_protocol::{TopicId, set_bits};

/// A row that has not changed for so many ticks rests.
const REST_TICKS: u8 = 4;

/// Room for rows is made for so many slots at a time; for twice as many as there are, once there are [`SLOTS_MANY`].
const SLOTS_STEP: u32 = 8;
const SLOTS_MANY: u32 = 32;
const _: () = assert!(SLOTS_STEP == size_of::<u64>() as u32, "a topic's slots are words");
/// So many rows that are no topic's are not worth closing up.
const ABANDONED_MIN: usize = 1024;

/// The lowest bit of each byte.
const EACH_BYTE: u64 = u64::from_le_bytes([1; 8]);

/// The rows of one type.
#[derive(Debug)]
pub(crate) struct RowStates {
    /// By topic.
    places: Vec<Places>,
    /// By topic and slot: the number of the fields that have changed since the last frame; 0 when none have.
    fresh: Vec<u8>,
    /// By topic and slot: the number of those that have since the row began to move; 0 when it does not.
    masks: Vec<u8>,
    /// By topic and slot: the lowest bits of the tick whose frame told of its last change. Rows that move are looked at in each tick that is
    /// told of; when more than 200 are not, one may come to rest later.
    ticks: Vec<u8>,
    /// By topic and slot: what a row is that moves.
    values: Vec<u8>,
    row_bytes: usize,
    /// Rows that are no topic's any more.
    abandoned: usize,
    /// Sets of fields, by number; the first has none.
    fields: Vec<u64>,
    /// The fields that were marked last, and their number.
    last: (u64, u8),
}

/// Where the rows of a topic are: so many, by slot.
#[derive(Clone, Copy, Debug, Default)]
struct Places {
    first: u32,
    count: u32,
}

/// The rows of a topic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TopicRows<'r> {
    values: &'r [u8],
    row_bytes: usize,
    fields: &'r [u64],
}

impl<'r> TopicRows<'r> {
    /// What the row at a slot is, if it moves.
    #[inline]
    pub(crate) fn value(&self, slot: u32) -> &'r [u8] {
        &self.values[slot as usize * self.row_bytes..][..self.row_bytes]
    }

    /// The fields that have this number.
    #[inline]
    pub(crate) fn mask(&self, fields: u8) -> u64 {
        self.fields[usize::from(fields)]
    }
}

impl RowStates {
    /// Nothing moves yet; a row has so many bytes.
    pub(crate) fn new(row_bytes: usize) -> Self {
        Self {
            places: Vec::new(),
            fresh: Vec::new(),
            masks: Vec::new(),
            ticks: Vec::new(),
            values: Vec::new(),
            row_bytes,
            abandoned: 0,
            fields: vec![0],
            last: (0, 0),
        }
    }

    /// There are so many topics.
    pub(crate) fn reach(&mut self, topics: usize) {
        if topics > self.places.len() {
            self.places.resize(topics, Places::default());
        }
    }

    /// Fields of the row at that slot have changed; it is `row` now.
    #[inline]
    pub(crate) fn mark(&mut self, (topic, slot): (TopicId, u32), mask: u64, row: &[u8]) {
        let at = self.place(topic, slot);
        let before = self.fields[usize::from(self.fresh[at])];
        self.write(at, before | mask, row);
    }

    /// The same, for the first time since the last frame.
    #[inline]
    pub(crate) fn mark_first(&mut self, (topic, slot): (TopicId, u32), mask: u64, row: &[u8]) {
        let at = self.place(topic, slot);
        self.write(at, mask, row);
    }

    #[inline]
    fn place(&mut self, topic: TopicId, slot: u32) -> usize {
        let mut places = self.places[topic.0 as usize];
        if slot >= places.count {
            places = self.make_room(topic, slot);
        }
        (places.first + slot) as usize
    }

    #[inline(always)]
    fn write(&mut self, at: usize, fields: u64, row: &[u8]) {
        if self.last.0 != fields {
            self.last = (fields, number(&mut self.fields, fields));
        }
        self.fresh[at] = self.last.1;
        let value = &mut self.values[at * self.row_bytes..][..self.row_bytes];
        // Of a usual length, without the call that a copy of unknown length takes.
        match (<&mut [u8; 8]>::try_from(&mut *value), <&[u8; 8]>::try_from(row)) {
            (Ok(value), Ok(row)) => *value = *row,
            _ => value.copy_from_slice(row),
        }
    }

    /// The row at that slot does not move any more.
    pub(crate) fn stop(&mut self, topic: TopicId, slot: u32) {
        let Places { first, count } = self.places[topic.0 as usize];
        if slot < count {
            let at = (first + slot) as usize;
            (self.fresh[at], self.masks[at]) = (0, 0);
        }
    }

    /// Goes through the rows of a topic that moved, by slot, in a frame of a tick with these lowest bits. Appends the slots of those that go on, and
    /// the numbers of the fields that have changed since they began to; hands the slots and fields of those that rest now to `rest`. Those that
    /// are not `known`, if that says anything, do not move any more.
    #[inline]
    pub(crate) fn each(
        &mut self,
        (topic, tick): (TopicId, u8),
        known: Option<impl Fn(u32) -> bool>,
        (slots, fields): (&mut Vec<u32>, &mut Vec<u8>),
        mut rest: impl FnMut(u32, u64),
    ) {
        let range = self.range(topic);
        let (fresh, _) = self.fresh[range.clone()].as_chunks_mut();
        let (masks, _) = self.masks[range.clone()].as_chunks_mut();
        let (ticks, _) = self.ticks[range].as_chunks_mut();
        for (first, ((fresh, masks), ticks)) in (0..).step_by(8).zip(fresh.iter_mut().zip(masks).zip(ticks)) {
            let (now, before) = (u64::from_le_bytes(*fresh), u64::from_le_bytes(*masks));
            if now | before == 0 {
                continue;
            }
            *fresh = [0; 8];
            let changed = bytes_set(now);
            let kept = u64::from_le_bytes(*ticks) & !changed;
            *ticks = (kept | (u64::from(tick) * EACH_BYTE) & changed).to_le_bytes();
            // All in the word that moved have moved again, and in the same fields. That is so for most.
            if now == before {
                if changed == u64::MAX && known.is_none() {
                    slots.extend_from_slice(&[0, 1, 2, 3, 4, 5, 6, 7].map(|slot| first + slot));
                    fields.extend_from_slice(masks);
                    continue;
                }
                for at in set_bits(changed & EACH_BYTE).map(|bit| bit / 8) {
                    let (slot, mask) = (first + at, &mut masks[at as usize]);
                    if known.as_ref().is_none_or(|known| known(slot)) {
                        slots.push(slot);
                        fields.push(*mask);
                    } else {
                        *mask = 0;
                    }
                }
                continue;
            }
            for (slot, ((now, mask), changed)) in
                (first..).zip(now.to_le_bytes().iter().zip(masks).zip(ticks))
            {
                let before = std::mem::take(mask);
                if now | before == 0 || known.as_ref().is_some_and(|known| !known(slot)) {
                    continue;
                }
                let number =
                    if *now == 0 || *now == before { before } else { both(&mut self.fields, *now, before) };
                if tick.wrapping_sub(*changed) >= REST_TICKS {
                    rest(slot, self.fields[usize::from(number)]);
                } else {
                    *mask = number;
                    slots.push(slot);
                    fields.push(number);
                }
            }
        }
    }

    /// The rows of a topic.
    #[inline]
    pub(crate) fn rows(&self, topic: TopicId) -> TopicRows<'_> {
        let Range { start, end } = self.range(topic);
        let values = &self.values[start * self.row_bytes..end * self.row_bytes];
        TopicRows { values, row_bytes: self.row_bytes, fields: &self.fields }
    }

    /// Where the rows of a topic are.
    #[inline]
    fn range(&self, topic: TopicId) -> Range<usize> {
        let Places { first, count } = self.places[topic.0 as usize];
        first as usize..(first + count) as usize
    }

    /// Makes room for this slot of a topic, and some behind it.
    #[cold]
    fn make_room(&mut self, topic: TopicId, slot: u32) -> Places {
        let before = self.range(topic);
        self.abandon(topic);
        let slots = slot + 1;
        let count =
            if slots < SLOTS_MANY { slots.next_multiple_of(SLOTS_STEP) } else { slots.next_power_of_two() };
        let places = Places { first: self.masks.len() as u32, count };
        let len = (places.first + count) as usize;
        for list in [&mut self.fresh, &mut self.masks, &mut self.ticks] {
            list.extend_from_within(before.clone());
            list.resize(len, 0);
        }
        self.values.extend_from_within(before.start * self.row_bytes..before.end * self.row_bytes);
        self.values.resize(len * self.row_bytes, 0);
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
        if self.abandoned <= ABANDONED_MIN || self.abandoned < self.masks.len() / 3 {
            return;
        }
        let ranges: Vec<_> = (0..self.places.len()).map(|topic| self.range(TopicId(topic as u32))).collect();
        let mut first = 0;
        for (places, range) in self.places.iter_mut().zip(&ranges) {
            places.first = first;
            first += range.len() as u32;
        }
        let close = |list: &mut Vec<u8>, bytes: usize| {
            let rows = ranges.iter().flat_map(|range| &list[range.start * bytes..range.end * bytes]);
            *list = rows.copied().collect();
        };
        for list in [&mut self.fresh, &mut self.masks, &mut self.ticks] {
            close(list, 1);
        }
        close(&mut self.values, self.row_bytes);
        self.abandoned = 0;
    }
}

/// All bits of those bytes of `word` that are not 0.
#[inline]
const fn bytes_set(word: u64) -> u64 {
    const LOW: u64 = 0x7f * EACH_BYTE;
    let high = (word & LOW).wrapping_add(LOW) | word;
    ((high >> 7) & EACH_BYTE) * 0xff
}

/// The number in `all` that stands for these fields, or, when there are too many such sets, for all.
fn number(all: &mut Vec<u64>, fields: u64) -> u8 {
    let last = usize::from(u8::MAX);
    let known = all.iter().position(|known| *known == fields);
    known.unwrap_or_else(|| {
        all.push(if all.len() < last { fields } else { u64::MAX });
        all.truncate(last + 1);
        all.len() - 1
    }) as u8
}

/// The number that stands for the fields of two together.
#[cold]
fn both(all: &mut Vec<u64>, one: u8, other: u8) -> u8 {
    let fields = all[usize::from(one)] | all[usize::from(other)];
    number(all, fields)
}
