//! Values in one order: what fields are compared as.
//!
//! A number of any type becomes a `u64` whose order is that of the numbers, so that a condition on a field is a
//! set of intervals, whatever the field's type. Floats are ordered as PostgreSQL orders them: -0 equals 0, and
//! NaN equals NaN and is greater than everything else. So every value is comparable, and `NOT a < b` means
//! `a >= b` for floats as well.

use evertick_schema::Type;
use hashbrown::Equivalent;

/// A value. Values of one field are all of the same variant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key {
    /// A number, a bool, an enum's value, an entity id.
    Number(u64),
    /// A text or an identity; compared byte by byte.
    Bytes(Box<[u8]>),
}

/// A value that is still in its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum KeyRef<'row> {
    Number(u64),
    Bytes(&'row [u8]),
}

// Both derive `Hash`, with the same variants in the same order, and a boxed slice hashes as the slice.
impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.cmp(key).is_eq()
    }
}

impl KeyRef<'_> {
    /// The order of values. A number is below any bytes, which no field mixes.
    pub(crate) fn cmp(&self, key: &Key) -> std::cmp::Ordering {
        match (self, key) {
            (Self::Number(a), Key::Number(b)) => a.cmp(b),
            (Self::Bytes(a), Key::Bytes(b)) => (**a).cmp(b),
            (Self::Number(_), Key::Bytes(_)) => std::cmp::Ordering::Less,
            (Self::Bytes(_), Key::Number(_)) => std::cmp::Ordering::Greater,
        }
    }
}

/// How a field's bytes become a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// An unsigned integer of `size` bytes, at most `max`: of a bool or an enum less than what the bytes hold.
    Unsigned {
        size: u8,
        max: u64,
    },
    Signed {
        size: u8,
    },
    F32,
    F64,
    /// In the row's tail.
    Text,
    Identity,
}

impl Kind {
    /// `None` for types that are not one value.
    pub(crate) fn of(ty: &Type) -> Option<Self> {
        let unsigned = |size: u8| Self::Unsigned { size, max: u64::MAX >> (64 - 8 * u32::from(size)) };
        Some(match ty {
            Type::Bool => Self::Unsigned { size: 1, max: 1 },
            Type::U8 => unsigned(1),
            Type::U16 => unsigned(2),
            Type::U32 => unsigned(4),
            Type::U64 | Type::EntityId => unsigned(8),
            Type::I8 => Self::Signed { size: 1 },
            Type::I16 => Self::Signed { size: 2 },
            Type::I32 => Self::Signed { size: 4 },
            Type::I64 | Type::Timestamp | Type::Duration => Self::Signed { size: 8 },
            Type::F32 => Self::F32,
            Type::F64 => Self::F64,
            Type::Enum(of) => {
                let max = of.variants.iter().map(|variant| u64::from(variant.value)).max();
                Self::Unsigned { size: of.size, max: max.unwrap_or(0) }
            }
            Type::String => Self::Text,
            Type::Identity => Self::Identity,
            _ => return None,
        })
    }

