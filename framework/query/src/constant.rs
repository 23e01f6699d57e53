//! Constants of a query, as values of the field that they are compared with.

use evertick_schema::{Identity, Type};
use sqlparser::ast::{Expr, UnaryOperator, Value};

use crate::catalog::some_of;
use crate::error::QueryError;
use crate::key::{Key, f32_key, f64_key, signed_key};
use crate::operand::{Found, type_name};
use crate::text::start_of;

/// Whether an expression is a constant by its form.
pub(crate) fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Value(_) => true,
        Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr } => {
            matches!(**expr, Expr::Value(_))
        }
        _ => false,
    }
}

/// A number's text with its sign, if the expression is one.
pub(crate) fn number_text(expr: &Expr) -> Option<String> {
    let number = |expr: &Expr| match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    };
    match expr {
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => Some(format!("-{}", number(expr)?)),
        Expr::UnaryOp { op: UnaryOperator::Plus, expr } => number(expr),
        other => number(other),
    }
}

/// The constant as a value of `of`'s type.
pub(crate) fn fold(of: &Found, expr: &Expr, me: &Identity) -> Result<Key, QueryError> {
    let key = match &of.ty {
        Type::U8 | Type::U16 | Type::U32 | Type::U64 | Type::EntityId => unsigned(&of.ty, expr),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Timestamp | Type::Duration => {
            signed(&of.ty, expr)
        }
        // Rust's parsing rounds to the nearest, of each of the two types.
        Type::F32 => number_text(expr)
            .and_then(|text| text.parse::<f32>().ok())
            .filter(|value| value.is_finite())
            .map(|value| Key::Number(f32_key(value))),
        Type::F64 => number_text(expr)
            .and_then(|text| text.parse::<f64>().ok())
            .filter(|value| value.is_finite())
            .map(|value| Key::Number(f64_key(value))),
        Type::Bool => match value(expr) {
            Some(Value::Boolean(value)) => Some(Key::Number(u64::from(*value))),
            _ => None,
        },
        Type::Enum(ty) => text(expr).and_then(|text| {
            let variant = ty.variants.iter().find(|variant| variant.name == text)?;
            Some(Key::Number(variant.value.into()))
        }),
        Type::String => text(expr).map(|text| Key::Bytes(text.as_bytes().into())),
        Type::Identity => match value(expr) {
            Some(Value::Placeholder(name)) if name == ":me" => Some(Key::Bytes(me.0.into())),
            _ => text(expr).and_then(identity).map(|bytes| Key::Bytes(bytes.into())),
        },
        _ => None,
    };
    key.ok_or_else(|| QueryError::Constant {
        at: start_of(expr),
        field: of.name.clone(),
        ty: type_name(&of.ty),
        wanted: wanted(&of.ty),
        got: shown(expr),
    })
}

/// What constants of a type look like.
fn wanted(ty: &Type) -> String {
    let range = |lo: i128, hi: i128| format!("a whole number from {lo} to {hi}");
    match ty {
        Type::Bool => "TRUE or FALSE".into(),
        Type::Enum(of) => {
            let names: Vec<_> = of.variants.iter().map(|variant| format!("'{}'", variant.name)).collect();
            format!("one of {}", some_of(names.iter().map(String::as_str)))
        }
        Type::String => "a text in single quotes".into(),
        Type::Identity => "64 hexadecimal digits in single quotes, or :me".into(),
        Type::EntityId => "an entity's id as a whole number".into(),
        Type::Timestamp => "whole microseconds since 1970".into(),
        Type::Duration => "whole microseconds".into(),
        Type::F32 | Type::F64 => "a number that the type can hold".into(),
        other => match bits(other) {
            (size, true) => range(-(1i128 << (size - 1)), (1i128 << (size - 1)) - 1),
            (size, false) => range(0, (1i128 << size) - 1),
        },
    }
}

/// Bits of an integer type, and whether it has a sign.
fn bits(ty: &Type) -> (u32, bool) {
    let signed =
        matches!(ty, Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Timestamp | Type::Duration);
    (8 * ty.size(), signed)
}

fn unsigned(ty: &Type, expr: &Expr) -> Option<Key> {
    let number: u64 = number_text(expr)?.parse().ok()?;
    let (size, _) = bits(ty);
    (number <= u64::MAX >> (64 - size)).then_some(Key::Number(number))
}

fn signed(ty: &Type, expr: &Expr) -> Option<Key> {
    let number: i64 = number_text(expr)?.parse().ok()?;
    let (size, _) = bits(ty);
    let fits = number >> (size - 1) == 0 || number >> (size - 1) == -1;
    fits.then(|| Key::Number(signed_key(number, (size / 8) as u8)))
}

fn value(expr: &Expr) -> Option<&Value> {
    match expr {
        Expr::Value(value) => Some(&value.value),
        _ => None,
    }
}

fn text(expr: &Expr) -> Option<&str> {
    match value(expr)? {
        Value::SingleQuotedString(text) => Some(text),
        _ => None,
    }
}

fn identity(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().as_chunks::<2>().0) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
    }
    Some(bytes)
}

/// The most characters of the query that an error repeats.
const SHOWN_MAX: usize = 40;

fn shown(expr: &Expr) -> String {
    let text = match number_text(expr) {
        Some(text) => text,
        None => value(expr).map_or_else(|| "an expression".into(), ToString::to_string),
    };
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
