//! Checks of row bytes that somebody else wrote.

use crate::ROW_BYTES_MAX;
use crate::codec::{RowError, RowReader};
use crate::layout::RowLayout;
use crate::types::{FieldDef, Type};

/// Whether `bytes` are a row of this layout: bools, enums, UTF-8, offsets and lengths. Floats may be
/// anything. Cost: the length of the fixed part plus the tails; nothing for a plain row but its length.
pub fn check_row(layout: &RowLayout, bytes: &[u8]) -> Result<(), RowError> {
    let size = layout.size as usize;
    if layout.flat && bytes.len() != size {
        return Err(RowError::Length { want: size, got: bytes.len() });
    }
    if layout.plain {
        return Ok(());
    }
    let mut check = Check::new(bytes, size)?;
    for field in &layout.fields {
        check.value(&field.ty, field.offset as usize)?;
    }
    check.finish()
}

/// Whether `bytes` are a row of these fields: arguments, a result, a refusal.
pub fn check_fields(fields: &[FieldDef], bytes: &[u8]) -> Result<(), RowError> {
    let size = fields.iter().fold(0usize, |sum, field| sum + field.ty.size() as usize);
    let mut check = Check::new(bytes, size)?;
    let mut at = 0;
    for field in fields {
        check.value(&field.ty, at)?;
        at += field.ty.size() as usize;
    }
    check.finish()
}

/// Whether the flat field of type `ty` at `at` of `row` is valid.
pub fn check_flat_field(ty: &Type, row: &[u8], at: usize) -> Result<(), RowError> {
    Check { row: RowReader::new(row), cursor: 0 }.value(ty, at)
}

/// One pass over a row; `cursor` is where the next tail must start.
struct Check<'row> {
    row: RowReader<'row>,
    cursor: usize,
}

impl<'row> Check<'row> {
    fn new(bytes: &'row [u8], size: usize) -> Result<Self, RowError> {
        if bytes.len() > ROW_BYTES_MAX {
            return Err(RowError::TooLong { max: ROW_BYTES_MAX });
        }
        if bytes.len() < size {
            return Err(RowError::Length { want: size, got: bytes.len() });
        }
        Ok(Self { row: RowReader::new(bytes), cursor: size })
    }

    fn finish(self) -> Result<(), RowError> {
        if self.cursor != self.row.len() {
            return Err(RowError::Length { want: self.cursor, got: self.row.len() });
        }
        Ok(())
    }

    fn value(&mut self, ty: &Type, at: usize) -> Result<(), RowError> {
        match ty {
            Type::Bool => match self.row.array(at)? {
                [0 | 1] => Ok(()),
                [value] => Err(RowError::Bool { at, value }),
            },
            Type::Enum(of) => {
                let value = match of.size {
                    1 => u32::from(self.row.array::<1>(at)?[0]),
                    2 => u32::from(u16::from_le_bytes(self.row.array(at)?)),
                    _ => u32::from_le_bytes(self.row.array(at)?),
                };
                if of.variants.iter().any(|variant| variant.value == value) {
                    return Ok(());
                }
                Err(RowError::Enum { at, name: of.name.clone(), value })
            }
            Type::Array(of, len) if !of.is_plain() => {
                (0..*len).try_for_each(|index| self.value(of, at + (index * of.size()) as usize))
            }
            Type::Struct(of) => {
                let mut at = at;
                for field in &of.fields {
                    self.value(&field.ty, at)?;
                    at += field.ty.size() as usize;
                }
                Ok(())
            }
            Type::String => {
                let (offset, len) = self.tail(at, 1)?;
                let text = self.row.slice(offset, len)?;
                str::from_utf8(text).map_err(|_| RowError::Utf8 { at: offset })?;
                Ok(())
            }
            Type::List(of) => self.elements(of, at),
            Type::Option(of) => match self.row.tail(at)? {
                (_, 0 | 1) => self.elements(of, at),
                (_, len) => Err(RowError::Option { at, len }),
            },
            plain => self.row.slice(at, plain.size() as usize).map(drop),
        }
    }

    fn elements(&mut self, of: &Type, at: usize) -> Result<(), RowError> {
        let stride = of.size() as usize;
        let (offset, len) = self.tail(at, stride.max(1))?;
        if of.is_plain() {
            return Ok(());
        }
        (0..len).try_for_each(|index| self.value(of, offset + index * stride))
    }

    /// Checks the `(offset, len)` at `at` and moves the cursor behind its bytes, which must be there.
    fn tail(&mut self, at: usize, stride: usize) -> Result<(usize, usize), RowError> {
        let (offset, len) = self.row.tail(at)?;
        let want = if len == 0 { 0 } else { self.cursor };
        if offset != want {
            return Err(RowError::Offset { at, offset, want });
        }
        let bytes = len.saturating_mul(stride);
        self.row.slice(offset, bytes)?;
        self.cursor += bytes;
        Ok((offset, len))
    }
}
