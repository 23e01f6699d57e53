//! Rows and values as a person reads them.

use std::fmt::Write;

use evertick_schema::{EntityId, FieldDef, Identity, RowError, RowReader, Type};

/// `{name: value, ..}` of a whole row, or its bytes when they are none.
pub(super) fn row(fields: &[FieldDef], bytes: &[u8]) -> String {
    let mut out = String::new();
    match fields_of(&mut out, fields, &RowReader::new(bytes), 0) {
        Ok(()) => out,
        Err(_) => hex(bytes),
    }
}

/// `{name: value, ..}` of the fields of `mask`, whose bytes stand one behind the other.
pub(super) fn patch(fields: &[FieldDef], mask: u64, bytes: &[u8]) -> String {
    let masked: Vec<FieldDef> = fields
        .iter()
        .enumerate()
        .filter(|(at, _)| mask >> at & 1 == 1)
        .map(|(_, field)| field.clone())
        .collect();
    row(&masked, bytes)
}

fn fields_of(
    out: &mut String,
    fields: &[FieldDef],
    row: &RowReader<'_>,
    mut at: usize,
) -> Result<(), RowError> {
    out.push('{');
    for (number, field) in fields.iter().enumerate() {
        if number > 0 {
            out.push_str(", ");
        }
        out.push_str(&field.name);
        out.push_str(": ");
        value(out, &field.ty, row, at)?;
        at += field.ty.size() as usize;
    }
    out.push('}');
    Ok(())
}

fn value(out: &mut String, ty: &Type, row: &RowReader<'_>, at: usize) -> Result<(), RowError> {
    macro_rules! number {
        ($of:ty) => {
            write!(out, "{}", <$of>::from_le_bytes(row.array(at)?))
        };
    }
    let written = match ty {
        Type::Bool => write!(out, "{}", row.array::<1>(at)? != [0]),
        Type::U8 => number!(u8),
        Type::I8 => number!(i8),
        Type::U16 => number!(u16),
        Type::I16 => number!(i16),
        Type::U32 => number!(u32),
        Type::I32 => number!(i32),
        Type::U64 => number!(u64),
        Type::I64 => number!(i64),
        Type::F32 => number!(f32),
        Type::F64 => number!(f64),
        Type::EntityId => write!(out, "{}", EntityId(u64::from_le_bytes(row.array(at)?))),
        Type::Identity => write!(out, "{}", Identity(row.array(at)?)),
        Type::Timestamp | Type::Duration => write!(out, "{} µs", i64::from_le_bytes(row.array(at)?)),
        Type::Vec2 => return list(out, &Type::F32, 2, row, at),
        Type::Vec3 => return list(out, &Type::F32, 3, row, at),
        Type::Vec4 | Type::Quat => return list(out, &Type::F32, 4, row, at),
        Type::IVec2 => return list(out, &Type::I32, 2, row, at),
        Type::IVec3 => return list(out, &Type::I32, 3, row, at),
        Type::IVec4 => return list(out, &Type::I32, 4, row, at),
        Type::UVec2 => return list(out, &Type::U32, 2, row, at),
        Type::UVec3 => return list(out, &Type::U32, 3, row, at),
        Type::UVec4 => return list(out, &Type::U32, 4, row, at),
        Type::Array(of, len) => return list(out, of, *len as usize, row, at),
        Type::Struct(of) => return fields_of(out, &of.fields, row, at),
        Type::Enum(of) => {
            let bytes = row.slice(at, usize::from(of.size))?;
            let number = bytes.iter().rev().fold(0u32, |number, byte| number << 8 | u32::from(*byte));
            match of.variants.iter().find(|variant| variant.value == number) {
                Some(variant) => write!(out, "{}", variant.name),
                None => write!(out, "{number}"),
            }
        }
        Type::String => {
            let (offset, len) = row.tail(at)?;
            write!(out, "{:?}", String::from_utf8_lossy(row.slice(offset, len)?))
        }
        Type::List(of) => {
            let (offset, len) = row.tail(at)?;
            return list(out, of, len, row, offset);
        }
        Type::Option(of) => match row.tail(at)? {
            (_, 0) => write!(out, "none"),
            (offset, _) => return value(out, of, row, offset),
        },
    };
    // Writing into a string does not fail.
    debug_assert!(written.is_ok());
    Ok(())
}

fn list(out: &mut String, of: &Type, len: usize, row: &RowReader<'_>, at: usize) -> Result<(), RowError> {
    out.push('[');
    for index in 0..len {
        if index > 0 {
            out.push_str(", ");
        }
        value(out, of, row, at + index * of.size() as usize)?;
    }
    out.push(']');
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_shown_by_field() {
        let fields = [
            FieldDef::new("id", Type::U64),
            FieldDef::new("at", Type::Vec2),
            FieldDef::new("name", Type::String),
            FieldDef::new("more", Type::List(Box::new(Type::Option(Box::new(Type::I16))))),
        ];
        let mut bytes = vec![7, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend([1.5f32.to_le_bytes(), 2.0f32.to_le_bytes()].concat());
        for number in [32u32, 2, 34, 2 /* tail */] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(b"hi");
        for number in [0u32, 0, 50, 1] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend((-3i16).to_le_bytes());
        assert_eq!(row(&fields, &bytes), r#"{id: 7, at: [1.5, 2], name: "hi", more: [none, -3]}"#);
        assert_eq!(patch(&fields, 0b10, &bytes[8..16]), "{at: [1.5, 2]}");
        assert_eq!(row(&fields, &[1, 2]), "0102", "what is no row is shown as it is");
    }
}
