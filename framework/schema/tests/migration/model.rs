//! The obvious conversion: rows read into values, the values changed, and written again.

use evertick_schema::{FieldDef, RowReader, RowWriter, Type};

/// Any field's value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Int(i128),
    Float(f64),
    Variant(String),
    /// Bytes of a type that never changes.
    Opaque(Vec<u8>),
    Fields(Vec<(String, Value)>),
    /// The elements of an array, list or option, or a string's bytes.
    Elements(Vec<Value>),
}

/// A row's fields.
pub(crate) fn read(fields: &[FieldDef], row: &[u8]) -> Value {
    read_fields(fields, &RowReader::new(row), 0)
}

/// A row of these fields, which `value` has in any order.
pub(crate) fn write(fields: &[FieldDef], value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    let size = fields.iter().map(|field| field.ty.size() as usize).sum();
    write_fields(fields, value, &mut RowWriter::new(&mut out, size), 0);
    out
}

/// What the old `value` of fields `old` is as a value of fields `new`: by name, else by former name, else the default.
pub(crate) fn convert(old: &[FieldDef], new: &[FieldDef], value: &Value) -> Value {
    let Value::Fields(values) = value else { panic!("{value:?} has no fields") };
    let convert = |field: &FieldDef| {
        let known = |name: &str| old.iter().position(|old| old.name == name);
        let from = known(&field.name).or_else(|| known(field.was.as_deref()?));
        let value = match from {
            Some(from) => convert_type(&old[from].ty, &field.ty, &values[from].1),
            None => {
                let default = read(std::slice::from_ref(field), field.default.as_ref().unwrap());
                let Value::Fields(mut default) = default else { unreachable!() };
                default.remove(0).1
            }
        };
        (field.name.clone(), value)
    };
    Value::Fields(new.iter().map(convert).collect())
}

fn convert_type(old: &Type, new: &Type, value: &Value) -> Value {
    match (old, new, value) {
        (Type::Struct(old), Type::Struct(new), value) => convert(&old.fields, &new.fields, value),
        (
            Type::Array(old, _) | Type::List(old) | Type::Option(old),
            Type::Array(new, _) | Type::List(new) | Type::Option(new),
            Value::Elements(elements),
        ) => Value::Elements(elements.iter().map(|element| convert_type(old, new, element)).collect()),
        _ => value.clone(),
    }
}

fn read_fields(fields: &[FieldDef], row: &RowReader<'_>, mut at: usize) -> Value {
    let mut values = Vec::new();
    for field in fields {
        values.push((field.name.clone(), read_type(&field.ty, row, at)));
        at += field.ty.size() as usize;
    }
    Value::Fields(values)
}

fn read_type(ty: &Type, row: &RowReader<'_>, at: usize) -> Value {
    let elements = |of: &Type, at: usize, len: usize| {
        Value::Elements((0..len).map(|index| read_type(of, row, at + index * of.size() as usize)).collect())
    };
    match ty {
        Type::U8 => Value::Int(u8::from_le_bytes(row.array(at).unwrap()).into()),
        Type::U16 => Value::Int(u16::from_le_bytes(row.array(at).unwrap()).into()),
        Type::U32 => Value::Int(u32::from_le_bytes(row.array(at).unwrap()).into()),
        Type::U64 => Value::Int(u64::from_le_bytes(row.array(at).unwrap()).into()),
        Type::I8 => Value::Int(i8::from_le_bytes(row.array(at).unwrap()).into()),
        Type::I16 => Value::Int(i16::from_le_bytes(row.array(at).unwrap()).into()),
        Type::I32 => Value::Int(i32::from_le_bytes(row.array(at).unwrap()).into()),
        Type::I64 => Value::Int(i64::from_le_bytes(row.array(at).unwrap()).into()),
        Type::F32 => Value::Float(f32::from_le_bytes(row.array(at).unwrap()).into()),
        Type::F64 => Value::Float(f64::from_le_bytes(row.array(at).unwrap())),
        Type::Enum(of) => {
            let mut bytes = [0; 4];
            bytes[..of.size.into()].copy_from_slice(row.slice(at, of.size.into()).unwrap());
            let value = u32::from_le_bytes(bytes);
            Value::Variant(of.variants.iter().find(|variant| variant.value == value).unwrap().name.clone())
        }
        Type::Struct(of) => read_fields(&of.fields, row, at),
        Type::Array(of, len) => elements(of, at, *len as usize),
        Type::List(of) | Type::Option(of) => {
            let (tail, len) = row.tail(at).unwrap();
            elements(of, tail, len)
        }
        Type::String => {
            let (tail, len) = row.tail(at).unwrap();
            elements(&Type::U8, tail, len)
        }
        other => Value::Opaque(row.slice(at, other.size() as usize).unwrap().to_vec()),
    }
}

fn write_fields(fields: &[FieldDef], value: &Value, row: &mut RowWriter<'_>, mut at: usize) {
    let Value::Fields(values) = value else { panic!("{value:?} has no fields") };
    for field in fields {
        let (_, value) = values.iter().find(|(name, _)| *name == field.name).unwrap();
        write_type(&field.ty, value, row, at);
        at += field.ty.size() as usize;
    }
}

fn write_type(ty: &Type, value: &Value, row: &mut RowWriter<'_>, at: usize) {
    let size = ty.size() as usize;
    match (ty, value) {
        (Type::Struct(of), value) => write_fields(&of.fields, value, row, at),
        (Type::F32, Value::Float(value)) => row.put(at, &(*value as f32).to_le_bytes()),
        (Type::F64, Value::Float(value)) => row.put(at, &value.to_le_bytes()),
        (_, Value::Int(value)) => row.put(at, &value.to_le_bytes()[..size]),
        (_, Value::Opaque(bytes)) => row.put(at, bytes),
        (Type::Enum(of), Value::Variant(name)) => {
            let variant = of.variants.iter().find(|variant| variant.name == *name).unwrap();
            row.put(at, &variant.value.to_le_bytes()[..size]);
        }
        (ty, Value::Elements(elements)) => {
            let byte = Type::U8;
            let (of, start) = match ty {
                Type::Array(of, _) => (&**of, at),
                Type::List(of) | Type::Option(of) => {
                    (&**of, row.tail(at, elements.len(), elements.len() * of.size() as usize))
                }
                _ => (&byte, row.tail(at, elements.len(), elements.len())),
            };
            for (index, element) in elements.iter().enumerate() {
                write_type(of, element, row, start + index * of.size() as usize);
            }
        }
        (ty, value) => panic!("{value:?} is no value of {ty:?}"),
    }
}
