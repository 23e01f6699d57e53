//! When the topics of a session are due, as bits.
//!
//! A topic that is due every second or fourth tick is due once in each stretch of so many ticks. Where the stretches begin differs from
//! topic to topic, and from session to session, so that a session's ticks are alike, and a tick's sessions.
//!
//! Hot: a frame takes a few words of bits, and looks at no topic that is not due. What is due and not sent stays due: it is *late*.

use super::{Content, Grade, ON_TIME, ShortTick, Topic, View};

/// Topics of a word.
pub(super) const BITS: usize = u64::BITS as usize;
/// After so many ticks it begins again.
const TICKS: usize = Grade::Quarter.interval() as usize;

/// When the topics of a view are due.
#[derive(Debug, Default)]
pub(super) struct Plan {
    words: Vec<Word>,
}

/// 64 topics.
#[derive(Clone, Copy, Debug, Default)]
struct Word {
    /// By a tick's number, modulo [`TICKS`]: those that are due in it.
    due: [u64; TICKS],
    /// Those that are with each frame, should a tick have several.
    each: u64,
    /// Those that were due and not sent.
    late: u64,
}

impl Plan {
    /// Looks at it, and makes nothing of it.
    pub(super) fn touch(&self) -> u64 {
        self.words.first().map_or(0, |word| word.late)
    }

    /// How many words it has.
    pub(super) fn words(&self) -> usize {
        self.words.len()
    }

    /// Of word `number`: the topics that are due with the frame of `tick`, so many ticks after the frame before; and which of them are late.
    #[inline]
    pub(super) fn due(&self, number: usize, tick: ShortTick, elapsed: u64) -> (u64, u64) {
        let word = &self.words[number];
        let due =
            if elapsed == 1 { word.due[usize::from(tick) % TICKS] } else { word.due_since(tick, elapsed) };
        (due | word.late, word.late)
    }

    /// Those of word `number` that are due and were not sent.
    #[inline]
    pub(super) fn set_late(&mut self, number: usize, late: u64) {
        self.words[number].late = late;
    }

    /// That topic is due and was not sent.
    pub(super) fn add_late(&mut self, topic: usize) {
        self.words[topic / BITS].late |= 1 << (topic % BITS);
    }
}

impl Word {
    /// Those that are due in the last of so many ticks, and were not in those before.
    #[cold]
    fn due_since(&self, tick: ShortTick, ticks: u64) -> u64 {
        let of_tick = |before| self.due[usize::from(tick.wrapping_sub(before)) % TICKS];
        match ticks {
            0 => self.each,
            _ => (0..ticks.min(TICKS as u64) as ShortTick).fold(0, |all, before| all | of_tick(before)),
        }
    }
}

impl View {
    /// Plans when its topics are due, but for those that are behind.
    pub(super) fn make_plan(&mut self) {
        self.unplanned = false;
        let words = &mut self.plan.words;
        words.clear();
        words.extend(self.topics.chunks(BITS).map(|topics| {
            let mut word = Word::default();
            for (bit, topic) in
                topics.iter().enumerate().filter(|(_, topic)| topic.content != Content::Behind)
            {
                let bit = 1 << bit;
                let interval = topic.interval();
                let first = usize::from(topic.id.0 as ShortTick % interval);
                // A tick is one of its when both numbers together are a multiple of the interval.
                for (tick, due) in word.due.iter_mut().enumerate() {
                    *due |= if (tick + first) % usize::from(interval) == 0 { bit } else { 0 };
                }
                word.each |= if interval == 1 { bit } else { 0 };
                word.late |= if topic.late == ON_TIME { 0 } else { bit };
            }
            word
        }));
    }
}

impl Topic {
    /// Ticks from one time it is due to the next. When it has no grade, some part of it may be due in each.
    fn interval(&self) -> ShortTick {
        self.grade.map_or(1, Grade::interval)
    }
}
