//! Results that are kept up to date by the index are those that an obvious interpreter finds by looking at
//! every row after every commit.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
#[path = "common/oracle.rs"]
mod oracle;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use evertick_query::{Query, QueryIndex};
use evertick_schema::{EntityId, Identity, Timestamp};
use evertick_world::Delta;
use proptest::prelude::*;
use proptest::sample::select;

use common::*;
use oracle::{Facts, Oracle, hex};

#[derive(Clone, Debug)]
enum Step {
    /// A new listing, with stock and place.
    List(Box<Listing>, Option<(u16, i32)>, Option<([f32; 2], u32)>),
    /// A new entity with stock and place, but no listing.
    Spawn,
    Change(prop::sample::Index, Box<Listing>),
    Stock(prop::sample::Index, Option<(u16, i32)>),
    Move(prop::sample::Index, Option<([f32; 2], u32)>),
    Despawn(prop::sample::Index),
    Subscribe(String),
    Unsubscribe(prop::sample::Index),
    Commit,
}

fn coordinate() -> impl Strategy<Value = f32> {
    prop_oneof![8 => (-24i32..24).prop_map(|at| at as f32 / 2.0), 1 => select(vec![f32::NAN, -0.0, 1e30])]
}

fn floats() -> impl Strategy<Value = f64> {
    select(vec![
        -1.5,
        -0.1,
        -0.0,
        0.0,
        0.1,
        2.0,
        1e300,
        f64::NAN,
        -f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
    ])
}

fn texts() -> impl Strategy<Value = String> {
    select(vec!["", "a", "b", "ba", "b\0", "é", "it''s"]).prop_map(|text| text.replace("''", "'"))
}

fn identities() -> impl Strategy<Value = Identity> {
    select(vec![Identity::NONE, ME, Identity([9; 32])])
}

fn listings() -> impl Strategy<Value = Box<Listing>> {
    let first =
        (identities(), -3i64..4, floats(), floats(), texts(), select(KINDS.map(|kind| kind.1).to_vec()));
    let second = (any::<bool>(), prop::option::of(texts()), prop::option::of(-2i8..3), 0u16..4);
    let third = (coordinate(), 0u64..6, -2i64..3);
    (first, second, third).prop_map(
        |((seller, price, weight, ratio, title, kind), (open, note, discount, rank), (y, maker, made))| {
            let weight = weight as f32;
            Box::new(Listing {
                id: 0,
                seller,
                price,
                weight,
                ratio,
                title,
                kind,
                open,
                note,
                discount,
                rank,
                at: [1.0, y],
                maker: EntityId(maker),
                made: Timestamp(made),
            })
        },
    )
}

fn steps() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    let stocks = || prop::option::weighted(0.8, (0u16..5, -3i32..3));
    let places = || prop::option::weighted(0.8, ([coordinate(), coordinate()], select(vec![0, 0, 0, 1])));
    prop_oneof![
        4 => (listings(), stocks(), places()).prop_map(|(listing, stock, place)| Step::List(listing, stock, place)),
        1 => Just(Step::Spawn),
        4 => (index(), listings()).prop_map(|(at, to)| Step::Change(at, to)),
        4 => (index(), stocks()).prop_map(|(at, to)| Step::Stock(at, to)),
        4 => (index(), places()).prop_map(|(at, to)| Step::Move(at, to)),
        2 => index().prop_map(Step::Despawn),
        3 => queries().prop_map(Step::Subscribe),
        1 => index().prop_map(Step::Unsubscribe),
        5 => Just(Step::Commit),
    ]
}