    pub(crate) fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }

    /// The value at `at` of a valid row.
    pub(crate) fn read(self, row: &[u8], at: usize) -> KeyRef<'_> {
        match self {
            Self::Unsigned { size, .. } => KeyRef::Number(number(row, at, size)),
            Self::Signed { size } => KeyRef::Number(number(row, at, size) ^ sign(size)),
            Self::F32 => KeyRef::Number(f32_key(f32::from_bits(number(row, at, 4) as u32))),
            Self::F64 => KeyRef::Number(f64_key(f64::from_bits(number(row, at, 8)))),
            Self::Text => {
                let (start, len) = (number(row, at, 4) as usize, number(row, at + 4, 4) as usize);
                KeyRef::Bytes(&row[start..start + len])
            }
            Self::Identity => KeyRef::Bytes(&row[at..at + 32]),
        }
    }

    /// The bytes of a value in an index of the world. Not of floats: several of theirs are one value.
    pub(crate) fn index_bytes(self, key: &Key) -> Option<Vec<u8>> {
        let bytes = |number: u64, size: u8| number.to_le_bytes()[..usize::from(size)].to_vec();
        match (self, key) {
            (Self::Unsigned { size, .. }, Key::Number(number)) => Some(bytes(*number, size)),
            (Self::Signed { size }, Key::Number(number)) => Some(bytes(*number ^ sign(size), size)),
            (Self::Text | Self::Identity, Key::Bytes(key)) => Some(key.to_vec()),
            _ => None,
        }
    }

    /// The least value.
    pub(crate) fn first(self) -> Key {
        match self {
            Self::Text | Self::Identity => Key::Bytes(Box::default()),
            _ => Key::Number(0),
        }
    }

    /// The value right behind `key`; `None` behind the greatest.
    pub(crate) fn after(self, key: &Key) -> Option<Key> {
        match key {
            Key::Number(number) => (*number < self.max()).then(|| Key::Number(number + 1)),
            Key::Bytes(bytes) => Some(Key::Bytes(bytes.iter().copied().chain([0]).collect())),
        }
    }

    fn max(self) -> u64 {
        match self {
            Self::Unsigned { max, .. } => max,
            Self::Signed { size } => u64::MAX >> (64 - 8 * u32::from(size)),
            Self::F32 => u64::from(u32::MAX),
            _ => u64::MAX,
        }
    }
}

/// A signed number's key.
pub(crate) fn signed_key(number: i64, size: u8) -> u64 {
    (number as u64 ^ sign(size)) & (u64::MAX >> (64 - 8 * u32::from(size)))
}

pub(crate) fn f32_key(value: f32) -> u64 {
    const SIGN: u32 = 1 << 31;
    u64::from(match (value + 0.0).to_bits() {
        _ if value.is_nan() => u32::MAX,
        bits if bits & SIGN != 0 => !bits,
        bits => bits | SIGN,
    })
}

pub(crate) fn f64_key(value: f64) -> u64 {
    const SIGN: u64 = 1 << 63;
    match (value + 0.0).to_bits() {
        _ if value.is_nan() => u64::MAX,
        bits if bits & SIGN != 0 => !bits,
        bits => bits | SIGN,
    }
}

/// The unsigned integer of `size` bytes at `at`.
pub(crate) fn number(row: &[u8], at: usize, size: u8) -> u64 {
    let mut bytes = [0; 8];
    bytes[..usize::from(size)].copy_from_slice(&row[at..at + usize::from(size)]);
    u64::from_le_bytes(bytes)
}

fn sign(size: u8) -> u64 {
    1 << (8 * u32::from(size) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_order() {
        let ints = [i64::MIN, -1, 0, 1, i64::MAX].map(|value| signed_key(value, 8));
        assert!(ints.is_sorted_by(|a, b| a < b));
        let shorts = [-128, -1, 0, 127].map(|value| signed_key(value, 1));
        assert_eq!(shorts, [0, 127, 128, 255]);
        let values = [f64::NEG_INFINITY, -1.5, -1e-300, 0.0, 1e-300, 2.0, f64::INFINITY, f64::NAN];
        assert!(values.map(f64_key).is_sorted_by(|a, b| a < b));
        assert!(values.map(|value| f32_key(value as f32)).is_sorted_by(|a, b| a <= b));
        assert_eq!((f64_key(-0.0), f32_key(-0.0)), (f64_key(0.0), f32_key(0.0)));
        assert_eq!((f64_key(-f64::NAN), f32_key(-f32::NAN)), (f64_key(f64::NAN), f32_key(f32::NAN)));
    }

    #[test]
    fn a_value_is_read_as_it_is_written_to_an_index() {
        for (ty, bytes) in
            [(Type::I16, vec![0xfe, 0xff]), (Type::U32, vec![1, 2, 3, 4]), (Type::Bool, vec![1])]
        {
            let kind = Kind::of(&ty).expect("a scalar");
            let KeyRef::Number(key) = kind.read(&bytes, 0) else { panic!("a number") };
            assert_eq!(kind.index_bytes(&Key::Number(key)), Some(bytes), "{ty:?}");
        }
    }
}
