//! What texts mean, which mean the same, and what is said of those that mean nothing.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::Market;
use evertick_query::{QueryError, TERMS_MAX};
use proptest::prelude::*;

fn refusal(market: &Market, text: &str) -> String {
    market.compile(text).expect_err(text).to_string()
}

fn filter(condition: &str) -> String {
    format!("SELECT * FROM Listing WHERE {condition}")
}

#[test]
fn equal_meanings_are_equal() {
    let market = Market::new();
    let same = [
        ("price = 1 OR price = 2", "price IN (2, 1, 2)"),
        ("price >= 1 AND price <= 5", "price BETWEEN 1 AND 5"),
        ("price > 0 AND 6 > price", "price BETWEEN 1 AND 5"),
        ("NOT (price < 3)", "price >= 3"),
        ("NOT (price < 3 OR open)", "NOT open AND price >= 3"),
        ("open = TRUE", "open"),
        ("open <> FALSE", "open"),
        ("price = 1 AND open", "open AND price = 1"),
        ("price = 1 AND (open OR NOT open)", "price = 1"),
        ("price = 1 OR (price = 1 AND open)", "price = 1"),
        ("(kind = 'bow' AND open) OR (kind = 'bow' AND NOT open)", "kind = 'bow'"),
        ("kind <> 'bow' AND kind = 'sword'", "kind = 'sword'"),
        ("price = 1 AND price = 2", "FALSE"),
        ("discount = 1 OR discount IS NULL OR discount <> 1", "TRUE"),
        ("ratio = 0.0", "ratio = -0"),
        ("weight = 0.1", "weight = 0.100000001"),
        ("seller = :me", "seller IN (:me)"),
        ("Listing.price = 1", "market.Listing.price = 1"),
        ("TRUE AND price = 1", "price = 1"),
    ];
    for (a, b) in same {
        let [a, b] = [a, b].map(|condition| market.compile(&filter(condition)).unwrap().query);
        assert_eq!(a, b);
    }
    let differ = [
        ("price = 1", "price = 2"),
        ("discount = 1 OR discount <> 1", "TRUE"),
        ("discount <> 1", "NOT discount IN (1, 2)"),
        ("price = 1 OR open", "price = 1 AND open"),
    ];
    for (a, b) in differ {
        let [a, b] = [a, b].map(|condition| market.compile(&filter(condition)).unwrap().query);
        assert_ne!(a, b);
    }
    let joined =
        |joins: &str| market.compile(&format!("SELECT Listing.* FROM Listing {joins};")).unwrap().query;
    let (stock, position) = ("JOIN Stock USING (entity)", "JOIN market.Position USING (entity)");
    assert_eq!(joined(&format!("{stock} {position}")), joined(&format!("{position} {stock} {stock}")));
    assert_ne!(joined(stock), joined(""));
}

#[test]
fn explained() {
    let market = Market::new();
    let explain = |text: &str| {
        let compiled = market.compile(&format!("EXPLAIN {text}")).unwrap();
        assert!(compiled.explain);
        compiled.query.explain(&market.catalog, 8.0)
    };
    assert_eq!(
        explain("SELECT * FROM Listing WHERE seller = :me AND price < 5"),
        "rows of Listing\n1. changes: hashed by Listing.seller, 1 value; first result: from the index on Listing.seller"
    );
    assert_eq!(
        explain("SELECT * FROM Listing WHERE price BETWEEN 1 AND 500 OR open"),
        "rows of Listing\n1. changes: ranged by Listing.price, 1 interval; first result: from the index on Listing.price\n\
         2. changes: hashed by Listing.open, 1 value; first result: from all rows"
    );
    assert_eq!(
        explain("SELECT * FROM Listing JOIN Position USING (entity) WHERE near(0, 0, 7.5)"),
        "rows of Listing, joined with Position\n1. changes: by cells, 4 cells of 8 m; first result: from the grid"
    );
    assert_eq!(
        explain("SELECT * FROM Listing"),
        "rows of Listing\n1. changes: scan: every changed row is tried; first result: from all rows"
    );
    assert_eq!(
        explain("SELECT * FROM Listing WHERE FALSE"),
        "rows of Listing\nnothing can meet the condition"
    );
}

