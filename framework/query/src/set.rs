//! Sets of values: what a condition lets a field be.

use crate::key::{Key, KeyRef, Kind};

/// The values from `lo` up to, but without, `hi`; without `hi` all from `lo` on. Values are discrete (see
/// [`Kind::after`]), so this form can say every bound, and in one way only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Interval {
    pub(crate) lo: Key,
    pub(crate) hi: Option<Key>,
}

impl Interval {
    pub(crate) fn contains(&self, key: KeyRef<'_>) -> bool {
        key.cmp(&self.lo).is_ge() && self.hi.as_ref().is_none_or(|hi| key.cmp(hi).is_lt())
    }
}

/// A set of values of one field: intervals, ascending, with gaps between them. Equal sets are equal lists.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Set(Vec<Interval>);

impl Set {
    pub(crate) fn full(kind: Kind) -> Self {
        Self::from(kind.first())
    }

    /// `lo` and all that is greater.
    pub(crate) fn from(lo: Key) -> Self {
        Self(vec![Interval { lo, hi: None }])
    }

    /// All that is less than `hi`; everything without one.
    pub(crate) fn below(hi: Option<Key>, kind: Kind) -> Self {
        let lo = kind.first();
        if hi.as_ref() == Some(&lo) { Self::default() } else { Self(vec![Interval { lo, hi }]) }
    }

    /// All that is greater than `key`.
    pub(crate) fn above(key: &Key, kind: Kind) -> Self {
        kind.after(key).map_or_else(Self::default, Self::from)
    }

    /// These values alone.
    pub(crate) fn points(keys: impl IntoIterator<Item = Key>, kind: Kind) -> Self {
        let point = |key| Interval { hi: kind.after(&key), lo: key };
        Self::joined(keys.into_iter().map(point).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn is_full(&self, kind: Kind) -> bool {
        matches!(self.0.as_slice(), [Interval { lo, hi: None }] if *lo == kind.first())
    }

    pub(crate) fn intervals(&self) -> &[Interval] {
        &self.0
    }

    /// The values one by one, if there are at most `max`.
    pub(crate) fn list(&self, kind: Kind, max: usize) -> Option<Vec<Key>> {
        let mut keys = Vec::new();
        for interval in &self.0 {
            let mut next = Some(interval.lo.clone());
            while next != interval.hi {
                let key = next?;
                if keys.len() == max {
                    return None;
                }
                next = kind.after(&key);
                keys.push(key);
            }
        }
        Some(keys)
    }

    /// Cost: a binary search.
    pub(crate) fn contains(&self, key: KeyRef<'_>) -> bool {
        let behind = self.0.partition_point(|interval| key.cmp(&interval.lo).is_ge());
        behind > 0 && self.0[behind - 1].contains(key)
    }

    pub(crate) fn union(&self, other: &Self) -> Self {
        Self::joined(self.0.iter().chain(&other.0).cloned().collect())
    }

    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let mut both = Vec::new();
        let (mut a, mut b) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some(one), Some(two)) = (a.peek(), b.peek()) {
            let lo = (&one.lo).max(&two.lo);
            let hi = least(one.hi.as_ref(), two.hi.as_ref());
            if hi.is_none_or(|hi| lo < hi) {
                both.push(Interval { lo: lo.clone(), hi: hi.cloned() });
            }
            // The one that ends first has met all that it can.
            if one.hi.is_some() && one.hi.as_ref() == hi {
                a.next();
            } else {
                b.next();
            }
        }
        Self(both)
    }

