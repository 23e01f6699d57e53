//! What becomes of one value: planned from two types, run over bytes.

use std::fmt;

use super::convert::Fields;
use super::fields::{self, Notes};
use crate::ROW_BYTES_MAX;
use crate::codec::{RowError, RowReader, RowWriter};
use crate::types::{EnumType, Type};

/// The way from a value of one type to one of another.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// So many bytes as they are.
    Bytes(usize),
    /// An integer gets more bytes.
    Widen { from: usize, to: usize, signed: bool },
    /// An `f32` becomes an `f64`.
    Double,
    /// An enum's value becomes what its variant has now, in as many bytes as the new enum has.
    Enum { name: String, from: usize, to: usize, values: Vec<(u32, u32)> },
    /// Field by field.
    Struct(Fields),
    /// So many elements, which have `from` bytes and will have `to`.
    Array { len: usize, from: usize, to: usize, of: Box<Value> },
    /// A string, list or option, whose elements' fixed parts have `from` bytes and will have `to`.
    Tail { from: usize, to: usize, of: Box<Value> },
}

impl Value {
    /// Plans the way from `old` to `new`. What changes and what is impossible is noted under `place`; `None` when
    /// something is impossible.
    pub(super) fn plan(place: &str, old: &Type, new: &Type, notes: &mut Notes) -> Option<Self> {
        let of_elements = |of: &Type, to: &Type, notes: &mut Notes| {
            let value = Self::plan(&format!("{place}[]"), of, to, notes)?;
            Some((of.size() as usize, to.size() as usize, Box::new(value)))
        };
        match (old, new) {
            (Type::Enum(old), Type::Enum(new)) => enums(place, old, new, notes),
            (Type::Struct(old), Type::Struct(new)) => {
                let fields = fields::plan(place, &old.fields, &new.fields, notes)?;
                Some(match fields.as_they_are() {
                    Some(bytes) => Self::Bytes(bytes),
                    None => Self::Struct(fields),
                })
            }
            (Type::Array(of, len), Type::Array(to, new_len)) if len == new_len => {
                let (from, to, of) = of_elements(of, to, notes)?;
                let len = *len as usize;
                Some(match *of {
                    Self::Bytes(bytes) => Self::Bytes(bytes * len),
                    _ => Self::Array { len, from, to, of },
                })
            }
            (Type::List(of), Type::List(to)) | (Type::Option(of), Type::Option(to)) => {
                let (from, to, of) = of_elements(of, to, notes)?;
                Some(Self::Tail { from, to, of })
            }
            (Type::String, Type::String) => Some(Self::Tail { from: 1, to: 1, of: Box::new(Self::Bytes(1)) }),
            (old, new) if old == new => Some(Self::Bytes(old.size() as usize)),
            (old, new) => {
                let value = widened(old, new);
                match value {
                    Some(_) => notes.change(format!("~ {place}: {} becomes {}", Shown(old), Shown(new))),
                    None => {
                        notes.problem(format!("{place}: {} can't become {}", Shown(old), Shown(new)));
                    }
                }
                value
            }
        }
    }

    /// The way of a value that stays what it is.
    pub(super) fn same(ty: &Type) -> Self {
        Self::plan("", ty, ty, &mut Notes::default()).expect("a type can always become itself")
    }

    /// Whether no byte changes.
    pub(super) fn is_same(&self) -> bool {
        match self {
            Self::Bytes(_) => true,
            Self::Tail { of, .. } => of.is_same(),
            _ => false,
        }
    }

