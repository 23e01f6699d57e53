//! Rows of one type that move, by topic and slot.
//!
//! Hot: changes come in no order. So what one leaves is written without a look at what was there, which nobody has to wait for; the frame
//! puts it together when it reads the rows of a topic one behind the other.

use std::ops::Range;

use evertick_protocol::TopicId;

/// A row that has not changed for so many ticks rests.
const REST_TICKS: u8 = 4;

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

/// A row that moves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowState {
    pub(crate) slot: u32,
    /// The fields that have changed since it began to, and their number.
    pub(crate) mask: u64,
    pub(crate) fields: u8,
    /// Whether it has not changed for so long that it rests.
    pub(crate) rests: bool,
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

    /// Calls `each` with the rows of a topic that move, by slot, in a frame of a tick with these lowest bits. Those that it returns `false` for do
    /// not move any more.
    #[inline]
    pub(crate) fn each(&mut self, topic: TopicId, tick: u8, mut each: impl FnMut(RowState) -> bool) {
        let range = self.range(topic);
        let (fresh, masks) = (&mut self.fresh[range.clone()], &mut self.masks[range.clone()]);
        for (slot, ((fresh, mask), changed)) in
            fresh.iter_mut().zip(masks).zip(&mut self.ticks[range]).enumerate()
        {
            let (now, before) = (std::mem::take(fresh), *mask);
            if now | before == 0 {
                continue;
            }
            if now != 0 {
                *changed = tick;
            }
            let number = if now == 0 || now == before { before } else { both(&mut self.fields, now, before) };
            let rests = tick.wrapping_sub(*changed) >= REST_TICKS;
            let state =
                RowState { slot: slot as u32, mask: self.fields[usize::from(number)], fields: number, rests };
            let goes_on = each(state);
            *mask = if goes_on { number } else { 0 };
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
