//! Queries by types instead of text; see [`Query`].

use std::marker::PhantomData;

use evertick_schema::Row;

use crate::condition::{Condition, ConditionError};

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

#[cfg(test)]
mod tests {
    use evertick_schema::{
        EnumType, EnumVariant, Field, FieldDef, Identity, RowDef, RowError, RowKind, RowReader, RowWriter,
        Type,
    };

    use super::*;
    use crate::condition::{FieldOf, field, near, within_in};

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