#[test]
fn refusals_say_where_what_and_what_else() {
    let market = Market::new();
    let cases = [
        ("", "line 1, column 1: "),
        ("DELETE FROM Listing", "a query is SELECT * FROM row"),
        ("SELECT price FROM Listing", "rows come whole: write SELECT *"),
        (
            "SELECT * FROM Lising",
            "line 1, column 15: there is no row type Lising; there are Listing, Stock, Position",
        ),
        ("SELECT * FROM Hidden", "there is no row type Hidden"),
        ("SELECT * FROM Stock", "rows of Stock are sent without being asked for"),
        ("SELECT Stock.* FROM Listing JOIN Stock USING (entity)", "write their type there"),
        ("SELECT * FROM Listing JOIN Secret USING (entity)", "Secret can't be joined with Listing"),
        ("SELECT * FROM Listing JOIN Stock ON Listing.id = Stock.id", "JOIN other USING (entity)"),
        ("SELECT * FROM Listing LEFT JOIN Stock USING (entity)", "a query is SELECT * FROM row"),
        (
            "SELECT * FROM Listing WHERE price = 1 ORDER BY price",
            "order, limit and group the result in the client",
        ),
        (
            "SELECT * FROM Listing WHERE\n  prise = 1",
            "line 2, column 3: Listing has no field prise; it has id, seller",
        ),
        (&filter("spot.size = 1"), "Spot has no field size; it has rank, at"),
        (&filter("spot.at.z = 1"), "has no field z; it has x and y"),
        (&filter("spot.at.x.x = 1"), "has no field"),
        (&filter("spot = 1"), "spot is the struct Spot, which can't be compared; compare one of its fields"),
        (&filter("spot.at = 1"), "which can't be compared; compare one of its parts, as in field.x"),
        (
            &filter("id = -1"),
            "id is u32, so it is compared with a whole number from 0 to 4294967295, not with -1",
        ),
        (&filter("discount = 200"), "from -128 to 127, not with 200"),
        (&filter("price = 1.5"), "whole number"),
        (&filter("price = 'a'"), "not with 'a'"),
        (&filter("price = :me"), "not with :me"),
        (&filter("weight = 1e99"), "a number that the type can hold"),
        (
            &filter("kind = 'axe'"),
            "kind is the enum Kind, so it is compared with one of 'sword', 'bow', 'potion'",
        ),
        (&filter("kind < 'bow'"), "can't be compared by order; use = <> or IN"),
        (&filter("seller = 'me'"), "64 hexadecimal digits in single quotes, or :me"),
        (&filter("open = 1"), "TRUE or FALSE"),
        (&filter("note = NULL"), "write IS NULL or IS NOT NULL"),
        (&filter("price IS NULL"), "always has a value"),
        (&filter("price = id"), "comparing two expressions is not part of queries"),
        (&filter("1 = 1"), "comparing two constants"),
        (&filter("price + 1 = 2"), "line 1, column 29: what is compared here"),
        (&filter("price"), "a field alone is not part of queries; compare a field"),
        (&filter("upper(title) = 'A'"), "not part of queries"),
        (&filter("sin(3)"), "there are near(x, y, radius) and within(x0, y0, x1, y1)"),
        (&filter("near(0, 0, 1)"), "join the spatial one"),
        (&filter("price IN (SELECT 1)"), "not part of queries"),
        (&filter("title LIKE 'a%'"), "not part of queries"),
        (&filter("price = 1 AND"), "Expected"),
        (&filter("title = 'a"), "Unterminated"),
        (&filter("price = $1"), "not part of queries"),
    ];
    for (text, want) in cases {
        let text_of = refusal(&market, text);
        assert!(text_of.contains(want), "{text}\n  said: {text_of}\n  want: {want}");
    }
    let with_place = "SELECT * FROM Listing JOIN Position USING (entity) WHERE ";
    for area in ["near(0, 0, -1)", "near(0, 0)", "within(1, 0, 0, 1)", "near('a', 0, 1)", "near(0, 0, 1, -1)"]
    {
        let text = refusal(&market, &format!("{with_place}{area}"));
        assert!(text.contains("line 1, column 58: ") && text.contains("finite numbers"), "{area}: {text}");
    }
    let ambiguous =
        refusal(&market, "SELECT * FROM Listing JOIN Position USING (entity) WHERE at.x = 1 AND spot = 1");
    assert!(ambiguous.contains("spot is the struct"), "{ambiguous}");
}

