//! The obvious interpreter: walks the tree that the whole of `sqlparser` makes of the text, row by row, in
//! SQL's logic of three values.

#![allow(unreachable_pub, clippy::unwrap_used, reason = "a module of a test")]

use std::cmp::Ordering;

use evertick_schema::EntityId;
use sqlparser::ast::{
    BinaryOperator as Op, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, SetExpr, Statement,
    TableFactor, UnaryOperator, Value,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;

use super::{KINDS, Listing, ME};

/// All that a query may know of one entity.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub entity: EntityId,
    pub listing: Option<Listing>,
    pub stock: Option<(u16, i32)>,
    pub position: Option<([f32; 2], u32)>,
}

enum Fact {
    Null,
    Int(i128),
    F32(f32),
    F64(f64),
    Text(String),
    Bytes([u8; 32]),
    Bool(bool),
}

/// A query as the oracle sees it.
pub struct Oracle {
    tables: Vec<String>,
    filter: Option<Expr>,
}

impl Oracle {
    pub fn new(text: &str) -> Self {
        let mut statements = Parser::parse_sql(&GenericDialect, text).unwrap();
        let Statement::Query(query) = statements.remove(0) else { panic!("a query") };
        let SetExpr::Select(mut select) = *query.body else { panic!("a select") };
        let from = select.from.remove(0);
        let joined = from.joins.into_iter().map(|join| join.relation);
        let name = |table| match table {
            TableFactor::Table { name, .. } => name.to_string(),
            _ => panic!("a table"),
        };
        Self {
            tables: std::iter::once(from.relation).chain(joined).map(name).collect(),
            filter: select.selection,
        }
    }

    pub fn matches(&self, facts: &Facts) -> bool {
        let there = |name: &String| match name.as_str() {
            "Listing" => facts.listing.is_some(),
            "Stock" => facts.stock.is_some(),
            "Position" => facts.position.is_some(),
            other => panic!("{other}"),
        };
        let holds = |filter| condition(filter, facts) == Some(true);
        self.tables.iter().all(there) && self.filter.as_ref().is_none_or(holds)
    }
}

fn condition(expr: &Expr, facts: &Facts) -> Option<bool> {
    match expr {
        Expr::Nested(inner) => condition(inner, facts),
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => Some(!condition(expr, facts)?),
        Expr::BinaryOp { left, op: Op::And, right } => {
            match (condition(left, facts), condition(right, facts)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            }
        }
        Expr::BinaryOp { left, op: Op::Or, right } => match (condition(left, facts), condition(right, facts))
        {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        },
        Expr::BinaryOp { left, op, right } => Some(match (op, order(left, right, facts)?) {
            (Op::Eq, order) => order == Ordering::Equal,
            (Op::NotEq, order) => order != Ordering::Equal,
            (Op::Lt, order) => order == Ordering::Less,
            (Op::LtEq, order) => order != Ordering::Greater,
            (Op::Gt, order) => order == Ordering::Greater,
            (Op::GtEq, order) => order != Ordering::Less,
            other => panic!("{other:?}"),
        }),
        Expr::InList { expr, list, negated } => {
            let mut any = false;
            for constant in list {
                any |= order(expr, constant, facts)? == Ordering::Equal;
            }
            Some(any != *negated)
        }
        Expr::Between { expr, negated, low, high } => {
            let low = order(expr, low, facts)? != Ordering::Less;
            let high = order(expr, high, facts)? != Ordering::Greater;
            Some((low && high) != *negated)
        }
        Expr::IsNull(of) => Some(matches!(fact(of, facts), Fact::Null)),
        Expr::IsNotNull(of) => Some(!matches!(fact(of, facts), Fact::Null)),
        Expr::Value(value) => match value.value {
            Value::Boolean(holds) => Some(holds),
            _ => panic!("{value}"),
        },
        Expr::Function(function) => {
            let FunctionArguments::List(list) = &function.args else { panic!("arguments") };
            let number = |arg: &FunctionArg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => text_of(expr).parse::<f64>().unwrap(),
                other => panic!("{other}"),
            };
            let numbers: Vec<f64> = list.args.iter().map(number).collect();
            let (at, space) = facts.position?;
            let [x, y] = at.map(f64::from);
            let (inside, wanted) = match *numbers.as_slice() {
                [cx, cy, r] if function.name.to_string() == "near" => (circle(x - cx, y - cy, r), 0.0),
                [cx, cy, r, space] if function.name.to_string() == "near" => {
                    (circle(x - cx, y - cy, r), space)
                }
                [x0, y0, x1, y1] => (x >= x0 && x <= x1 && y >= y0 && y <= y1, 0.0),
                _ => panic!("{function}"),
            };
            Some(inside && f64::from(space) == wanted)
        }
        field => match fact(field, facts) {
            Fact::Bool(holds) => Some(holds),
            _ => panic!("{field}"),
        },
    }
}

