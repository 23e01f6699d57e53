//! Queries by types instead of text; see [`Query`].

use std::marker::PhantomData;
use std::ops::Not;

use evertick_schema::{Field, FieldDef, Row, RowReader, RowWriter, Type};
use thiserror::Error;

/// A query for rows of type `T`, which must be `on_demand`, that is being put together. What a query may say and what it costs:
/// docs/queries.md.
///
/// ```
/// # use evertick_client::{Query, field, near};
/// # fn example<Listing: evertick_schema::Row, Position: evertick_schema::Row>() -> Query<Listing> {
/// Query::<Listing>::all()
///     .join::<Position>()
///     .filter(field::<Listing>("price").between(10_u32, 50) & field::<Listing>("note").is_some())
///     .filter(near([120.0, -40.0], 64.0))
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Query<T> {
    said: Said,
    row: PhantomData<fn() -> T>,
}

#[derive(Clone, Debug)]
enum Said {
    Text(String),
    Types { joined: String, condition: Option<Condition> },
}

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

impl<T: Row> Query<T> {
    /// All rows of the type that may be seen, to begin with.
    pub fn all() -> Self {
        Self { said: Said::Types { joined: String::new(), condition: None }, row: PhantomData }
    }

    /// A query as text, whose rows are of type `T`.
    pub fn text(text: impl Into<String>) -> Self {
        Self { said: Said::Text(text.into()), row: PhantomData }
    }

    /// Only where the same entity has a row of type `J` as well; conditions may be about its fields. Has no effect on a text.
    #[must_use]
    pub fn join<J: Row>(mut self) -> Self {
        if let Said::Types { joined, .. } = &mut self.said {
            joined.push_str(&format!(" JOIN {} USING (entity)", J::NAME));
        }
        self
    }

    /// Only rows that are like this, and like what was said before. Has no effect on a text.
    #[must_use]
    pub fn filter(mut self, more: Condition) -> Self {
        if let Said::Types { condition, .. } = &mut self.said {
            *condition = Some(match condition.take() {
                Some(before) => before & more,
                None => more,
            });
        }
        self
    }

    /// The query's text.
    pub fn sql(&self) -> Result<String, ConditionError> {
        let (joined, condition) = match &self.said {
            Said::Text(text) => return Ok(text.clone()),
            Said::Types { joined, condition } => (joined, condition),
        };
        let row = T::NAME;
        let condition = condition.as_ref().map(Condition::text).transpose()?;
        let filter = condition.map(|text| format!(" WHERE {text}")).unwrap_or_default();
        Ok(format!("SELECT {row}.* FROM {row}{joined}{filter}"))
    }
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
/// What does not fit is an error of [`Query::sql`].
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
        (ty, Some(lane)) => lane_of(ty, lane),
    }
}

