//! Values as the text of a query.

use evertick_schema::{Field, RowReader, RowWriter, Type};

use crate::condition::ConditionError;

/// The text of a number that is `finite`.
pub(crate) fn finite(finite: bool, text: String) -> Result<String, ConditionError> {
    if finite { Ok(text) } else { Err(ConditionError::NotFinite(text)) }
}

/// Says that a value does not fit the field.
pub(crate) fn unfit(field: &str, value: String, ty: &Type) -> ConditionError {
    ConditionError::Value { field: field.to_owned(), value, ty: format!("{ty:?}") }
}

/// A value as the text of a query.
pub(crate) fn constant<V: Field>(field: &str, ty: &Type, value: &V) -> Result<String, ConditionError> {
    let mut bytes = Vec::new();
    value.write(&mut RowWriter::new(&mut bytes, V::SIZE), 0);
    let row = RowReader::new(&bytes);
    let given = V::ty();
    let not_read = |_| unfit(field, "that".to_owned(), ty);
    // What was written a moment ago can be read.
    macro_rules! read {
        ($ty:ty) => {
            <$ty>::read(&row, 0).map_err(not_read)?
        };
    }
    let whole: Option<i128> = match given {
        Type::U8 => Some(read!(u8).into()),
        Type::I8 => Some(read!(i8).into()),
        Type::U16 => Some(read!(u16).into()),
        Type::I16 => Some(read!(i16).into()),
        Type::U32 => Some(read!(u32).into()),
        Type::I32 => Some(read!(i32).into()),
        Type::U64 | Type::EntityId => Some(read!(u64).into()),
        Type::I64 | Type::Timestamp | Type::Duration => Some(read!(i64).into()),
        _ => None,
    };
    match (whole, range(ty)) {
        (Some(whole), Some(range)) if is_integer(ty) == is_integer(&given) => {
            return match (range.contains(&whole), is_integer(ty) || *ty == given) {
                (true, true) => Ok(whole.to_string()),
                _ => Err(unfit(field, whole.to_string(), ty)),
            };
        }
        (None, None) if *ty == given => {}
        // Numbers without a point are good for floats too.
        (Some(whole), None) if is_integer(&given) && matches!(ty, Type::F32 | Type::F64) => {
            return Ok(whole.to_string());
        }
        _ => return Err(unfit(field, format!("a {given:?}"), ty)),
    }
    match ty {
        Type::Bool => Ok(if read!(bool) { "TRUE" } else { "FALSE" }.to_owned()),
        Type::F32 => {
            let number = read!(f32);
            finite(number.is_finite(), number.to_string())
        }
        Type::F64 => {
            let number = read!(f64);
            finite(number.is_finite(), number.to_string())
        }
        Type::String => Ok(format!("'{}'", read!(String).replace('\'', "''"))),
        Type::Identity => {
            Ok(format!("'{}'", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
        }
        Type::Enum(of) => {
            let number = bytes.iter().rev().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
            let variant = of.variants.iter().find(|variant| variant.value == number);
            let variant = variant.ok_or_else(|| unfit(field, number.to_string(), ty))?;
            Ok(format!("'{}'", variant.name))
        }
        ty => Err(unfit(field, "a whole value".to_owned(), ty)),
    }
}

fn is_integer(ty: &Type) -> bool {
    use Type::{I8, I16, I32, I64, U8, U16, U32, U64};
    matches!(ty, U8 | I8 | U16 | I16 | U32 | I32 | U64 | I64)
}

/// The whole numbers that a type can hold.
fn range(ty: &Type) -> Option<std::ops::RangeInclusive<i128>> {
    Some(match ty {
        Type::U8 => 0..=u8::MAX.into(),
        Type::I8 => i8::MIN.into()..=i8::MAX.into(),
        Type::U16 => 0..=u16::MAX.into(),
        Type::I16 => i16::MIN.into()..=i16::MAX.into(),
        Type::U32 => 0..=u32::MAX.into(),
        Type::I32 => i32::MIN.into()..=i32::MAX.into(),
        Type::U64 | Type::EntityId => 0..=u64::MAX.into(),
        Type::I64 | Type::Timestamp | Type::Duration => i64::MIN.into()..=i64::MAX.into(),
        _ => return None,
    })
}
