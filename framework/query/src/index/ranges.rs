//! Intervals, kept so that those around a value are found.
//!
//! An array sorted by lower bounds, read as a balanced tree whose root is the middle; each place also has the
//! greatest upper bound of its subtree (the implicit interval tree of Heng Li's cgranges). New intervals wait in
//! a short list that is looked through, removed ones stay as tombs, and when there are too many of either the
//! array is made anew: a change costs O(log n) on average, a look-up O(log n + found).

use crate::index::QueryNumber;
use crate::key::{Key, KeyRef};
use crate::set::Interval;

/// Intervals with the queries that they belong to.
#[derive(Debug, Default)]
pub(crate) struct Ranges {
    sorted: Vec<Entry>,
    /// Taken in since `sorted` was made.
    fresh: Vec<Entry>,
    /// How many of `sorted` are tombs.
    dead: usize,
}

#[derive(Debug)]
struct Entry {
    interval: Interval,
    /// `None` in a tomb.
    number: Option<QueryNumber>,
    /// The greatest upper bound in the subtree; `None` is no bound.
    reach: Option<Key>,
}

/// So many fresh entries, or tombs, are always allowed; beyond that, a part of what there is.
const LOOSE_MIN: usize = 32;

impl Ranges {
    pub(crate) fn is_empty(&self) -> bool {
        self.sorted.len() == self.dead && self.fresh.is_empty()
    }

    pub(crate) fn insert(&mut self, interval: Interval, number: QueryNumber) {
        self.fresh.push(Entry { interval, number: Some(number), reach: None });
        if self.fresh.len() > LOOSE_MIN.max(self.sorted.len() / 16) {
            self.rebuild();
        }
    }

    /// Removes an interval that was inserted.
    pub(crate) fn remove(&mut self, interval: &Interval, number: QueryNumber) {
        let is = |entry: &Entry| entry.number == Some(number) && entry.interval == *interval;
        if let Some(at) = self.fresh.iter().position(is) {
            self.fresh.swap_remove(at);
            return;
        }
        let start = self.sorted.partition_point(|entry| entry.interval < *interval);
        let same = self.sorted[start..].iter_mut().take_while(|entry| entry.interval == *interval);
        if let Some(entry) = same.into_iter().find(|entry| entry.number == Some(number)) {
            entry.number = None;
            self.dead += 1;
        }
        if self.dead > LOOSE_MIN.max(self.sorted.len() / 2) || self.dead == self.sorted.len() {
            self.rebuild();
        }
    }

    /// Appends the queries of all intervals that contain `key`.
    pub(crate) fn stab(&self, key: KeyRef<'_>, out: &mut Vec<QueryNumber>) {
        out.extend(
            self.fresh.iter().filter(|entry| entry.interval.contains(key)).filter_map(|entry| entry.number),
        );
        stab(&self.sorted, key, out);
    }

    fn rebuild(&mut self) {
        self.sorted.append(&mut self.fresh);
        self.sorted.retain(|entry| entry.number.is_some());
        self.sorted.sort_unstable_by(|a, b| (&a.interval, a.number).cmp(&(&b.interval, b.number)));
        self.dead = 0;
        measure(&mut self.sorted);
    }
}

/// Sets the reach of every place of a subtree; returns that of its root, if it has one.
fn measure(tree: &mut [Entry]) -> Option<Option<Key>> {
    let (left, [root, right @ ..]) = tree.split_at_mut(tree.len() / 2) else { return None };
    let mut reach = root.interval.hi.clone();
    for below in [measure(left), measure(right)].into_iter().flatten() {
        reach = match (reach, below) {
            (Some(a), Some(b)) => Some(a.max(b)),
            _ => None,
        };
    }
    root.reach.clone_from(&reach);
    Some(reach)
}

fn stab(tree: &[Entry], key: KeyRef<'_>, out: &mut Vec<QueryNumber>) {
    let (left, [root, right @ ..]) = tree.split_at(tree.len() / 2) else { return };
    if root.reach.as_ref().is_some_and(|reach| key.cmp(reach).is_ge()) {
        return;
    }
    stab(left, key, out);
    if key.cmp(&root.interval.lo).is_ge() {
        out.extend(root.number.filter(|_| root.interval.contains(key)));
        stab(right, key, out);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn intervals_around_a_value_are_found(
            steps in proptest::collection::vec((any::<bool>(), 0u64..50, 1u64..30, any::<bool>()), 1..300),
        ) {
            let mut ranges = Ranges::default();
            let mut model: Vec<(Interval, u32)> = Vec::new();
            for (number, (remove, lo, len, open)) in steps.into_iter().enumerate() {
                let at = lo as usize * 7 % model.len().max(1);
                if remove && at < model.len() {
                    let (interval, number) = model.swap_remove(at);
                    ranges.remove(&interval, number);
                } else {
                    let hi = (!open).then_some(Key::Number(lo + len));
                    let interval = Interval { lo: Key::Number(lo), hi };
                    model.push((interval.clone(), number as u32));
                    ranges.insert(interval, number as u32);
                }
                prop_assert_eq!(ranges.is_empty(), model.is_empty());
            }
            for value in 0..100 {
                let key = KeyRef::Number(value);
                let mut found = Vec::new();
                ranges.stab(key, &mut found);
                found.sort_unstable();
                let mut want: Vec<u32> = model
                    .iter()
                    .filter(|(interval, _)| interval.contains(key))
                    .map(|(_, number)| *number)
                    .collect();
                want.sort_unstable();
                prop_assert_eq!(found, want);
            }
        }
    }
}
