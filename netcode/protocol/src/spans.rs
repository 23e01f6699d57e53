//! Where in one buffer the bytes of each topic are. They are written once, in ascending order, and then looked up a lot.

use crate::by_topic::{self, BITS};
use crate::frame::TopicId;

/// The spans of a buffer that topics have, one behind the other, and of how many rows each is. A look-up is two looks at small
/// tables: 16 bytes for 64 topics, and, where any of these has a span, 10 bytes for each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spans {
    words: Vec<Word>,
    /// Those of 64 topics that have none, then those of the words' topics that have.
    spans: Vec<Span>,
    /// In the same order.
    rows: Vec<u16>,
}

/// Some of the buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    /// The end, by half of what a number holds; the other half says that it is [in pieces](Span::is_cut).
    end: u32,
}

/// 64 topics.
#[derive(Clone, Copy, Debug, Default)]
struct Word {
    /// Which have a span.
    bits: u64,
    /// Where their spans are.
    first: u32,
}

impl Span {
    const CUT: u32 = 1 << 31;

    /// Bytes from `start` to `end`.
    ///
    /// # Panics
    /// When they are beyond 2 GiB.
    pub(crate) fn new(start: usize, end: usize) -> Self {
        assert!(end < Self::CUT as usize, "a frame's states are less than 2 GiB");
        Self { start: start as u32, end: end as u32 }
    }

    #[inline]
    pub(crate) const fn end(self) -> u32 {
        self.end & !Self::CUT
    }

    /// Whether [`Spans::cut`] was called for its topic.
    #[inline]
    pub(crate) const fn is_cut(self) -> bool {
        self.end & Self::CUT != 0
    }
}

impl Spans {
    /// Another span of this topic, of so many rows, right behind the last, and not empty. Returns what the topic had before.
    ///
    /// # Panics
    /// When a topic with a higher number has one.
    #[inline]
    pub(crate) fn add(&mut self, topic: TopicId, span: Span, rows: u16) -> Option<(Span, u16)> {
        let (number, bit) = ((topic.0 / BITS) as usize, topic.0 % BITS);
        if number >= self.words.len() {
            let first = self.spans.len().max(BITS as usize);
            self.words.resize(number, Word::default());
            self.words.push(Word { bits: 0, first: first as u32 });
            self.spans.resize(first + BITS as usize, Span::default());
            self.rows.resize(self.spans.len(), 0);
        }
        let is_last = number + 1 == self.words.len();
        let word = &mut self.words[number];
        assert!(is_last && word.bits >> bit <= 1, "topics are told in ascending order");
        word.bits |= 1 << bit;
        let at = word.first as usize + bit as usize;
        let known = &mut self.spans[at];
        let before = (*known != Span::default()).then(|| (*known, self.rows[at]));
        *known = match before {
            Some((before, _)) => Span { start: before.start, end: span.end | before.end & Span::CUT },
            None => span,
        };
        self.rows[at] = self.rows[at].saturating_add(rows);
        before
    }

    /// What the topic has is in pieces.
    pub(crate) fn cut(&mut self, topic: TopicId) {
        if let Some(at) = self.at(topic) {
            self.spans[at].end |= Span::CUT;
        }
    }

    #[inline]
    fn at(&self, topic: TopicId) -> Option<usize> {
        let word = self.words.get((topic.0 / BITS) as usize)?;
        Some(word.first as usize + (topic.0 % BITS) as usize)
    }

    /// From where to where is all that a topic has.
    #[inline]
    pub(crate) fn get(&self, topic: TopicId) -> Option<Span> {
        let span = self.spans[self.at(topic)?];
        (span.end > 0).then_some(span)
    }

    /// Which topics have one of those whose numbers by [`BITS`] are `word`, and where these are, by the rest.
    #[inline]
    pub(crate) fn word(&self, word: u32) -> Option<(u64, &[Span; BITS as usize])> {
        let Word { bits, first } = *self.words.get(word as usize)?;
        Some((bits, self.spans[first as usize..].first_chunk()?))
    }

    /// All topics that have one, ascending.
    pub(crate) fn topics(&self) -> impl Iterator<Item = TopicId> {
        by_topic::topics(self.words.iter().map(|word| word.bits))
    }

    /// Of how many rows that is.
    pub(crate) fn rows(&self, topic: TopicId) -> u16 {
        self.at(topic).map_or(0, |at| self.rows[at])
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
                end += 1 + number + piece;
                let known: Option<(Span, u16)> = model.get(&topic).copied();
                assert_eq!(spans.add(topic, Span::new(start, end), 40_000), known);
                let (first, rows) = known.map_or((start, 0), |(known, rows)| (known.start as usize, rows));
                let mut span = Span::new(first, end);
                if number == 4 {
                    spans.cut(topic);
                    span.end |= Span::CUT;
                }
                assert_eq!((span.end() as usize, span.is_cut()), (end, number == 4));
                model.insert(topic, (span, rows.saturating_add(40_000)));
            }
        }
        spans.cut(TopicId(9000));
        for topic in (0..6000).map(TopicId) {
            let known = model.get(&topic).copied();
            assert_eq!(spans.rows(topic), known.map_or(0, |(_, rows)| rows));
            assert_eq!(spans.get(topic), known.map(|(span, _)| span));
            let of_word = spans.word(topic.0 / BITS).and_then(|(bits, spans)| {
                (bits >> (topic.0 % BITS) & 1 == 1).then(|| spans[(topic.0 % BITS) as usize])
            });
            assert_eq!(of_word, known.map(|(span, _)| span));
        }
        assert_eq!(spans.topics().collect::<Vec<_>>(), topics);
    }

    #[test]
    fn topics_come_in_order() {
        for (first, then) in [(4, 3), (64, 63), (200, 5)] {
            let add = || {
                let mut spans = Spans::default();
                spans.add(TopicId(first), Span::new(0, 1), 1);
                spans.add(TopicId(then), Span::new(1, 2), 1);
            };
            assert!(std::panic::catch_unwind(add).is_err());
        }
    }
}
