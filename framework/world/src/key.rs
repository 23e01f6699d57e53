//! The part of a row that an index is about.

use evertick_schema::{FieldLayout, Lane, Type};

/// Where a key is in a row, and how it compares.
#[derive(Clone, Debug)]
pub(crate) struct KeyField {
    offset: usize,
    size: usize,
    order: Order,
}

/// How keys compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// As an unsigned integer of at most 8 bytes.
    Unsigned,
    /// As a signed integer.
    Signed,
    /// As IEEE 754 `totalOrder`: -NaN, -∞, …, -0, +0, …, +∞, NaN. So any bits are a key.
    Float,
    /// Byte by byte.
    Bytes,
    /// Text, in the row's tail: byte by byte.
    Text,
}

impl KeyField {
    pub(crate) fn new(field: &FieldLayout) -> Self {
        let order = match field.ty.lanes() {
            Some((Lane::U8 | Lane::U16 | Lane::U32 | Lane::U64, 1)) => Order::Unsigned,
            Some((Lane::I8 | Lane::I16 | Lane::I32 | Lane::I64, 1)) => Order::Signed,
            Some((Lane::F32 | Lane::F64, 1)) => Order::Float,
            _ if field.ty == Type::String => Order::Text,
            _ if field.size <= 8 => Order::Unsigned,
            _ => Order::Bytes,
        };
        Self { offset: field.offset as usize, size: field.size as usize, order }
    }

    /// Whether keys are numbers: [`KeyField::number`] tells them apart and puts them in order.
    pub(crate) fn is_number(&self) -> bool {
        matches!(self.order, Order::Unsigned | Order::Signed | Order::Float)
    }

    /// The key of `row`, which is a valid row.
    #[inline]
    pub(crate) fn of<'row>(&self, row: &'row [u8]) -> &'row [u8] {
        let fixed = &row[self.offset..self.offset + self.size];
        if self.order != Order::Text {
            return fixed;
        }
        let word =
            |at: usize| u32::from_le_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]) as usize;
        &row[word(0)..word(0) + word(4)]
    }

    /// The key as a number whose order is that of the field; `None` when it has another length than the field.
    #[inline]
    pub(crate) fn number(&self, key: &[u8]) -> Option<u64> {
        if key.len() != self.size {
            return None;
        }
        let bits = match *key {
            [a, b, c, d] => u64::from(u32::from_le_bytes([a, b, c, d])),
            [a, b, c, d, e, f, g, h] => u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            _ => key.iter().rev().fold(0, |bits, byte| bits << 8 | u64::from(*byte)),
        };
        let sign = 1u64 << (8 * self.size.max(1) - 1);
        Some(match self.order {
            Order::Signed => bits ^ sign,
            Order::Float if bits & sign != 0 => !bits & (sign | (sign - 1)),
            Order::Float => bits | sign,
            _ => bits,
        })
    }

    /// Whether `key` is one at all.
    pub(crate) fn fits(&self, key: &[u8]) -> bool {
        self.order == Order::Text || key.len() == self.size
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use evertick_schema::{FieldDef, RowLayout};

    use super::*;

    fn key(ty: Type) -> KeyField {
        KeyField::new(&RowLayout::of(&[FieldDef::new("key", ty)]).fields[0])
    }

    #[test]
    fn numbers_keep_their_order() {
        let ints = key(Type::I16);
        let sorted: Vec<u64> =
            [i16::MIN, -2, -1, 0, 1, i16::MAX].map(|n| ints.number(&n.to_le_bytes()).unwrap()).into();
        assert!(sorted.is_sorted_by(|a, b| a < b), "{sorted:?}");

        let floats = key(Type::F32);
        let values = [-f32::NAN, f32::NEG_INFINITY, -1.0, -0.0, 0.0, 1e-40, 1.0, f32::INFINITY, f32::NAN];
        let sorted: Vec<u64> = values.map(|n| floats.number(&n.to_le_bytes()).unwrap()).into();
        assert!(sorted.is_sorted_by(|a, b| a < b), "{sorted:?}");
        let doubles = key(Type::F64);
        assert!(doubles.number(&(-1.5f64).to_le_bytes()) < doubles.number(&1.5f64.to_le_bytes()));
        assert_eq!(doubles.number(&[0; 4]), None);
    }

    #[test]
    fn a_text_is_found_in_the_tail() {
        let row = [8u8, 0, 0, 0, 3, 0, 0, 0, b'a', b'b', b'c'];
        assert_eq!(key(Type::String).of(&row), b"abc");
        assert_eq!(key(Type::String).of(&[0; 8]), b"");
    }
}