fn lane_of(ty: &Type, lane: &str) -> Option<Type> {
    let (count, ty) = match ty {
        Type::Vec2 => (2, Type::F32),
        Type::Vec3 => (3, Type::F32),
        Type::Vec4 | Type::Quat => (4, Type::F32),
        Type::IVec2 => (2, Type::I32),
        Type::IVec3 => (3, Type::I32),
        Type::IVec4 => (4, Type::I32),
        Type::UVec2 => (2, Type::U32),
        Type::UVec3 => (3, Type::U32),
        Type::UVec4 => (4, Type::U32),
        _ => return None,
    };
    ["x", "y", "z", "w"][..count].contains(&lane).then_some(ty)
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

fn finite(finite: bool, text: String) -> Result<String, ConditionError> {
    if finite { Ok(text) } else { Err(ConditionError::NotFinite(text)) }
}

fn unfit(field: &str, value: String, ty: &Type) -> ConditionError {
    ConditionError::Value { field: field.to_owned(), value, ty: format!("{ty:?}") }
}

/// A value as the text of a query.
fn constant<V: Field>(field: &str, ty: &Type, value: &V) -> Result<String, ConditionError> {
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

#[cfg(test)]
mod tests {
    use evertick_schema::{EnumType, EnumVariant, Identity, RowDef, RowError, RowKind};

    use super::*;

    #[derive(Clone)]
    struct Kind;

    impl Field for Kind {
        const SIZE: usize = 1;
        const FLAT: bool = true;

        fn ty() -> Type {
            let variant = |name: &str, value| EnumVariant { name: name.to_owned(), value };
            let variants = vec![variant("Sword", 0), variant("Bow", 4)];
            Type::Enum(EnumType { name: "ItemKind".to_owned(), size: 1, variants })
        }

        fn write(&self, row: &mut RowWriter<'_>, at: usize) {
            row.put(at, &[4]);
        }

        fn read(_: &RowReader<'_>, _: usize) -> Result<Self, RowError> {
            Ok(Self)
        }
    }

    #[derive(Clone)]
    struct Listing;

    impl Row for Listing {
        const NAME: &'static str = "Listing";
        const SIZE: usize = 0;
        const FLAT: bool = true;

        fn def() -> RowDef {
            let fields = [
                ("id", Type::U64),
                ("seller", Type::Identity),
                ("price", Type::U32),
                ("kind", Kind::ty()),
                ("note", Type::Option(Box::new(Type::String))),
                ("open", Type::Bool),
                ("weight", Type::F32),
                ("at", Type::Vec2),
                ("until", Type::Timestamp),
            ];
            let fields = fields.into_iter().map(|(name, ty)| FieldDef::new(name, ty)).collect();
            RowDef::new("Listing", RowKind::Component, fields)
        }

        fn encode(&self, _: &mut Vec<u8>) {}

        fn decode(_: &[u8]) -> Result<Self, RowError> {
            Ok(Self)
        }
    }

    fn of(path: &str) -> FieldOf {
        field::<Listing>(path)
    }

    fn text(condition: Condition) -> String {
        condition.text().unwrap().to_owned()
    }

    #[test]
    fn a_query_says_what_its_types_say() {
        assert_eq!(Query::<Listing>::all().sql().unwrap(), "SELECT Listing.* FROM Listing");
        let query = Query::<Listing>::all().join::<Listing>().filter(of("kind").in_([Kind, Kind]));
        let query = query.filter(of("price").between(10, 50)).filter(near([120.0, -40.5], 64.0));
        assert_eq!(
            query.sql().unwrap(),
            "SELECT Listing.* FROM Listing JOIN Listing USING (entity) WHERE \
             ((Listing.\"kind\" IN ('Bow', 'Bow')) AND (Listing.\"price\" BETWEEN 10 AND 50)) AND (near(120, -40.5, 64, 0))"
        );
        assert_eq!(Query::<Listing>::text("anything").sql().unwrap(), "anything");
    }

    #[test]
    fn constants_are_those_of_the_fields_type() {
        assert_eq!(text(of("id").above(1_u64 << 63)), "Listing.\"id\" > 9223372036854775808");
        assert_eq!(text(of("seller").is_me()), "Listing.\"seller\" = :me");
        let identity = format!("Listing.\"seller\" <> '{}'", "ab".repeat(32));
        assert_eq!(text(of("seller").is_not(Identity([0xab; 32]))), identity);
        assert_eq!(text(of("note").is("it's".to_owned())), "Listing.\"note\" = 'it''s'");
        let either = of("note").is_null() | !of("open").is(true);
        assert_eq!(text(either), "(Listing.\"note\" IS NULL) OR (NOT (Listing.\"open\" = TRUE))");
        assert_eq!(text(of("weight").at_most(0.1_f32)), "Listing.\"weight\" <= 0.1");
        assert_eq!(text(of("weight").at_least(3)), "Listing.\"weight\" >= 3");
        assert_eq!(text(of("at.x").below(1e21_f32)), "Listing.\"at\".\"x\" < 1000000000000000000000");
        assert_eq!(text(of("until").below(evertick_schema::Timestamp(-5))), "Listing.\"until\" < -5");
        assert_eq!(text(within_in(7, [0.0, 1.0], [2.0, 3.0])), "within(0, 1, 2, 3, 7)");
    }

    #[test]
    fn what_does_not_fit_is_said_before_it_is_asked() {
        let wrong = |condition: Condition| condition.text().unwrap_err().to_string();
        assert!(wrong(of("prize").is(1)).contains("no field `prize`"));
        assert!(wrong(of("at.z").is(1.0_f32)).contains("no field `at.z`"));
        assert!(wrong(of("price").is(-1)).contains("can't be compared with -1"));
        assert!(wrong(of("price").is(true)).contains("a Bool"));
        assert!(wrong(of("until").is(5)).contains("Timestamp"));
        assert!(wrong(of("kind").is(4)).contains("a I32"));
        assert!(wrong(of("at").is([0.0_f32, 0.0])).contains("Vec2"));
        assert!(wrong(of("weight").is(f32::NAN)).contains("NaN"));
        assert!(wrong(of("price").in_(Vec::<u32>::new())).contains("no values"));
        assert!(wrong(of("price").is_me()).contains(":me"));
        assert!(Query::<Listing>::all().filter(near([f32::INFINITY, 0.0], 1.0)).sql().is_err());
    }
}
