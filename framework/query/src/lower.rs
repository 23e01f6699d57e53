//! From a parsed condition to its normal form. Every name, type and constant is checked on the way.
//!
//! NOT is pushed down to the comparisons. In SQL's logic of three values a comparison with a missing value is
//! neither true nor false, and so is its opposite; De Morgan's rules hold there too. So a comparison and its
//! opposite both leave out missing values, and nothing else needs to know of a third value.

use evertick_schema::{Identity, Type};
use sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, UnaryOperator, Value,
};

use crate::area::{Area, PlaceField};
use crate::catalog::CatalogRow;
use crate::constant::{fold, is_constant, number_text};
use crate::error::QueryError;
use crate::key::Key;
use crate::normal::{Any, Joiner, always, on_field, on_place};
use crate::operand::{Found, resolve, type_name};
use crate::query::Allowed;
use crate::set::Set;
use crate::text::start_of;
use crate::{CONSTANTS_MAX, TERMS_MAX};

/// What names and constants of a condition mean, and how many it has had.
pub(crate) struct Lower<'a> {
    pub(crate) rows: &'a [&'a CatalogRow],
    pub(crate) place: Option<PlaceField>,
    pub(crate) me: &'a Identity,
    pub(crate) terms: usize,
    pub(crate) constants: usize,
    pub(crate) joiner: &'a mut Joiner,
}

const COMPARE: &str = "compare a field with a constant: = <> < <= > >=, IN (..), BETWEEN .. AND .., IS NULL";