    /// Whether everything in `other` is in this set. Cost: a binary search for each of the other's intervals.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|inner| {
            let behind = self.0.partition_point(|interval| interval.lo <= inner.lo);
            let outer = behind.checked_sub(1).map(|at| &self.0[at]);
            outer.is_some_and(|outer| least(outer.hi.as_ref(), inner.hi.as_ref()) == inner.hi.as_ref())
        })
    }

    pub(crate) fn complement(&self, kind: Kind) -> Self {
        let mut gaps = Vec::with_capacity(self.0.len() + 1);
        let mut from = Some(kind.first());
        for interval in &self.0 {
            if let Some(lo) = from.take_if(|lo| *lo < interval.lo) {
                gaps.push(Interval { lo, hi: Some(interval.lo.clone()) });
            }
            from = interval.hi.clone();
        }
        gaps.extend(from.map(|lo| Interval { lo, hi: None }));
        Self(gaps)
    }

    /// Sorts intervals and joins those that touch.
    fn joined(mut intervals: Vec<Interval>) -> Self {
        intervals.sort_unstable();
        let mut list: Vec<Interval> = Vec::with_capacity(intervals.len());
        for next in intervals {
            match list.last_mut() {
                Some(Interval { hi: None, .. }) => break,
                Some(last) if last.hi.as_ref() >= Some(&next.lo) => {
                    if next.hi.is_none() || next.hi > last.hi {
                        last.hi = next.hi;
                    }
                }
                _ => list.push(next),
            }
        }
        Self(list)
    }
}

/// The lesser of two upper bounds; `None` is no bound.
fn least<'a>(a: Option<&'a Key>, b: Option<&'a Key>) -> Option<&'a Key> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (bound, None) | (None, bound) => bound,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KIND: Kind = Kind::Unsigned { size: 1, max: 20 };

    fn number(value: u64) -> Key {
        Key::Number(value)
    }

    fn members(set: &Set) -> Vec<bool> {
        (0..=20).map(|value| set.contains(KeyRef::Number(value))).collect()
    }

    fn sets() -> impl Strategy<Value = Set> {
        proptest::collection::vec((0u64..=20, 0u64..=20), 0..6).prop_map(|pairs| {
            pairs.into_iter().fold(Set::default(), |set, (lo, hi)| {
                let upper = Set::below(KIND.after(&number(hi)), KIND);
                set.union(&Set::from(number(lo)).intersection(&upper))
            })
        })
    }

    proptest! {
        #[test]
        fn sets_are_what_their_members_say(a in sets(), b in sets()) {
            let zip = |of: fn(bool, bool) -> bool| {
                members(&a).into_iter().zip(members(&b)).map(|(x, y)| of(x, y)).collect::<Vec<_>>()
            };
            prop_assert_eq!(members(&a.union(&b)), zip(|x, y| x || y));
            prop_assert_eq!(members(&a.intersection(&b)), zip(|x, y| x && y));
            prop_assert_eq!(members(&a.complement(KIND)), members(&a).iter().map(|x| !x).collect::<Vec<_>>());
            prop_assert_eq!(members(&a) == members(&b), a == b, "one form for one set");
            prop_assert_eq!(a.covers(&b), zip(|x, y| x || !y).iter().all(|covered| *covered));
            let listed = a.list(KIND, 21).expect("there are no more");
            prop_assert_eq!(Set::points(listed.clone(), KIND), a.clone());
            prop_assert_eq!(a.list(KIND, listed.len().saturating_sub(1)).is_none(), !listed.is_empty());
        }
    }

    #[test]
    fn bounds_of_texts() {
        let kind = Kind::Text;
        let text = |text: &str| Key::Bytes(text.as_bytes().into());
        let above = Set::above(&text("b"), kind);
        let holds = |set: &Set, text: &str| set.contains(KeyRef::Bytes(text.as_bytes()));
        assert!(holds(&above, "b\0") && holds(&above, "ba") && !holds(&above, "b") && !holds(&above, "a"));
        let point = Set::points([text("b")], kind);
        assert_eq!(point.list(kind, 1), Some(vec![text("b")]));
        assert_eq!(point.complement(kind), above.union(&Set::below(Some(text("b")), kind)));
        assert_eq!(above.list(kind, 100), None, "there is no end of them");
    }
}
