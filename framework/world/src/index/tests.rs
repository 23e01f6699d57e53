#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::collections::BTreeSet;

use evertick_schema::{FieldDef, RowLayout, Type};
use proptest::prelude::*;

use super::*;

fn index(ty: Type, kind: IndexKind, unique: bool) -> Index {
    let field = RowLayout::of(&[FieldDef::new("key", ty)]).fields[0].clone();
    Index::new(IndexDef { field: 0, kind, unique }, &field)
}

#[test]
fn a_dense_index_does_not_grow_for_one_large_key() {
    let mut dense = Dense::default();
    for key in [u64::MAX, 1 << 40, 5000, 3, 1000] {
        dense.insert(key, EntityId(key));
    }
    assert!(dense.slots() < 2000);
    for key in 0..10_000 {
        if dense.get(key).is_none() {
            dense.insert(key, EntityId(key + 1));
        }
    }
    assert!(dense.slots() >= 10_000, "dense keys are in the array");
    assert_eq!([u64::MAX, 1 << 40, 5000, 3, 4, 5001].map(|key| dense.get(key)), {
        let own = |key| Some(EntityId(key));
        [own(u64::MAX), own(1 << 40), own(5000), own(3), own(5), own(5002)]
    });
    dense.remove(5000);
    dense.remove(3);
    assert_eq!((dense.get(5000), dense.get(3), dense.len()), (None, None, 10_000));
}

#[test]
fn a_key_of_another_length_finds_nothing() {
    for kind in [IndexKind::Hash, IndexKind::Dense, IndexKind::Ordered] {
        let mut index = index(Type::U32, kind, true);
        index.insert(&[1, 0, 0, 0], EntityId(9));
        let mut found = vec![];
        index.lookup(&[1, 0, 0, 0, 0], &mut found);
        index.range(Bound::Included(&[1]), Bound::Unbounded, &mut found);
        assert_eq!((index.find(&[1]), found), (None, vec![]));
        assert_eq!(index.find(&[1, 0, 0, 0]), Some(EntityId(9)));
    }
}

#[test]
fn ranges_that_hold_nothing_are_empty() {
    for unique in [true, false] {
        let mut index = index(Type::I8, IndexKind::Ordered, unique);
        (-5..5i8).for_each(|key| index.insert(&key.to_le_bytes(), EntityId((key + 6) as u64)));
        let range = |lo: Bound<i8>, hi: Bound<i8>| {
            let mut found = vec![];
            let (lo, hi) = (lo.map(i8::to_le_bytes), hi.map(i8::to_le_bytes));
            index.range(lo.as_ref().map(|key| &key[..]), hi.as_ref().map(|key| &key[..]), &mut found);
            found.len()
        };
        assert_eq!(range(Bound::Included(3), Bound::Included(-3)), 0);
        assert_eq!(range(Bound::Excluded(1), Bound::Excluded(1)), 0);
        assert_eq!(range(Bound::Excluded(1), Bound::Included(1)), 0);
        assert_eq!(range(Bound::Included(1), Bound::Included(1)), 1);
        assert_eq!(range(Bound::Excluded(-1), Bound::Excluded(2)), 2);
        assert_eq!(range(Bound::Unbounded, Bound::Excluded(0)), 5);
        assert_eq!(range(Bound::Unbounded, Bound::Unbounded), 10);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Few keys, so that buckets grow to trees and shrink again.
    #[test]
    fn equal_keys_are_found_in_order(ops in prop::collection::vec((0u8..3, 1u64..200, any::<bool>()), 0..600)) {
        let mut hash = index(Type::U8, IndexKind::Hash, false);
        let mut ordered = index(Type::U8, IndexKind::Ordered, false);
        let mut model: [BTreeSet<EntityId>; 3] = Default::default();
        for (key, entity, insert) in ops {
            let entity = EntityId(entity);
            let of = &mut model[usize::from(key)];
            if insert && of.insert(entity) {
                [&mut hash, &mut ordered].into_iter().for_each(|index| index.insert(&[key], entity));
            } else if !insert && of.remove(&entity) {
                [&mut hash, &mut ordered].into_iter().for_each(|index| index.remove(&[key], entity));
            }
        }
        for (key, entities) in (0u8..).zip(&model) {
            let expected: Vec<EntityId> = entities.iter().copied().collect();
            for index in [&hash, &ordered] {
                let mut found = vec![];
                index.lookup(&[key], &mut found);
                prop_assert_eq!(&found, &expected);
                prop_assert_eq!(index.find(&[key]), expected.first().copied());
            }
        }
        let len: usize = model.iter().map(BTreeSet::len).sum();
        prop_assert_eq!((hash.len(), ordered.len()), (len, len));
    }
}
