//! Field types.

use serde::{Deserialize, Serialize};

/// The type of a field, an argument or a result.
///
/// In a description it is JSON: a string for a plain type (`"u32"`, `"vec2"`), an object for one with parts
/// (`{"list": "u8"}`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names of the plain types say it all")]
pub enum Type {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
    Vec2,
    Vec3,
    Vec4,
    Quat,
    #[serde(rename = "ivec2")]
    IVec2,
    #[serde(rename = "ivec3")]
    IVec3,
    #[serde(rename = "ivec4")]
    IVec4,
    #[serde(rename = "uvec2")]
    UVec2,
    #[serde(rename = "uvec3")]
    UVec3,
    #[serde(rename = "uvec4")]
    UVec4,
    EntityId,
    Identity,
    /// Microseconds since the Unix epoch, `i64`.
    Timestamp,
    /// Microseconds, `i64`.
    Duration,
    /// A C-like enum.
    Enum(EnumType),
    /// So many elements of a flat type, in a row.
    Array(Box<Type>, u32),
    /// A nested struct of flat fields.
    Struct(StructType),
    /// UTF-8 text. Variable.
    String,
    /// Any number of elements. Variable.
    List(Box<Type>),
    /// One or none. Variable.
    Option(Box<Type>),
}

/// A C-like enum: named values of one unsigned integer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EnumType {
    /// The enum's name.
    pub name: String,
    /// Bytes of the integer: 1, 2 or 4.
    pub size: u8,
    /// The allowed values; no value twice.
    pub variants: Vec<EnumVariant>,
}

/// One value of an enum.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EnumVariant {
    /// The variant's name.
    pub name: String,
    /// Its value on the wire and in rows.
    pub value: u32,
}

/// A nested struct.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StructType {
    /// The struct's name.
    pub name: String,
    /// Its fields, in declared order.
    pub fields: Vec<FieldDef>,
}

/// A named field of a row, struct, call or refusal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldDef {
    /// The field's name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: Type,
    /// How clients are sent it, where that is not exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wire: Option<WireDef>,
    /// What the field was called before: stored values are brought over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// The value that rows stored before the field existed get: the bytes of a row with this field alone. In
    /// JSON a string of hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::hex")]
    pub default: Option<Vec<u8>>,
}

impl FieldDef {
    /// A field sent exactly as it is, with neither a former name nor a default.
    pub fn new(name: impl Into<String>, ty: Type) -> Self {
        Self { name: name.into(), ty, wire: None, was: None, default: None }
    }
}

// Quantizers come from constants, never from arithmetic: a NaN step is refused by the description's check.
impl Eq for FieldDef {}

impl std::hash::Hash for FieldDef {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        self.ty.hash(state);
    }
}

/// A quantizer of a float field: what clients see is a multiple of `step`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WireDef {
    /// The distance of two neighbouring values, above 0.
    pub step: f64,
    /// Bits of a value, 1 to 32; `None` for a position within its cell, where they follow from the cell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits: Option<u8>,
    /// The period of a value that wraps, such as an angle's 2π.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrap: Option<f64>,
}

/// The number type that a type's bytes are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the plain types say it all")]
pub enum Lane {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
}

