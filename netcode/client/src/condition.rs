//! What a query says that rows must be like.

use std::ops::Not;

use evertick_schema::{Field, FieldDef, Row, Type};
use thiserror::Error;

use crate::constant::{constant, finite, unfit};

/// Why a query can't be put together.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConditionError {
    /// The row type has no such field.
    #[error("`{row}` has no field `{field}`; fields of structs and lanes of vectors are named with a dot")]
    NoField {
        /// The row type.
        row: &'static str,
        /// What was asked for.
        field: String,
    },
    /// The value is not one that the field can be compared with.
    #[error("`{field}` can't be compared with {value}; it is of type {ty}")]
    Value {
        /// The field.
        field: String,
        /// The value.
        value: String,
        /// The field's type.
        ty: String,
    },
    /// A number is infinite or none.
    #[error("{0} can't stand in a query; numbers there are finite")]
    NotFinite(String),
    /// `in_` has no values.
    #[error("`{0}` is to be one of no values; name one at least")]
    NoValues(String),
}

/// What a row must be like. Conditions are combined by `&`, `|` and `!`.
#[derive(Clone, Debug)]
pub struct Condition(Result<String, ConditionError>);

impl Condition {
    /// The condition's text.
    pub fn text(&self) -> Result<&str, ConditionError> {
        self.0.as_deref().map_err(Clone::clone)
    }

    fn with(self, word: &str, other: Self) -> Self {
        Self(self.0.and_then(|one| Ok(format!("({one}) {word} ({})", other.0?))))
    }
}

impl std::ops::BitAnd for Condition {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        self.with("AND", other)
    }
}

impl std::ops::BitOr for Condition {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.with("OR", other)
    }
}

impl Not for Condition {
    type Output = Self;

    fn not(self) -> Self {
        Self(self.0.map(|text| format!("NOT ({text})")))
    }
}

/// A field of a row type, to be compared. Values are of the field's type; integers of any type that holds them, and for an option what it may hold.
/// What does not fit is an error of [`Query::sql`](crate::Query::sql).
#[derive(Clone, Debug)]
pub struct FieldOf {
    /// As it stands in the text.
    name: String,
    ty: Result<Type, ConditionError>,
}

/// A field of row type `T`: `field::<Listing>("price")`. Fields of structs and lanes of vectors are named with a dot:
/// `field::<Position>("at.x")`.
pub fn field<T: Row>(path: &str) -> FieldOf {
    let mut name = T::NAME.to_owned();
    path.split('.').for_each(|part| name.push_str(&format!(".\"{part}\"")));
    let ty = find(&T::def().fields, path);
    FieldOf { name, ty: ty.ok_or_else(|| ConditionError::NoField { row: T::NAME, field: path.to_owned() }) }
}

fn find(fields: &[FieldDef], path: &str) -> Option<Type> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let ty = match &fields.iter().find(|field| field.name == name)?.ty {
        Type::Option(inner) => &**inner,
        ty => ty,
    };
    match (ty, rest) {
        (ty, None) => Some(ty.clone()),
        (Type::Struct(inner), Some(rest)) => find(&inner.fields, rest),
        (ty, Some(lane)) => ty.vector_lane(lane).map(|(_, of)| of),
    }
}

impl FieldOf {
    /// Equal to the value.
    pub fn is<V: Field>(self, value: V) -> Condition {
        self.compare("=", &value)
    }

    /// An identity that is the asking session's.
    pub fn is_me(self) -> Condition {
        let Self { name, ty } = self;
        Condition(ty.and_then(|ty| match ty {
            Type::Identity => Ok(format!("{name} = :me")),
            ty => Err(unfit(&name, ":me".to_owned(), &ty)),
        }))
    }

    /// Other than the value.
    pub fn is_not<V: Field>(self, value: V) -> Condition {
        self.compare("<>", &value)
    }

    /// Less than the value.
    pub fn below<V: Field>(self, value: V) -> Condition {
        self.compare("<", &value)
    }

    /// The value or less.
    pub fn at_most<V: Field>(self, value: V) -> Condition {
        self.compare("<=", &value)
    }

    /// More than the value.
    pub fn above<V: Field>(self, value: V) -> Condition {
        self.compare(">", &value)
    }

    /// The value or more.
    pub fn at_least<V: Field>(self, value: V) -> Condition {
        self.compare(">=", &value)
    }

    /// From `least` to `most`, both included.
    pub fn between<V: Field>(self, least: V, most: V) -> Condition {
        self.says(|name, ty| {
            Ok(format!("{name} BETWEEN {} AND {}", constant(name, ty, &least)?, constant(name, ty, &most)?))
        })
    }

    /// One of these, of which there is one at least.
    pub fn in_<V: Field>(self, values: impl IntoIterator<Item = V>) -> Condition {
        self.says(|name, ty| {
            let values: Result<Vec<_>, _> =
                values.into_iter().map(|value| constant(name, ty, &value)).collect();
            match values?.join(", ") {
                none if none.is_empty() => Err(ConditionError::NoValues(name.to_owned())),
                values => Ok(format!("{name} IN ({values})")),
            }
        })
    }

    /// An option that is empty.
    pub fn is_null(self) -> Condition {
        self.says(|name, _| Ok(format!("{name} IS NULL")))
    }

    /// An option that is not empty.
    pub fn is_some(self) -> Condition {
        self.says(|name, _| Ok(format!("{name} IS NOT NULL")))
    }

    fn compare<V: Field>(self, operator: &str, value: &V) -> Condition {
        self.says(|name, ty| Ok(format!("{name} {operator} {}", constant(name, ty, value)?)))
    }

    fn says(self, text: impl FnOnce(&str, &Type) -> Result<String, ConditionError>) -> Condition {
        let Self { name, ty } = self;
        Condition(ty.and_then(|ty| text(&name, &ty)))
    }
}

/// The entity is at most `radius` metres from a point of space 0; join the row type that places it.
pub fn near(at: impl Into<[f32; 2]>, radius: f32) -> Condition {
    near_in(0, at, radius)
}

/// As [`near`], in another space.
pub fn near_in(space: u32, at: impl Into<[f32; 2]>, radius: f32) -> Condition {
    let [x, y] = at.into();
    place("near", &[x, y, radius], space)
}

/// The entity is in a rectangle of space 0, its border included; join the row type that places it.
pub fn within(min: impl Into<[f32; 2]>, max: impl Into<[f32; 2]>) -> Condition {
    within_in(0, min, max)
}

/// As [`within`], in another space.
pub fn within_in(space: u32, min: impl Into<[f32; 2]>, max: impl Into<[f32; 2]>) -> Condition {
    let ([x0, y0], [x1, y1]) = (min.into(), max.into());
    place("within", &[x0, y0, x1, y1], space)
}

fn place(function: &str, numbers: &[f32], space: u32) -> Condition {
    let texts: Result<Vec<_>, _> =
        numbers.iter().map(|number| finite(number.is_finite(), number.to_string())).collect();
    Condition(texts.map(|texts| format!("{function}({}, {space})", texts.join(", "))))
}