impl Lower<'_> {
    /// The condition `expr`, or its opposite.
    pub(crate) fn condition(&mut self, expr: &Expr, negate: bool) -> Result<Any, QueryError> {
        match expr {
            Expr::Nested(inner) => self.condition(inner, negate),
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => self.condition(expr, !negate),
            Expr::BinaryOp { op: op @ (BinaryOperator::And | BinaryOperator::Or), .. } => {
                self.chain(expr, op, negate)
            }
            Expr::BinaryOp { left, op, right } => self.comparison(expr, left, op, right, negate),
            Expr::InList { expr, list, negated } => {
                let found = self.operand(expr)?;
                let mut keys = Vec::with_capacity(list.len());
                for constant in list {
                    keys.push(self.constant(&found, constant)?);
                }
                let set = Set::points(keys, found.operand.kind());
                Ok(self.values(found, set, negate != *negated))
            }
            Expr::Between { expr, negated, low, high } => {
                let found = self.operand(expr)?;
                check_order(&found)?;
                let kind = found.operand.kind();
                let low = Set::from(self.constant(&found, low)?);
                let high = Set::below(kind.after(&self.constant(&found, high)?), kind);
                Ok(self.values(found, low.intersection(&high), negate != *negated))
            }
            Expr::IsNull(of) => self.is_null(of, !negate),
            Expr::IsNotNull(of) => self.is_null(of, negate),
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => {
                let found = self.operand(expr)?;
                if found.ty != Type::Bool {
                    return Err(self.unsupported(expr, "a field alone", COMPARE));
                }
                let set = Set::points([Key::Number(1)], found.operand.kind());
                Ok(self.values(found, set, negate))
            }
            Expr::Value(value) => match value.value {
                Value::Boolean(holds) => Ok(if holds == negate { Vec::new() } else { always() }),
                _ => Err(self.unsupported(expr, "a constant alone", COMPARE)),
            },
            Expr::Function(function) => self.area(expr, function, negate),
            other => Err(self.unsupported(other, "this", COMPARE)),
        }
    }

    /// Conditions joined by one operator. Written without parentheses they nest to the left, as deep as there
    /// are conditions, so the way down is a loop.
    fn chain(&mut self, expr: &Expr, of: &BinaryOperator, negate: bool) -> Result<Any, QueryError> {
        let mut parts = Vec::new();
        let mut rest = expr;
        while let Expr::BinaryOp { left, op, right } = rest
            && op == of
        {
            parts.push(&**right);
            rest = left;
            self.bound_terms(parts.len())?;
        }
        let all = (*of == BinaryOperator::And) != negate;
        let mut sum = self.condition(rest, negate)?;
        for part in parts.into_iter().rev() {
            let next = self.condition(part, negate)?;
            sum = if all { self.joiner.and(&sum, &next)? } else { self.joiner.or(sum, next)? };
        }
        Ok(sum)
    }

    fn comparison(
        &mut self,
        whole: &Expr,
        left: &Expr,
        op: &BinaryOperator,
        right: &Expr,
        negate: bool,
    ) -> Result<Any, QueryError> {
        use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
        if !matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq) {
            return Err(self.unsupported(whole, &op.to_string(), COMPARE));
        }
        let (field, op, constant) = match (is_constant(left), is_constant(right)) {
            (false, true) => (left, op.clone(), right),
            (true, false) => {
                let turned = match op {
                    Lt => Gt,
                    LtEq => GtEq,
                    Gt => Lt,
                    GtEq => LtEq,
                    same => same.clone(),
                };
                (right, turned, left)
            }
            (true, true) => return Err(self.unsupported(whole, "comparing two constants", COMPARE)),
            (false, false) => return Err(self.unsupported(whole, "comparing two expressions", COMPARE)),
        };
        let found = self.operand(field)?;
        if !matches!(op, Eq | NotEq) {
            check_order(&found)?;
        }
        let kind = found.operand.kind();
        let key = self.constant(&found, constant)?;
        let set = match op {
            Lt => Set::below(Some(key), kind),
            LtEq => Set::below(kind.after(&key), kind),
            Gt => Set::above(&key, kind),
            GtEq => Set::from(key),
            _ => Set::points([key], kind),
        };
        Ok(self.values(found, set, negate != (op == NotEq)))
    }

    /// A value that is there and in the set, or there and not in it.
    fn values(&self, found: Found, set: Set, negate: bool) -> Any {
        let set = if negate { set.complement(found.operand.kind()) } else { set };
        on_field(found.operand, Allowed { null: false, set })
    }

    fn is_null(&mut self, expr: &Expr, null: bool) -> Result<Any, QueryError> {
        self.bound_terms(1)?;
        self.terms += 1;
        let found = self.path(expr)?;
        if !found.operand.may_be_null() {
            let instead = "it always has a value: leave the condition out".into();
            return Err(not_comparable(&found, " with NULL", instead));
        }
        let set = if null { Set::default() } else { Set::full(found.operand.kind()) };
        Ok(on_field(found.operand, Allowed { null, set }))
    }

    /// `near(x, y, radius)` or `within(x0, y0, x1, y1)`, both with a space behind it, if it is not space 0.
    fn area(&mut self, expr: &Expr, function: &Function, negate: bool) -> Result<Any, QueryError> {
        let at = start_of(expr);
        let name = function.name.to_string();
        let (function_name, wanted, count) = match name.as_str() {
            "near" => ("near", "x, y and a radius that is not negative, and may be a space's number", 3),
            "within" => ("within", "the least x and y, the greatest x and y, and may be a space's number", 4),
            _ => {
                let instead = "there are near(x, y, radius) and within(x0, y0, x1, y1)";
                return Err(self.unsupported(expr, &format!("the function {name}"), instead));
            }
        };
        self.bound_terms(1)?;
        self.terms += 1;
        if self.place.is_none() {
            return Err(QueryError::NoPlace { at, function: function_name });
        }
        let wrong = || QueryError::Arguments { at, function: function_name, wanted };
        let numbers: Vec<String> = arguments(function).ok_or_else(wrong)?;
        let space = match numbers.len().checked_sub(count) {
            Some(0) => 0,
            Some(1) => numbers[count].parse().map_err(|_| wrong())?,
            _ => return Err(wrong()),
        };
        let parsed: Result<Vec<f64>, _> = numbers[..count].iter().map(|text| text.parse()).collect();
        let area = match *parsed.map_err(|_| wrong())?.as_slice() {
            [x, y, radius] => Area::circle(space, [x, y], radius),
            [x0, y0, x1, y1] => Area::rectangle(space, [x0, y0], [x1, y1]),
            _ => None,
        };
        Ok(on_place(area.ok_or_else(wrong)?, !negate))
    }

    /// The field that is compared; counts as a term.
    fn operand(&mut self, expr: &Expr) -> Result<Found, QueryError> {
        self.bound_terms(1)?;
        self.terms += 1;
        let found = self.path(expr)?;
        let instead = match &found.ty {
            Type::Struct(_) => "compare one of its fields, as in field.part",
            ty if ty.lanes().is_some_and(|(_, count)| count > 1) => "compare one of its parts, as in field.x",
            Type::Array(..) | Type::List(_) => "keep what is asked for in a field of its own",
            _ => return Ok(found),
        };
        Err(not_comparable(&found, "", instead.into()))
    }

    fn path(&self, expr: &Expr) -> Result<Found, QueryError> {
        match expr {
            Expr::Identifier(name) => resolve(self.rows, std::slice::from_ref(name)),
            Expr::CompoundIdentifier(path) => resolve(self.rows, path),
            Expr::Nested(inner) => self.path(inner),
            other => Err(self.unsupported(other, "what is compared here", COMPARE)),
        }
    }

    fn constant(&mut self, of: &Found, expr: &Expr) -> Result<Key, QueryError> {
        self.constants += 1;
        if self.constants > CONSTANTS_MAX {
            let instead = "ask in several queries";
            return Err(QueryError::Limit { what: "a query has constants,", max: CONSTANTS_MAX, instead });
        }
        if let Expr::Value(value) = expr
            && value.value == Value::Null
        {
            return Err(self.unsupported(expr, "comparing with NULL", "write IS NULL or IS NOT NULL"));
        }
        fold(of, expr, self.me)
    }

    fn bound_terms(&self, more: usize) -> Result<(), QueryError> {
        if self.terms + more <= TERMS_MAX {
            return Ok(());
        }
        let instead = "ask in several queries, or with IN (..) for many values of one field";
        Err(QueryError::Limit { what: "a query has conditions,", max: TERMS_MAX, instead })
    }

    fn unsupported(&self, expr: &Expr, what: &str, instead: &'static str) -> QueryError {
        QueryError::Unsupported { at: start_of(expr), what: what.into(), instead }
    }
}

/// Whether `<` means something for the type.
fn check_order(found: &Found) -> Result<(), QueryError> {
    match found.ty {
        Type::Bool | Type::Enum(_) | Type::Identity => {
            Err(not_comparable(found, " by order", "use = <> or IN".into()))
        }
        _ => Ok(()),
    }
}

fn not_comparable(found: &Found, with: &'static str, instead: String) -> QueryError {
    QueryError::NotComparable {
        at: found.at,
        field: found.name.clone(),
        ty: type_name(&found.ty),
        with,
        instead,
    }
}

/// A function's arguments, if they are plain numbers.
fn arguments(function: &Function) -> Option<Vec<String>> {
    let FunctionArguments::List(list) = &function.args else { return None };
    let number = |arg: &FunctionArg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => number_text(expr),
        _ => None,
    };
    list.args.iter().map(number).collect()
}