/// A comparison of a number.
fn number(field: &'static str, constants: &'static [&'static str]) -> impl Strategy<Value = String> {
    let constant = || select(constants);
    let op = select(vec!["=", "<>", "<", "<=", ">", ">=", "!="]);
    prop_oneof![
        4 => (op.clone(), constant()).prop_map(move |(op, value)| format!("{field} {op} {value}")),
        1 => (op, constant()).prop_map(move |(op, value)| format!("{value} {op} {field}")),
        1 => (constant(), constant()).prop_map(move |(a, b)| format!("{field} BETWEEN {a} AND {b}")),
        1 => (constant(), constant()).prop_map(move |(a, b)| format!("{field} NOT BETWEEN {a} AND {b}")),
        1 => prop::collection::vec(constant(), 1..4).prop_map(move |list| format!("{field} IN ({})", list.join(", "))),
        1 => prop::collection::vec(constant(), 1..4)
            .prop_map(move |list| format!("{field} NOT IN ({})", list.join(", "))),
    ]
}

/// A comparison of what has no order.
fn choice(field: &'static str, constants: Vec<String>) -> impl Strategy<Value = String> {
    let constant = || select(constants.clone());
    prop_oneof![
        constant().prop_map(move |value| format!("{field} = {value}")),
        constant().prop_map(move |value| format!("{field} <> {value}")),
        (constant(), constant()).prop_map(move |(a, b)| format!("{field} IN ({a}, {b})")),
    ]
}

const FLOATS: &[&str] = &["-1.5", "-0.1", "0", "-0.0", "0.1", "2", "1e30"];
const TEXTS: &[&str] = &["''", "'a'", "'b'", "'ba'", "'é'", "'it''s'"];

fn terms(stock: bool, place: bool) -> BoxedStrategy<String> {
    let identities = vec![":me".into(), format!("'{}'", hex(&[9; 32])), format!("'{}'", hex(&[1; 32]))];
    let kinds = KINDS.map(|(name, _)| format!("'{name}'")).into();
    let mut terms = vec![
        number("price", &["-3", "-1", "0", "1", "3", "9223372036854775807"]).boxed(),
        number("Listing.weight", FLOATS).boxed(),
        number("ratio", FLOATS).boxed(),
        number("title", TEXTS).boxed(),
        number("discount", &["-2", "0", "1", "127"]).boxed(),
        number("note", TEXTS).boxed(),
        number("spot.rank", &["0", "1", "2", "65535"]).boxed(),
        number("market.Listing.spot.at.y", FLOATS).boxed(),
        number("maker", &["0", "2", "4"]).boxed(),
        number("made", &["-1", "0", "2"]).boxed(),
        number("entity", &["1", "2", "3", "4", "5"]).boxed(),
        number("id", &["1", "2", "3"]).boxed(),
        choice("seller", identities).boxed(),
        choice("kind", kinds).boxed(),
        select(vec!["open", "NOT open", "open = TRUE", "open <> TRUE", "TRUE", "FALSE"])
            .prop_map(Into::into)
            .boxed(),
        select(vec!["note IS NULL", "note IS NOT NULL", "discount IS NULL"]).prop_map(Into::into).boxed(),
    ];
    if stock {
        terms.push(number("count", &["0", "1", "2", "4"]).boxed());
        terms.push(number("Stock.code", &["-3", "0", "2"]).boxed());
    }
    if place {
        let corner = || -20i32..20;
        let near =
            (corner(), corner(), 0i32..40).prop_map(|(x, y, r)| format!("near({x}, {y}.25, {})", r / 2));
        let there = (corner(), corner()).prop_map(|(x, y)| format!("near({x}, {y}, 10, 1)"));
        let within = (corner(), corner(), 0i32..30, 0i32..30)
            .prop_map(|(x, y, w, h)| format!("within({x}, {y}, {}, {})", x + w, y + h));
        let area = prop_oneof![3 => near, 1 => there, 2 => within].boxed();
        // As often as all others together, because they are matched in a way of their own.
        let others = terms.len();
        terms.extend(std::iter::repeat_n(area, others));
        terms.push(number("Position.at.x", FLOATS).boxed());
    }
    prop::strategy::Union::new(terms).boxed()
}

fn queries() -> impl Strategy<Value = String> {
    (any::<bool>(), any::<bool>()).prop_flat_map(|(stock, place)| {
        let condition = terms(stock, place).prop_recursive(3, 10, 3, |inner| {
            prop_oneof![
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} AND {b})")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} OR {b})")),
                (inner.clone(), inner.clone(), inner.clone())
                    .prop_map(|(a, b, c)| format!("{a} OR {b} AND {c}")),
                inner.prop_map(|a| format!("NOT ({a})")),
            ]
        });
        prop::option::weighted(0.95, condition).prop_map(move |condition| {
            let mut text = "SELECT * FROM Listing".to_owned();
            if stock {
                text.push_str(" JOIN Stock USING (entity)");
            }
            if place {
                text.push_str(" INNER JOIN Position USING (entity)");
            }
            condition.map_or(text.clone(), |condition| format!("{text} WHERE {condition}"))
        })
    })
}

struct Kept {
    oracle: Oracle,
    text: String,
    query: Arc<Query>,
    result: BTreeSet<EntityId>,
}

struct Run {
    market: Market,
    facts: BTreeMap<EntityId, Facts>,
    index: QueryIndex,
    kept: BTreeMap<u32, Kept>,
    next: u32,
}

