//! Rows as bytes: round trips, canonical form, and hostile input.
#![allow(clippy::unwrap_used, reason = "tests")]

use evertick_schema::{
    EntityId, EnumType, EnumVariant, Field, FieldDef, Identity, RowError, RowLayout, RowReader, RowWriter,
    StructType, Timestamp, Type, check_fields, check_row,
};
use glam::{Quat, Vec2, Vec3};
use proptest::prelude::*;

/// The bytes of a row with one field.
fn bytes_of<T: Field>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut row = RowWriter::new(&mut bytes, T::SIZE);
    value.write(&mut row, 0);
    bytes
}

fn round_trip<T: Field + PartialEq + std::fmt::Debug>(value: T) {
    let bytes = bytes_of(&value);
    check_fields(&[FieldDef::new("value", T::ty())], &bytes).unwrap();
    assert_eq!(T::ty().size() as usize, T::SIZE);
    assert_eq!(T::ty().is_flat(), T::FLAT);
    assert_eq!(T::read(&RowReader::new(&bytes), 0).unwrap(), value);
}

#[test]
fn every_type_round_trips() {
    round_trip(true);
    round_trip(-7i8);
    round_trip(u64::MAX);
    round_trip(1.5f32);
    round_trip(Vec2::new(1.0, -2.0));
    round_trip(Vec3::new(1.0, -2.0, 3.5));
    round_trip(Quat::from_xyzw(0.0, 0.0, 0.6, 0.8));
    round_trip(EntityId::new(3, 99));
    round_trip(Identity([7; 32]));
    round_trip(Timestamp(-5));
    round_trip([1u16, 2, 3]);
    round_trip("wörld".to_owned());
    round_trip(vec!["a".to_owned(), String::new(), "bc".to_owned()]);
    round_trip(Some(vec![Some(1u32), None]));
    round_trip(None::<String>);
}

#[test]
fn a_flat_row_is_its_struct() {
    let layout = RowLayout::of(&[FieldDef::new("at", Type::Vec2), FieldDef::new("kind", Type::U32)]);
    assert!(layout.is_repr_c() && layout.plain);
    assert_eq!(check_row(&layout, &[0; 12]), Ok(()));
    assert_eq!(check_row(&layout, &[0; 11]), Err(RowError::Length { want: 12, got: 11 }));
    let padded = RowLayout::of(&[FieldDef::new("kind", Type::U32), FieldDef::new("at", Type::Timestamp)]);
    assert!(!padded.is_repr_c());
}

#[test]
fn invalid_values_are_named() {
    let kind = Type::Enum(EnumType {
        name: "Kind".into(),
        size: 1,
        variants: vec![
            EnumVariant { name: "A".into(), value: 0 },
            EnumVariant { name: "B".into(), value: 4 },
        ],
    });
    let inner = StructType {
        name: "S".into(),
        fields: vec![FieldDef::new("open", Type::Bool), FieldDef::new("kind", kind)],
    };
    let layout = RowLayout::of(&[FieldDef::new("pairs", Type::Array(Box::new(Type::Struct(inner)), 2))]);
    assert!(layout.flat && !layout.plain);
    assert_eq!(check_row(&layout, &[0, 4, 1, 0]), Ok(()));
    assert_eq!(check_row(&layout, &[0, 4, 2, 0]), Err(RowError::Bool { at: 2, value: 2 }));
    assert_eq!(
        check_row(&layout, &[0, 3, 1, 0]),
        Err(RowError::Enum { at: 1, name: "Kind".into(), value: 3 })
    );
}

#[test]
fn only_canonical_tails_are_accepted() {
    let fields =
        [FieldDef::new("name", Type::String), FieldDef::new("tags", Type::List(Box::new(Type::U16)))];
    let mut bytes = Vec::new();
    let mut row = RowWriter::new(&mut bytes, 16);
    "abc".to_owned().write(&mut row, 0);
    vec![1u16, 2].write(&mut row, 8);
    assert_eq!(check_fields(&fields, &bytes), Ok(()));

    let mut gap = bytes.clone();
    gap.push(0);
    assert!(matches!(check_fields(&fields, &gap), Err(RowError::Length { .. })));
    let mut shared = bytes.clone();
    shared[8] = 16; // the list points into the text
    assert!(matches!(check_fields(&fields, &shared), Err(RowError::Offset { .. })));
    let mut long = bytes.clone();
    long[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(check_fields(&fields, &long), Err(RowError::Length { .. })));
    let mut text = bytes;
    text[16] = 0xff;
    assert_eq!(check_fields(&fields, &text), Err(RowError::Utf8 { at: 16 }));
}

proptest! {
    #[test]
    fn nested_values_round_trip(value in prop::collection::vec((any::<Option<String>>(), any::<u64>()), 0..6)) {
        for (text, number) in value {
            round_trip(text.clone());
            round_trip(vec![text, Some(number.to_string())]);
        }
    }

    /// What the check lets pass can be read, and writing it again gives the same bytes.
    #[test]
    fn checked_bytes_are_canonical(bytes in prop::collection::vec(prop_oneof![0u8..20, any::<u8>()], 0..64)) {
        type Nested = Vec<Option<String>>;
        if check_fields(&[FieldDef::new("value", Nested::ty())], &bytes).is_ok() {
            let value = Nested::read(&RowReader::new(&bytes), 0).unwrap();
            prop_assert_eq!(bytes_of(&value), bytes);
        }
    }

    #[test]
    fn reading_hostile_bytes_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let row = RowReader::new(&bytes);
        let _ = Vec::<String>::read(&row, 0);
        let _ = <[Option<Vec<u8>>; 2]>::read(&row, 3);
        let _ = Option::<[bool; 4]>::read(&row, usize::MAX - 2);
    }
}
