//! Rows come out as the obvious conversion makes them.

use evertick_schema::{FieldDef, Migration, RowDef, RowKind, RowMigration, check_fields};
use proptest::prelude::*;

use crate::arbitrary::Random;
use crate::model;

/// A plan between two sets of fields. Padding is the description's concern, not the plan's.
fn plan(old: &[FieldDef], new: &[FieldDef]) -> Migration {
    let module = |fields: &[FieldDef]| {
        let mut module = crate::module(&[], &[]);
        module.rows.push(RowDef::new("Row", RowKind::Component, fields.to_vec()));
        module
    };
    Migration::plan(&module(old), &module(new)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn converting_bytes_is_converting_values(seed: u64) {
        let mut random = Random::new(seed);
        let old = random.fields(1, 6, 3, false);
        let new = random.evolve(&old);
        let plan = plan(&old, &new);
        for _ in 0..4 {
            let row = random.row(&old);
            check_fields(&old, &row).unwrap();
            let expected = model::write(&new, &model::convert(&old, &new, &model::read(&old, &row)));
            let mut got = b"before".to_vec();
            plan.rows[0].convert(&row, &mut got).unwrap();
            prop_assert_eq!(&got[..6], b"before");
            prop_assert_eq!(&got[6..], &expected[..]);
            check_fields(&new, &got[6..]).unwrap();
        }
    }

    #[test]
    fn the_same_fields_stay(seed: u64) {
        let fields = Random::new(seed).fields(1, 6, 3, false);
        let plan = plan(&fields, &fields);
        prop_assert_eq!(&plan.rows, &[RowMigration::Keep { from: 0 }]);
        prop_assert!(plan.is_empty());
        prop_assert!(plan.changes().is_empty());
    }

    #[test]
    fn hostile_rows_never_panic(seed: u64, bytes: Vec<u8>, cut in 0usize..64) {
        let mut random = Random::new(seed);
        let old = random.fields(1, 6, 3, false);
        let plan = plan(&old, &random.evolve(&old));
        let mut row = random.row(&old);
        let _ = plan.rows[0].convert(&bytes, &mut Vec::new());
        for (index, byte) in bytes.iter().enumerate() {
            let len = row.len().max(1);
            if let Some(place) = row.get_mut((index * 7 + cut) % len) {
                *place ^= byte;
            }
        }
        let _ = plan.rows[0].convert(&row, &mut Vec::new());
        row.truncate(cut);
        let _ = plan.rows[0].convert(&row, &mut Vec::new());
    }
}
