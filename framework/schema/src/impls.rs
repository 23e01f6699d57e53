//! [`Field`] for the types that rows are made of.

use glam::{IVec2, IVec3, IVec4, Quat, UVec2, UVec3, UVec4, Vec2, Vec3, Vec4};

use crate::codec::{RowError, RowReader, RowWriter};
use crate::ids::{Duration, EntityId, Identity, Timestamp};
use crate::traits::Field;
use crate::types::Type;

macro_rules! number {
    ($($ty:ty => $name:ident),*) => {$(
        impl Field for $ty {
            const SIZE: usize = size_of::<$ty>();
            const FLAT: bool = true;

            fn ty() -> Type {
                Type::$name
            }

            fn write(&self, row: &mut RowWriter<'_>, at: usize) {
                row.put(at, &self.to_le_bytes());
            }

            fn read(row: &RowReader<'_>, at: usize) -> Result<Self, RowError> {
                Ok(<$ty>::from_le_bytes(row.array(at)?))
            }
        }
    )*};
}

number!(u8 => U8, i8 => I8, u16 => U16, i16 => I16, u32 => U32, i32 => I32, u64 => U64, i64 => I64, f32 => F32, f64 => F64);

macro_rules! wrapper {
    ($($ty:ty, $inner:ty => $name:ident),*) => {$(
        impl Field for $ty {
            const SIZE: usize = <$inner>::SIZE;
            const FLAT: bool = true;

            fn ty() -> Type {
                Type::$name
            }

            fn write(&self, row: &mut RowWriter<'_>, at: usize) {
                self.0.write(row, at);
            }

            fn read(row: &RowReader<'_>, at: usize) -> Result<Self, RowError> {
                Ok(Self(<$inner>::read(row, at)?))
            }
        }
    )*};
}

wrapper!(EntityId, u64 => EntityId, Timestamp, i64 => Timestamp, Duration, i64 => Duration, Identity, [u8; 32] => Identity);

macro_rules! vector {
    ($($ty:ty, $lane:ty, $len:literal => $name:ident),*) => {$(
        impl Field for $ty {
            const SIZE: usize = size_of::<[$lane; $len]>();
            const FLAT: bool = true;

            fn ty() -> Type {
                Type::$name
            }

            fn write(&self, row: &mut RowWriter<'_>, at: usize) {
                self.to_array().write(row, at);
            }

            fn read(row: &RowReader<'_>, at: usize) -> Result<Self, RowError> {
                Ok(Self::from_array(<[$lane; $len]>::read(row, at)?))
            }
        }
    )*};
}

vector!(
    Vec2, f32, 2 => Vec2, Vec3, f32, 3 => Vec3, Vec4, f32, 4 => Vec4, Quat, f32, 4 => Quat,
    IVec2, i32, 2 => IVec2, IVec3, i32, 3 => IVec3, IVec4, i32, 4 => IVec4,
    UVec2, u32, 2 => UVec2, UVec3, u32, 3 => UVec3, UVec4, u32, 4 => UVec4
);

// Rows hold vectors as plain arrays; glam built with SIMD types would align them to 16 bytes.
const _: () = assert!(align_of::<Vec4>() == 4 && align_of::<Quat>() == 4, "build glam with `scalar-math`");

impl Field for bool {
    const SIZE: usize = 1;
    const FLAT: bool = true;

    fn ty() -> Type {
        Type::Bool
    }

    fn write(&self, row: &mut RowWriter<'_>, at: usize) {
        row.put(at, &[u8::from(*self)]);
    }

    fn read(row: &RowReader<'_>, at: usize) -> Result<Self, RowError> {
        match row.array(at)? {
            [0] => Ok(false),
            [1] => Ok(true),
            [value] => Err(RowError::Bool { at, value }),
        }
    }
}

/// The result of a reducer that returns nothing: no bytes. Not a field of rows.
impl Field for () {
    const SIZE: usize = 0;
    const FLAT: bool = true;

    fn ty() -> Type {
        Type::Array(Box::new(Type::U8), 0)
    }

    fn write(&self, _row: &mut RowWriter<'_>, _at: usize) {}

    fn read(_row: &RowReader<'_>, _at: usize) -> Result<Self, RowError> {
        Ok(())
    }
}

impl<T: Field, const N: usize> Field for [T; N] {
    const SIZE: usize = T::SIZE * N;
    const FLAT: bool = T::FLAT;

    fn ty() -> Type {
        Type::Array(Box::new(T::ty()), N as u32)
    }

    fn write(&self, row: &mut RowWriter<'_>, at: usize) {
        for (index, item) in self.iter().enumerate() {
            item.write(row, at + index * T::SIZE);
        }
    }

    fn read(row: &RowReader<'_>, at: usize) -> Result<Self, RowError> {
        let mut failed = Ok(());
        let items: [Option<T>; N] =
            std::array::from_fn(|index| match T::read(row, at.saturating_add(index * T::SIZE)) {
                Ok(item) => Some(item),
                Err(error) => {
                    failed = Err(error);
                    None
                }
            });
        failed?;
        Ok(items.map(|item| item.expect("every item was read, or `failed` says otherwise")))
    }
}

impl Field for String {
    const SIZE: usize = 8;
    const FLAT: bool = false;

    fn ty() -> Type {
        Type::String
    }

    fn write(&self, row: &mut RowWriter<'_>, at: usize) {
        let tail = row.tail(at, self.len(), self.len());
        row.put(tail, self.as_bytes());
    }

    fn read(row: &RowReader<'_>, at: usize) -> Result<Self, RowError> {
        let (offset, len) = row.tail(at)?;
        let bytes = row.slice(offset, len)?;
        Ok(str::from_utf8(bytes).map_err(|_| RowError::Utf8 { at: offset })?.to_owned())
    }
}

impl<T: Field> Field for Vec<T> {
    const SIZE: usize = 8;
    const FLAT: bool = false;

    fn ty() -> Type {
        Type::List(Box::new(T::ty()))
    }

    fn write(&self, row: &mut RowWriter<'_>, at: usize) {
        let tail = row.tail(at, self.len(), self.len() * T::SIZE);
        for (index, item) in self.iter().enumerate() {
            item.write(row, tail + index * T::SIZE);
        }
    }

    fn read(row: &RowReader<'_>, at: usize) -> Result<Self, RowError> {
        let (offset, len) = row.tail(at)?;
        // The elements' bytes must be there before memory for them is taken.
        row.slice(offset, len.saturating_mul(T::SIZE.max(1)))?;
        (0..len).map(|index| T::read(row, offset + index * T::SIZE)).collect()
    }
}

impl<T: Field> Field for Option<T> {
    const SIZE: usize = 8;
    const FLAT: bool = false;

    fn ty() -> Type {
        Type::Option(Box::new(T::ty()))
    }

    fn write(&self, row: &mut RowWriter<'_>, at: usize) {
        if let Some(value) = self {
            let tail = row.tail(at, 1, T::SIZE);
            value.write(row, tail);
        }
    }

    fn read(row: &RowReader<'_>, at: usize) -> Result<Self, RowError> {
        match row.tail(at)? {
            (_, 0) => Ok(None),
            (offset, 1) => Ok(Some(T::read(row, offset)?)),
            (_, len) => Err(RowError::Option { at, len }),
        }
    }
}