impl Type {
    /// Bytes in the fixed part: 8 for a variable type.
    pub fn size(&self) -> u32 {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 | Self::EntityId | Self::Timestamp | Self::Duration => 8,
            Self::Vec2 | Self::IVec2 | Self::UVec2 => 8,
            Self::Vec3 | Self::IVec3 | Self::UVec3 => 12,
            Self::Vec4 | Self::Quat | Self::IVec4 | Self::UVec4 => 16,
            Self::Identity => 32,
            Self::Enum(of) => u32::from(of.size),
            Self::Array(of, len) => of.size().saturating_mul(*len),
            Self::Struct(of) => of.fields.iter().fold(0u32, |sum, field| sum.saturating_add(field.ty.size())),
            Self::String | Self::List(_) | Self::Option(_) => 8,
        }
    }

    /// The alignment of the Rust type, in bytes. A variable type has that of its `(u32, u32)`.
    pub fn align(&self) -> u32 {
        match self {
            Self::Bool | Self::U8 | Self::I8 | Self::Identity => 1,
            Self::U16 | Self::I16 => 2,
            Self::U64 | Self::I64 | Self::F64 | Self::EntityId | Self::Timestamp | Self::Duration => 8,
            Self::Enum(of) => u32::from(of.size),
            Self::Array(of, _) => of.align(),
            Self::Struct(of) => of.fields.iter().map(|field| field.ty.align()).max().unwrap_or(1),
            _ => 4,
        }
    }

    /// Whether the type has a fixed size, all the way down.
    pub fn is_flat(&self) -> bool {
        match self {
            Self::String | Self::List(_) | Self::Option(_) => false,
            Self::Array(of, _) => of.is_flat(),
            Self::Struct(of) => of.fields.iter().all(|field| field.ty.is_flat()),
            _ => true,
        }
    }

    /// Whether any bytes of the right length are a value: no bool and no enum inside. Such columns need no
    /// check when a guest has written them.
    pub fn is_plain(&self) -> bool {
        match self {
            Self::Bool | Self::Enum(_) | Self::String | Self::List(_) | Self::Option(_) => false,
            Self::Array(of, _) => of.is_plain(),
            Self::Struct(of) => of.fields.iter().all(|field| field.ty.is_plain()),
            _ => true,
        }
    }

    /// The number type and count of a scalar or vector; `None` for anything else.
    pub fn lanes(&self) -> Option<(Lane, u8)> {
        Some(match self {
            Self::U8 => (Lane::U8, 1),
            Self::I8 => (Lane::I8, 1),
            Self::U16 => (Lane::U16, 1),
            Self::I16 => (Lane::I16, 1),
            Self::U32 => (Lane::U32, 1),
            Self::I32 => (Lane::I32, 1),
            Self::U64 | Self::EntityId => (Lane::U64, 1),
            Self::I64 | Self::Timestamp | Self::Duration => (Lane::I64, 1),
            Self::F32 => (Lane::F32, 1),
            Self::F64 => (Lane::F64, 1),
            _ => {
                let (of, count) = self.vector()?;
                (of.lanes()?.0, count)
            }
        })
    }

    /// The type and count (2 to 4) of a vector's lanes; a quaternion has four. `None` for anything else.
    pub fn vector(&self) -> Option<(Type, u8)> {
        Some(match self {
            Self::Vec2 => (Self::F32, 2),
            Self::Vec3 => (Self::F32, 3),
            Self::Vec4 | Self::Quat => (Self::F32, 4),
            Self::IVec2 => (Self::I32, 2),
            Self::IVec3 => (Self::I32, 3),
            Self::IVec4 => (Self::I32, 4),
            Self::UVec2 => (Self::U32, 2),
            Self::UVec3 => (Self::U32, 3),
            Self::UVec4 => (Self::U32, 4),
            _ => return None,
        })
    }

    /// The number and type of the lane of a vector that is called `name`, one of `x`, `y`, `z` and `w`; `None` where there is no
    /// such lane.
    ///
    /// ```
    /// use evertick_schema::Type;
    ///
    /// assert_eq!(Type::IVec3.vector_lane("z"), Some((2, Type::I32)));
    /// assert_eq!(Type::IVec3.vector_lane("w"), None);
    /// ```
    pub fn vector_lane(&self, name: &str) -> Option<(u8, Type)> {
        let (of, count) = self.vector()?;
        (0..count)
            .zip(["x", "y", "z", "w"])
            .find_map(|(number, known)| (known == name).then(|| (number, of.clone())))
    }

    /// How many levels of types there are, 1 for a plain one.
    pub fn depth(&self) -> usize {
        match self {
            Self::Array(of, _) | Self::List(of) | Self::Option(of) => 1 + of.depth(),
            Self::Struct(of) => 1 + of.fields.iter().map(|field| field.ty.depth()).max().unwrap_or(0),
            _ => 1,
        }
    }
}
