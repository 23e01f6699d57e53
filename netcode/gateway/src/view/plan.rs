//! When the topics of a session are due, as bits.
//!
//! A topic that is due every second or fourth tick is due once in each stretch of so many ticks. Where the stretches begin differs from
//! topic to topic, and from session to session, so that a session's ticks are alike, and a tick's sessions.
//!
//! Hot: a frame takes the words of its tick, and what is of no use in them is not looked at. There is a word for topics whose numbers lie
//! together, as those of neighbouring cells do: what a session sees is in few. What is due and not sent stays due: it is *late*.

use evertick_protocol::{TOPICS_PER_WORD, TopicId, prefetch};

use super::{Content, Grade, ON_TIME, ShortTick, Topic, View};

/// After so many ticks it begins again.
const TICKS: usize = Grade::Quarter.interval() as usize;
/// More words than most views have.
const WORDS_FETCHED: usize = 4;

/// When the topics of a view are due.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// By number.
    pub(super) words: Vec<Word>,
}

/// The topics of a view whose numbers by [`TOPICS_PER_WORD`] are the same. One line of a cache.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
pub(super) struct Word {
    pub(super) number: u32,
    /// The place in the view of the first.
    first: u32,
    /// All of them.
    pub(super) topics: u64,
    /// By a tick's number, modulo [`TICKS`]: those that are due in it.
    due: [u64; TICKS],
    /// Those that were due and not sent.
    pub(super) late: u64,
    /// Those without a grade: some part of them may be due in each tick.
    pub(super) cut: u64,
}

const _: () = assert!(size_of::<Word>() == 64, "it is one line");

impl Plan {
    /// Has the processor fetch it.
    pub(super) fn prefetch(&self) {
        let words = self.words.len().min(WORDS_FETCHED);
        prefetch(self.words.as_ptr(), words * size_of::<Word>());
    }

    /// The place in the view of a topic: `at` is its word times [`TOPICS_PER_WORD`], and its bit in that.
    pub(super) fn index(&self, at: u32) -> usize {
        self.words[(at / TOPICS_PER_WORD) as usize].index(at % TOPICS_PER_WORD)
    }

    /// A topic, which is given in the same way, is due and was not sent.
    pub(super) fn add_late(&mut self, at: u32) {
        self.words[(at / TOPICS_PER_WORD) as usize].late |= 1 << (at % TOPICS_PER_WORD);
    }
}

impl Word {
    /// The topic of this bit.
    #[inline]
    pub(super) const fn topic(&self, bit: u32) -> TopicId {
        TopicId(self.number * TOPICS_PER_WORD + bit)
    }

    /// The place in the view of the topic of this bit.
    #[inline]
    pub(super) const fn index(&self, bit: u32) -> usize {
        self.first as usize + (self.topics & ((1 << bit) - 1)).count_ones() as usize
    }

    /// Those that are due with the frame of `tick`, so many ticks after the frame before, but for those that are late.
    #[inline]
    pub(super) fn due(&self, tick: ShortTick, elapsed: u64) -> u64 {
        if elapsed == 1 { self.due[usize::from(tick) % TICKS] } else { self.due_since(tick, elapsed) }
    }

    /// Those that are due in the last of so many ticks, and were not in those before. In a tick with several frames, what is due each tick is
    /// due with each.
    #[cold]
    fn due_since(&self, tick: ShortTick, ticks: u64) -> u64 {
        let of_tick = |before| self.due[usize::from(tick.wrapping_sub(before)) % TICKS];
        match ticks {
            0 => self.due.iter().fold(u64::MAX, |all, due| all & due),
            _ => (0..ticks.min(TICKS as u64) as ShortTick).fold(0, |all, before| all | of_tick(before)),
        }
    }

    /// Those that are due every second tick, and every fourth.
    #[inline]
    pub(super) const fn slower(&self) -> (u64, u64) {
        let [a, b, c, d] = self.due;
        let (each, second) = (a & b, a & c | b & d);
        (second & !each, (a | b | c | d) & !second)
    }
}

impl View {
    /// Plans when its topics are due, but for those that are behind.
    pub(super) fn make_plan(&mut self) {
        self.unplanned = false;
        let words = &mut self.plan.words;
        words.clear();
        for (index, topic) in self.topics.iter().enumerate() {
            let TopicId(id) = topic.id;
            let number = id / TOPICS_PER_WORD;
            if words.last().is_none_or(|word| word.number != number) {
                words.push(Word { number, first: index as u32, ..Word::default() });
            }
            let Some(word) = words.last_mut() else { continue };
            let bit = 1 << (id % TOPICS_PER_WORD);
            word.topics |= bit;
            if topic.content == Content::Behind {
                continue;
            }
            let (interval, offset) = (topic.interval(), topic.offset());
            // A tick is one of its when both together are a multiple of the interval.
            for (tick, due) in (0..).zip(&mut word.due) {
                *due |= if offset.wrapping_add(tick) % interval == 0 { bit } else { 0 };
            }
            word.cut |= if topic.grade.is_none() { bit } else { 0 };
            word.late |= if topic.late == ON_TIME { 0 } else { bit };
        }
    }
}

impl Topic {
    /// Ticks from one time it is due to the next. When it has no grade, some part of it may be due in each.
    fn interval(&self) -> ShortTick {
        self.grade.map_or(1, Grade::interval)
    }

    /// By how much its stretches begin earlier. Cells in a row have numbers in a row, and rows follow each other by eight: so what is due
    /// together lies askew.
    pub(super) const fn offset(&self) -> ShortTick {
        (self.id.0 + (self.id.0 >> 3)) as ShortTick
    }
}