    /// Converts the value at `at` of the old row to `to_at` of the new one.
    pub(super) fn convert(
        &self,
        old: &RowReader<'_>,
        at: usize,
        new: &mut RowWriter<'_>,
        to_at: usize,
    ) -> Result<(), RowError> {
        match self {
            Self::Bytes(len) => new.put(to_at, old.slice(at, *len)?),
            Self::Widen { from, to, signed } => {
                let bytes = old.slice(at, *from)?;
                let fill = if *signed && bytes[from - 1] & 0x80 != 0 { 0xff } else { 0 };
                let mut wide = [fill; 8];
                wide[..*from].copy_from_slice(bytes);
                new.put(to_at, &wide[..*to]);
            }
            Self::Double => {
                let value = f64::from(f32::from_le_bytes(old.array(at)?));
                new.put(to_at, &value.to_le_bytes());
            }
            Self::Enum { name, from, to, values } => {
                let mut bytes = [0; 4];
                bytes[..*from].copy_from_slice(old.slice(at, *from)?);
                let value = u32::from_le_bytes(bytes);
                let wrong = |_| RowError::Enum { at, name: name.clone(), value };
                let found = values.binary_search_by_key(&value, |(old, _)| *old).map_err(wrong)?;
                new.put(to_at, &values[found].1.to_le_bytes()[..*to]);
            }
            Self::Struct(fields) => fields.convert(old, at, new, to_at)?,
            Self::Array { len, from, to, of } => {
                for index in 0..*len {
                    of.convert(old, at + index * from, new, to_at + index * to)?;
                }
            }
            Self::Tail { from, to, of } => {
                let (tail, len) = old.tail(at)?;
                let bytes = old.slice(tail, len.saturating_mul(*from))?;
                let new_len = len.saturating_mul(*to);
                if new_len > ROW_BYTES_MAX.saturating_sub(new.len()) {
                    return Err(RowError::TooLong { max: ROW_BYTES_MAX });
                }
                let new_tail = new.tail(to_at, len, new_len);
                if let Self::Bytes(_) = **of {
                    new.put(new_tail, bytes);
                } else {
                    for index in 0..len {
                        of.convert(old, tail + index * from, new, new_tail + index * to)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The way to a wider number of the same sort.
fn widened(old: &Type, new: &Type) -> Option<Value> {
    if (old, new) == (&Type::F32, &Type::F64) {
        return Some(Value::Double);
    }
    let (from, signed) = integer(old)?;
    let (to, to_signed) = integer(new)?;
    (from < to && (to_signed || !signed)).then_some(Value::Widen { from, to, signed })
}

/// Bytes and signedness of an integer.
fn integer(ty: &Type) -> Option<(usize, bool)> {
    Some(match ty {
        Type::U8 => (1, false),
        Type::U16 => (2, false),
        Type::U32 => (4, false),
        Type::U64 => (8, false),
        Type::I8 => (1, true),
        Type::I16 => (2, true),
        Type::I32 => (4, true),
        Type::I64 => (8, true),
        _ => return None,
    })
}

/// Variants go by name. All old ones must still be there.
fn enums(place: &str, old: &EnumType, new: &EnumType, notes: &mut Notes) -> Option<Value> {
    let mut values = Vec::with_capacity(old.variants.len());
    let problems = notes.problems.len();
    for variant in &old.variants {
        match new.variants.iter().find(|other| other.name == variant.name) {
            Some(other) => values.push((variant.value, other.value)),
            None => notes.problem(format!(
                "{place}: enum {} has no variant {} any more, which rows may have",
                new.name, variant.name
            )),
        }
    }
    if notes.problems.len() > problems {
        return None;
    }
    for variant in &new.variants {
        if !old.variants.iter().any(|other| other.name == variant.name) {
            notes.change(format!("~ {place}: enum {} gets the variant {}", new.name, variant.name));
        }
    }
    let same_values = values.iter().all(|(old, new)| old == new);
    if !same_values {
        notes.change(format!("~ {place}: variants of enum {} get other values", new.name));
    }
    if old.size != new.size {
        notes.change(format!("~ {place}: enum {} takes {} bytes, was {}", new.name, new.size, old.size));
    }
    if same_values && old.size == new.size {
        return Some(Value::Bytes(usize::from(old.size)));
    }
    values.sort_unstable();
    Some(Value::Enum { name: new.name.clone(), from: old.size.into(), to: new.size.into(), values })
}

/// A type as an author would call it.
pub(super) struct Shown<'a>(pub(super) &'a Type);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Type::Enum(of) => write!(f, "enum {}", of.name),
            Type::Struct(of) => write!(f, "struct {}", of.name),
            Type::Array(of, len) => write!(f, "[{}; {len}]", Shown(of)),
            Type::List(of) => write!(f, "Vec<{}>", Shown(of)),
            Type::Option(of) => write!(f, "Option<{}>", Shown(of)),
            number if number.lanes().is_some_and(|(_, lanes)| lanes == 1) && !is_named(number) => {
                write!(f, "{}", format!("{number:?}").to_lowercase())
            }
            Type::Bool => f.write_str("bool"),
            named => write!(f, "{named:?}"),
        }
    }
}

fn is_named(ty: &Type) -> bool {
    matches!(ty, Type::EntityId | Type::Timestamp | Type::Duration)
}
