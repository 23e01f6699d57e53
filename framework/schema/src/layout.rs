//! Where a row's fields lie.

use crate::types::{FieldDef, Type};

/// Offsets and sizes of a row's fields.
#[derive(Clone, Debug, PartialEq)]
pub struct RowLayout {
    /// Bytes of the fixed part.
    pub size: u32,
    /// The largest alignment of a field, in bytes.
    pub align: u32,
    /// Whether the fixed part is all there is.
    pub flat: bool,
    /// Whether any fixed part of the right length is a valid row: flat, without bools and enums.
    pub plain: bool,
    /// The fields, in declared order.
    pub fields: Vec<FieldLayout>,
}

/// One field's place.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldLayout {
    /// From the row's first byte.
    pub offset: u32,
    /// Bytes in the fixed part.
    pub size: u32,
    /// The field's type.
    pub ty: Type,
}

impl FieldLayout {
    /// The field's bytes in the fixed part of `row`, which must be long enough.
    pub fn of<'row>(&self, row: &'row [u8]) -> &'row [u8] {
        &row[self.offset as usize..(self.offset + self.size) as usize]
    }
}

impl RowLayout {
    /// Lays `fields` out one behind the other.
    ///
    /// ```
    /// use evertick_schema::{FieldDef, RowLayout, Type};
    /// let layout = RowLayout::of(&[FieldDef::new("at", Type::Vec2), FieldDef::new("kind", Type::U32)]);
    /// assert_eq!((layout.size, layout.align, layout.flat), (12, 4, true));
    /// assert_eq!(layout.fields[1].offset, 8);
    /// ```
    pub fn of(fields: &[FieldDef]) -> Self {
        let mut layout =
            Self { size: 0, align: 1, flat: true, plain: true, fields: Vec::with_capacity(fields.len()) };
        for field in fields {
            let size = field.ty.size();
            layout.fields.push(FieldLayout { offset: layout.size, size, ty: field.ty.clone() });
            layout.size = layout.size.saturating_add(size);
            layout.align = layout.align.max(field.ty.align());
            layout.flat &= field.ty.is_flat();
            layout.plain &= field.ty.is_plain();
        }
        layout
    }

    /// Whether the fields are where a `#[repr(C)]` struct has them: each aligned, and no padding at the end.
    pub fn is_repr_c(&self) -> bool {
        self.fields.iter().all(|field| field.offset.is_multiple_of(field.ty.align()))
            && self.size.is_multiple_of(self.align)
    }
}