impl Run {
    fn entity(&self, at: &prop::sample::Index, with: impl Fn(&Facts) -> bool) -> Option<EntityId> {
        let fitting: Vec<_> =
            self.facts.values().filter(|facts| with(facts)).map(|facts| facts.entity).collect();
        (!fitting.is_empty()).then(|| fitting[at.index(fitting.len())])
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::List(mut listing, stocked, placed) => {
                self.next += 1;
                listing.id = self.next;
                let entity = self.market.list(&listing);
                self.put(entity, STOCK, stocked.map(|(count, code)| stock(count, code)));
                self.put(entity, POSITION, placed.map(|(at, space)| position(at, space)));
                let facts = Facts { entity, listing: Some(*listing), stock: stocked, position: placed };
                self.facts.insert(entity, facts);
            }
            Step::Spawn => {
                let entity = self.market.write(|tx, _| tx.spawn());
                self.facts.insert(entity, Facts { entity, ..Facts::default() });
            }
            Step::Change(at, mut listing) => {
                let Some(entity) = self.entity(&at, |facts| facts.listing.is_some()) else { return };
                let known = self.facts.get_mut(&entity).unwrap().listing.as_mut().unwrap();
                listing.id = known.id;
                self.market.write(|tx, rows| tx.set(rows[LISTING], entity, &listing.bytes())).unwrap();
                *known = *listing;
            }
            Step::Stock(at, to) => {
                let Some(entity) = self.entity(&at, |_| true) else { return };
                self.facts.get_mut(&entity).unwrap().stock = to;
                let bytes = to.map(|(count, code)| stock(count, code));
                self.put(entity, STOCK, bytes);
            }
            Step::Move(at, to) => {
                let Some(entity) = self.entity(&at, |_| true) else { return };
                self.facts.get_mut(&entity).unwrap().position = to;
                let bytes = to.map(|(at, space)| position(at, space));
                self.put(entity, POSITION, bytes);
            }
            Step::Despawn(at) => {
                let Some(entity) = self.entity(&at, |_| true) else { return };
                self.facts.remove(&entity);
                self.market.write(|tx, _| tx.despawn(entity));
            }
            Step::Subscribe(text) => self.subscribe(text),
            Step::Unsubscribe(at) => {
                if let Some(number) = self.kept.keys().nth(at.index(self.kept.len().max(1))).copied() {
                    self.kept.remove(&number);
                    self.index.remove(number);
                }
            }
            Step::Commit => {
                let delta = self.market.commit();
                self.absorb(&delta);
                self.check();
            }
        }
    }

    fn put(&mut self, entity: EntityId, row: usize, bytes: Option<Vec<u8>>) {
        self.market.write(|tx, rows| match bytes {
            Some(bytes) => tx.set(rows[row], entity, &bytes).unwrap(),
            None => {
                tx.remove(rows[row], entity);
            }
        });
    }

    fn subscribe(&mut self, text: String) {
        // What is written and not committed must be in nobody's result.
        let delta = self.market.commit();
        self.absorb(&delta);
        let query = match self.market.compile(&text) {
            Ok(compiled) => Arc::new(compiled.query),
            // The only thing that may be wrong with these texts.
            Err(error) => return assert!(error.to_string().contains("at most"), "{text}: {error}"),
        };
        self.next += 1;
        let result = query.evaluate(&self.market.world).entities.unwrap().into_iter().collect();
        self.index.insert(self.next, query.clone());
        self.kept.insert(self.next, Kept { oracle: Oracle::new(&text), text, query, result });
    }

    /// What whoever keeps results does with a delta.
    fn absorb(&mut self, delta: &Delta) {
        let world = &self.market.world;
        let mut matching = Vec::new();
        for rows in &delta.rows {
            let written = rows.inserted.iter().chain(rows.updated.iter()).map(|(entity, ..)| entity);
            for entity in written.chain(rows.removed.iter().copied()) {
                for kept in self.kept.values_mut().filter(|kept| kept.result.contains(&entity)) {
                    if !kept.query.matches(world, entity) {
                        kept.result.remove(&entity);
                    }
                }
                matching.clear();
                self.index.matching(world, rows.row, entity, &mut matching);
                assert!(matching.is_sorted_by(|a, b| a < b), "{matching:?}");
                for number in &matching {
                    self.kept.get_mut(number).unwrap().result.insert(entity);
                }
            }
        }
    }

    fn check(&self) {
        for kept in self.kept.values() {
            let matching = self.facts.values().filter(|facts| kept.oracle.matches(facts));
            let want: BTreeSet<_> = matching.map(|facts| facts.entity).collect();
            let explained = kept.query.explain(&self.market.catalog, 8.0);
            assert_eq!(kept.result, want, "kept up to date: {}\n{explained}", kept.text);
            let fresh = kept.query.evaluate(&self.market.world).entities.unwrap();
            assert_eq!(fresh, want.into_iter().collect::<Vec<_>>(), "anew: {}\n{explained}", kept.text);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn results_kept_are_results_found_anew(steps in prop::collection::vec(steps(), 20..120)) {
        let market = Market::new();
        let index = QueryIndex::new(8.0);
        let mut run = Run { market, facts: BTreeMap::new(), index, kept: BTreeMap::new(), next: 0 };
        steps.into_iter().chain([Step::Commit]).for_each(|step| run.step(step));
        for number in run.kept.keys().copied().collect::<Vec<_>>() {
            run.index.remove(number);
        }
        prop_assert!(run.index.is_empty());
    }
}
