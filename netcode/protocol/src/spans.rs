//! Where in one buffer the bytes of each topic are. They are written once, in ascending order, and then looked up a lot.

use crate::by_topic::{self, BITS};
use crate::frame::TopicId;

/// Bounds of the spans of a word's topics.
const BOUNDS: usize = BITS as usize + 1;

/// The spans of a buffer that topics have, one behind the other, and of how many rows each is. A look-up is two looks at small
/// tables: 16 bytes for 64 topics, and, where any of these has a span, 6 bytes for each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spans {
    words: Vec<Word>,
    /// Where each topic's span starts, and the one before it ends, if that is of the same word.
    bounds: Vec<u32>,
    /// By bound.
    rows: Vec<u16>,
}

/// 64 topics.
#[derive(Clone, Copy, Debug, Default)]
struct Word {
    /// Which have a span.
    bits: u64,
    /// The bound of the first of them, if any has one.
    first: u32,
}

impl Spans {
    /// Another span of this topic, of so many rows, right behind the last. Returns what the topic had before.
    ///
    /// # Panics
    /// When a topic with a higher number has one.
    #[inline]
    pub(crate) fn add(
        &mut self,
        topic: TopicId,
        (start, end): (u32, u32),
        rows: u16,
    ) -> Option<((u32, u32), u16)> {
        let (number, bit) = ((topic.0 / BITS) as usize, topic.0 % BITS);
        if number >= self.words.len() {
            self.words.resize(number, Word::default());
            self.words.push(Word { bits: 0, first: self.bounds.len() as u32 });
            self.bounds.resize(self.bounds.len() + BOUNDS, 0);
            self.rows.resize(self.bounds.len(), 0);
        }
        let is_last = number + 1 == self.words.len();
        let word = &mut self.words[number];
        assert!(is_last && word.bits >> bit <= 1, "topics are told in ascending order");
        let at = word.first as usize + bit as usize;
        let bounds = &mut self.bounds[at..at + 2];
        let had = word.bits >> bit & 1 == 1;
        let before = had.then(|| ((bounds[0], bounds[1]), self.rows[at]));
        if !had {
            bounds[0] = start;
        }
        bounds[1] = end;
        self.rows[at] = self.rows[at].saturating_add(rows);
        word.bits |= 1 << bit;
        before
    }

    #[inline]
    fn find(&self, topic: TopicId) -> Option<usize> {
        let (word, bit) = (self.words.get((topic.0 / BITS) as usize)?, topic.0 % BITS);
        (word.bits >> bit & 1 == 1).then(|| word.first as usize + bit as usize)
    }

    /// From where to where is all that a topic has.
    #[inline]
    pub(crate) fn get(&self, topic: TopicId) -> Option<(u32, u32)> {
        let at = self.find(topic)?;
        let bounds = &self.bounds[at..at + 2];
        Some((bounds[0], bounds[1]))
    }

    /// All topics that have one, ascending.
    pub(crate) fn topics(&self) -> impl Iterator<Item = TopicId> {
        by_topic::topics(self.words.iter().map(|word| word.bits))
    }

    /// Of how many rows that is.
    pub(crate) fn rows(&self, topic: TopicId) -> u16 {
        self.find(topic).map_or(0, |at| self.rows[at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_a_map() {
        let topics = [0, 3, 63, 64, 200, 201, 5000].map(TopicId);
        let mut spans = Spans::default();
        let mut model = std::collections::BTreeMap::new();
        let mut end = 0;
        for (number, topic) in topics.into_iter().enumerate() {
            for piece in 0..=number % 3 {
                let start = end;
                end += number as u32 + piece as u32;
                let known: Option<((u32, u32), u16)> = model.get(&topic).copied();
                assert_eq!(spans.add(topic, (start, end), 40_000), known);
                let ((first, _), rows) = known.unwrap_or(((start, end), 0));
                model.insert(topic, ((first, end), rows.saturating_add(40_000)));
            }
        }
        for topic in (0..6000).map(TopicId) {
            let known = model.get(&topic).copied();
            assert_eq!(spans.rows(topic), known.map_or(0, |(_, rows)| rows));
            assert_eq!(spans.get(topic), known.map(|(span, _)| span));
        }
        assert_eq!(spans.topics().collect::<Vec<_>>(), topics);
    }

    #[test]
    fn topics_come_in_order() {
        for (first, then) in [(4, 3), (64, 63), (200, 5)] {
            let add = || {
                let mut spans = Spans::default();
                spans.add(TopicId(first), (0, 1), 1);
                spans.add(TopicId(then), (1, 2), 1);
            };
            assert!(std::panic::catch_unwind(add).is_err());
        }
    }
}