fn circle(dx: f64, dy: f64, radius: f64) -> bool {
    dx * dx + dy * dy <= radius * radius
}

/// How the field on either side compares with the constant on the other.
fn order(left: &Expr, right: &Expr, facts: &Facts) -> Option<Ordering> {
    if !matches!(left, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) {
        return order(right, left, facts).map(Ordering::reverse);
    }
    let text = text_of(right);
    Some(match fact(left, facts) {
        Fact::Null => return None,
        Fact::Int(value) => value.cmp(&text.parse().unwrap()),
        Fact::F32(value) => floats(value.into(), text.parse::<f32>().unwrap().into()),
        Fact::F64(value) => floats(value, text.parse().unwrap()),
        Fact::Text(value) => value.as_bytes().cmp(text.as_bytes()),
        Fact::Bytes(value) if text == ":me" => value.cmp(&ME.0),
        Fact::Bytes(value) => hex(&value).cmp(&text),
        Fact::Bool(value) => value.cmp(&(text == "true")),
    })
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As PostgreSQL has it: NaN is equal to itself and above all else.
fn floats(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

fn text_of(expr: &Expr) -> String {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) | Value::SingleQuotedString(text) | Value::Placeholder(text) => {
                text.clone()
            }
            Value::Boolean(value) => value.to_string(),
            other => panic!("{other}"),
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => format!("-{}", text_of(expr)),
        other => panic!("{other}"),
    }
}

fn fact(expr: &Expr, facts: &Facts) -> Fact {
    let name = expr.to_string();
    let name = name.trim_start_matches("market.").trim_start_matches("Listing.").trim_start_matches("Stock.");
    let listing = || facts.listing.as_ref().unwrap();
    match name {
        "entity" => Fact::Int(facts.entity.0.into()),
        "count" => Fact::Int(facts.stock.unwrap().0.into()),
        "code" => Fact::Int(facts.stock.unwrap().1.into()),
        "Position.at.x" => Fact::F32(facts.position.unwrap().0[0]),
        "id" => Fact::Int(listing().id.into()),
        "seller" => Fact::Bytes(listing().seller.0),
        "price" => Fact::Int(listing().price.into()),
        "weight" => Fact::F32(listing().weight),
        "ratio" => Fact::F64(listing().ratio),
        "title" => Fact::Text(listing().title.clone()),
        "kind" => {
            let kind = KINDS.iter().find(|(_, value)| *value == listing().kind).unwrap();
            Fact::Text(kind.0.into())
        }
        "open" => Fact::Bool(listing().open),
        "note" => listing().note.clone().map_or(Fact::Null, Fact::Text),
        "discount" => listing().discount.map_or(Fact::Null, |value| Fact::Int(value.into())),
        "spot.rank" => Fact::Int(listing().rank.into()),
        "spot.at.y" => Fact::F32(listing().at[1]),
        "maker" => Fact::Int(listing().maker.0.into()),
        "made" => Fact::Int(listing().made.0.into()),
        other => panic!("{other}"),
    }
}