#[test]
fn everything_is_bounded() {
    let market = Market::new();
    let many = |count: usize, by: &str| vec!["price = 1"; count].join(by);
    assert!(market.compile(&filter(&many(TERMS_MAX, " OR "))).is_ok());
    assert!(refusal(&market, &filter(&many(TERMS_MAX + 1, " OR "))).contains("conditions, at most 32"));
    // As deep to the left as the length allows.
    assert!(refusal(&market, &filter(&many(280, " AND "))).contains("at most 32"));
    assert!(refusal(&market, &filter(&vec!["1"; 1000].join("="))).contains("not part of queries"));
    let nested = |depth: usize| filter(&format!("{}open{}", "(".repeat(depth), ")".repeat(depth)));
    assert!(market.compile(&nested(8)).is_ok());
    assert!(refusal(&market, &nested(9)).contains("parentheses nest at most 8"));
    let nots = refusal(&market, &filter(&format!("{} open", "NOT ".repeat(900))));
    assert!(nots.contains("line 1"), "{nots}");
    assert!(refusal(&market, &filter(&"-".repeat(1000))).contains("line 1"));
    let list = |count: usize| filter(&format!("price IN ({})", vec!["1"; count].join(",")));
    assert!(market.compile(&list(512)).is_ok());
    assert!(refusal(&market, &list(513)).contains("constants, at most 512"));
    let long = filter(&format!("title = '{}'", "a".repeat(5000)));
    assert!(matches!(market.compile(&long), Err(QueryError::TooLong { .. })));
    let pairs = [
        "price = 1 OR id = 1",
        "weight = 1 OR ratio = 1",
        "spot.rank = 1 OR maker = 1",
        "made = 1 OR discount = 1",
        "title = '' OR note = ''",
        "kind = 'bow' OR open",
    ];
    let product = |count: usize| filter(&format!("({})", pairs[..count].join(") AND (")));
    assert!(market.compile(&product(4)).is_ok());
    assert!(refusal(&market, &product(5)).contains("alternatives joined by OR, a condition has at most 16"));
    let joins = " JOIN Stock USING (entity)".repeat(5);
    assert!(
        refusal(&market, &format!("SELECT * FROM Listing{joins}")).contains("joins row types, at most 4")
    );
}

fn words() -> impl Strategy<Value = String> {
    let words = [
        "SELECT", "*", "FROM", "Listing", "JOIN", "Stock", "USING", "(", ")", "entity", "WHERE", "price",
        "=", "<>", "1", "-", "2.5", "'a'", "AND", "OR", "NOT", "IN", ",", "BETWEEN", "IS", "NULL", "near",
        "within", ".", "spot", "at", "x", ":", "me", "EXPLAIN", "CASE", "WHEN", "THEN", "END", "CAST",
        "INTERVAL", "DATE", "EXISTS", "ARRAY", "[", "]", "::", "\"", "'", "--", "/*", ";", "open", "TRUE",
        "LIKE", "ANY", "é", "\0",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..80).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_is_too_strange(words in words(), rest in ".{0,200}") {
        let market = Market::new();
        for text in [&words, &rest, &filter(&words), &filter(&rest)] {
            if let Err(error) = market.compile(text) {
                prop_assert!(error.to_string().len() < 1500, "{error}");
            }
        }
    }
}

#[test]
fn whatever_is_repeated_is_refused_soon() {
    let market = Market::new();
    let openings = [
        "(",
        "NOT (",
        "NOT ",
        "CASE ",
        "CAST(",
        "f(",
        "DATE ",
        "INTERVAL ",
        "EXISTS (",
        "x IN (",
        "- ",
        "(SELECT ",
    ];
    let openings = openings.into_iter().chain([
        "a.",
        "a BETWEEN ",
        "ANY(",
        "TRIM(",
        "EXTRACT(",
        "x AND (",
        "NOT x IN (",
    ]);
    for opening in openings {
        let text = filter(&opening.repeat(4000 / opening.len()));
        assert!(market.compile(&text).is_err(), "{opening}");
        let text = filter(&opening.repeat(if opening.contains('(') { 8 } else { 40 }));
        assert!(market.compile(&text).is_err(), "{opening}");
    }
}
