//! A set of topics, as bits.

use evertick_protocol::{TopicId, set_bits};

const BITS: u32 = u64::BITS;

/// Topics whose numbers are below a bound that [`Self::reach`] raises.
#[derive(Clone, Debug, Default)]
pub(crate) struct TopicSet {
    words: Vec<u64>,
}

impl TopicSet {
    /// There are topics of this number and below.
    pub(crate) fn reach(&mut self, topic: TopicId) {
        let words = (topic.0 / BITS) as usize + 1;
        if words > self.words.len() {
            self.words.resize(words, 0);
        }
    }

    #[inline]
    pub(crate) fn insert(&mut self, topic: TopicId) {
        self.words[(topic.0 / BITS) as usize] |= 1 << (topic.0 % BITS);
    }

    #[inline]
    pub(crate) fn remove(&mut self, topic: TopicId) {
        self.words[(topic.0 / BITS) as usize] &= !(1 << (topic.0 % BITS));
    }

    /// Inserts or removes a topic.
    #[inline]
    pub(crate) fn set(&mut self, topic: TopicId, is_in: bool) {
        if is_in { self.insert(topic) } else { self.remove(topic) }
    }

    #[inline]
    pub(crate) fn has(&self, topic: TopicId) -> bool {
        self.words[(topic.0 / BITS) as usize] >> (topic.0 % BITS) & 1 == 1
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    pub(crate) fn clear(&mut self) {
        self.words.fill(0);
    }

    /// Inserts all topics of another set of the same reach.
    pub(crate) fn union(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
    }

    /// All topics, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = TopicId> + '_ {
        self.words
            .iter()
            .enumerate()
            .flat_map(|(number, word)| set_bits(*word).map(move |bit| TopicId(number as u32 * BITS + bit)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_set() {
        let mut set = TopicSet::default();
        set.reach(TopicId(130));
        assert!(set.is_empty());
        for topic in [0, 63, 64, 130] {
            set.insert(TopicId(topic));
        }
        set.set(TopicId(63), false);
        set.remove(TopicId(5));
        let mut other = TopicSet::default();
        other.reach(TopicId(130));
        other.set(TopicId(7), true);
        set.union(&other);
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 7, 64, 130].map(TopicId));
        assert!(set.has(TopicId(64)) && !set.has(TopicId(65)));
        set.clear();
        assert!(set.is_empty());
    }
}
