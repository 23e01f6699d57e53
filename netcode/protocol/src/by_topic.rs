//! A map from topics that is made once, in ascending order, and then read a lot.

use crate::bits::set_bits;
use crate::frame::TopicId;

/// Topics per word.
pub(crate) const BITS: u32 = u64::BITS;

/// What some topics have, by topic. A bit per topic says whether it has anything, so what is asked for in vain costs one
/// look at a table that stays in the cache: 16 bytes for 64 topics.
#[derive(Clone, Debug)]
pub(crate) struct ByTopic<T> {
    words: Vec<Word>,
    values: Vec<T>,
    last: Option<TopicId>,
}

/// 64 topics.
#[derive(Clone, Copy, Debug, Default)]
struct Word {
    bits: u64,
    /// Values of topics in the words before.
    before: u32,
}

impl<T> Default for ByTopic<T> {
    fn default() -> Self {
        Self { words: Vec::new(), values: Vec::new(), last: None }
    }
}

impl<T> ByTopic<T> {
    /// The value that was added last.
    ///
    /// # Panics
    /// When there is none.
    pub(crate) fn last(&mut self) -> &mut T {
        self.values.last_mut().expect("something was added")
    }

    /// The value of `topic`, which is made by `make` if it has none yet.
    ///
    /// # Panics
    /// When a value was added for a topic with a higher number.
    pub(crate) fn last_or(&mut self, topic: TopicId, make: impl FnOnce() -> T) -> &mut T {
        if self.last != Some(topic) {
            assert!(self.last.is_none_or(|last| last < topic), "topics are told in ascending order");
            self.last = Some(topic);
            let (word, bit) = (topic.0 / BITS, topic.0 % BITS);
            let before = self.values.len() as u32;
            self.words.resize(word as usize + 1, Word { bits: 0, before });
            self.words[word as usize].bits |= 1 << bit;
            self.values.push(make());
        }
        self.last()
    }

    #[inline]
    pub(crate) fn get(&self, topic: TopicId) -> Option<&T> {
        let word = self.words.get((topic.0 / BITS) as usize)?;
        let bit = topic.0 % BITS;
        if word.bits >> bit & 1 == 0 {
            return None;
        }
        let lower = word.bits & ((1 << bit) - 1);
        self.values.get(word.before as usize + lower.count_ones() as usize)
    }

    /// Which topics have a value of those whose numbers by [`BITS`] are `word`.
    #[inline]
    pub(crate) fn bits(&self, word: u32) -> u64 {
        self.words.get(word as usize).map_or(0, |word| word.bits)
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// All topics with their values, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (TopicId, &T)> {
        topics(self.words.iter().map(|word| word.bits)).zip(&self.values)
    }
}

/// The topics whose bits are set in these words, ascending.
pub(crate) fn topics(words: impl Iterator<Item = u64>) -> impl Iterator<Item = TopicId> {
    words
        .enumerate()
        .flat_map(|(number, bits)| set_bits(bits).map(move |bit| TopicId(number as u32 * BITS + bit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_map() {
        let topics = [0, 3, 63, 64, 200, 201, 5000];
        let mut map = ByTopic::default();
        for topic in topics {
            *map.last_or(TopicId(topic), || 0) = topic;
            *map.last_or(TopicId(topic), || unreachable!()) += 1;
        }
        for topic in 0..6000 {
            let has = topics.contains(&topic);
            assert_eq!(map.get(TopicId(topic)).copied(), has.then_some(topic + 1));
            assert_eq!(map.bits(topic / BITS) >> (topic % BITS) & 1 == 1, has);
        }
        let all: Vec<_> = map.iter().map(|(topic, value)| (topic.0, *value)).collect();
        assert_eq!(all, topics.map(|topic| (topic, topic + 1)));
        assert_eq!(map.len(), topics.len());
    }

    #[test]
    #[should_panic(expected = "ascending")]
    fn topics_come_in_order() {
        let mut map = ByTopic::default();
        map.last_or(TopicId(4), || ());
        map.last_or(TopicId(3), || ());
    }
}
