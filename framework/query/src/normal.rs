//! Bringing conditions into their normal form: the algebra of [`Conjunct`]s.

use crate::ALTERNATIVES_MAX;
use crate::area::Area;
use crate::error::QueryError;
use crate::operand::Operand;
use crate::query::{Allowed, Conjunct};

/// A condition: any of these.
pub(crate) type Any = Vec<Conjunct>;

/// What always holds.
pub(crate) fn always() -> Any {
    vec![Conjunct::default()]
}

/// A condition on a value.
pub(crate) fn on_field(operand: Operand, allowed: Allowed) -> Any {
    if allowed.is_none() {
        return Vec::new();
    }
    let fields = if allowed.is_all(&operand) { Vec::new() } else { vec![(operand, allowed)] };
    vec![Conjunct { fields, places: Vec::new() }]
}

/// A condition on the place.
pub(crate) fn on_place(area: Area, inside: bool) -> Any {
    vec![Conjunct { fields: Vec::new(), places: vec![(area, inside)] }]
}

/// Joins conditions, and counts what that takes: conjunctions that were compared or made.
#[derive(Debug, Default)]
pub(crate) struct Joiner {
    pub(crate) steps: usize,
}

/// The most steps for one query: what a client can make the server do is bounded by this, not by the text alone.
const STEPS_MAX: usize = 8192;

impl Joiner {
    /// What holds where one of the two holds.
    pub(crate) fn or(&mut self, mut a: Any, b: Any) -> Result<Any, QueryError> {
        a.extend(b);
        self.bounded(a)
    }

    /// What holds where both hold.
    pub(crate) fn and(&mut self, a: &Any, b: &Any) -> Result<Any, QueryError> {
        self.steps += a.len() * b.len();
        self.bounded(a.iter().flat_map(|a| b.iter().filter_map(|b| a.and(b))).collect())
    }

    /// Simplifies, and refuses what is still too long then, or took too long.
    fn bounded(&mut self, any: Any) -> Result<Any, QueryError> {
        let any = self.simplified(any)?;
        if any.len() > ALTERNATIVES_MAX { Err(too_many()) } else { Ok(any) }
    }

    /// Drops alternatives that others cover, merges those that differ in one value, and puts the rest in order.
    fn simplified(&mut self, mut any: Any) -> Result<Any, QueryError> {
        any.sort_unstable();
        let mut kept: Any = Vec::new();
        for mut next in any {
            // What has been merged may be merged with others again; each time one is less.
            while let Some((at, merged)) = kept.iter().enumerate().find_map(|(at, known)| {
                self.steps += 1;
                Some((at, known.or(&next)?))
            }) {
                kept.swap_remove(at);
                next = merged;
            }
            kept.push(next);
            if self.steps > STEPS_MAX {
                return Err(too_many());
            }
        }
        kept.sort_unstable();
        Ok(kept)
    }
}

fn too_many() -> QueryError {
    let instead = "ask in several queries, or for more rows and filter them in the client";
    QueryError::Limit {
        what: "written out as alternatives joined by OR, a condition has",
        max: ALTERNATIVES_MAX,
        instead,
    }
}

impl Conjunct {
    /// Both; `None` if that can't be.
    fn and(&self, other: &Self) -> Option<Self> {
        let mut both = self.clone();
        for (operand, allowed) in &other.fields {
            match both.fields.binary_search_by(|(known, _)| known.cmp(operand)) {
                Err(at) => both.fields.insert(at, (operand.clone(), allowed.clone())),
                Ok(at) => {
                    let known = &mut both.fields[at].1;
                    *known = known.and(allowed);
                    if known.is_none() {
                        return None;
                    }
                }
            }
        }
        both.places.extend(&other.places);
        both.places.sort_unstable();
        both.places.dedup();
        let opposite = both.places.windows(2).any(|pair| pair[0].0 == pair[1].0);
        (!opposite).then_some(both)
    }

    /// One conjunction for two alternatives, where there is one.
    fn or(&self, other: &Self) -> Option<Self> {
        if self.covers(other) {
            return Some(self.clone());
        }
        if other.covers(self) {
            return Some(other.clone());
        }
        let same_operands = self.fields.len() == other.fields.len()
            && self.fields.iter().zip(&other.fields).all(|((a, _), (b, _))| a == b);
        if !same_operands || self.places != other.places {
            return None;
        }
        let mut differing = (0..self.fields.len()).filter(|at| self.fields[*at] != other.fields[*at]);
        let (Some(at), None) = (differing.next(), differing.next()) else { return None };
        let mut merged = self.clone();
        let (operand, allowed) = &mut merged.fields[at];
        let theirs = &other.fields[at].1;
        *allowed = Allowed { null: allowed.null || theirs.null, set: allowed.set.union(&theirs.set) };
        if allowed.is_all(operand) {
            merged.fields.remove(at);
        }
        Some(merged)
    }

    /// Whether it holds wherever `other` holds.
    fn covers(&self, other: &Self) -> bool {
        self.places.iter().all(|place| other.places.contains(place))
            && self.fields.iter().all(|(operand, allowed)| {
                let found = other.fields.binary_search_by(|(known, _)| known.cmp(operand));
                found.is_ok_and(|at| allowed.covers(&other.fields[at].1))
            })
    }
}

impl Allowed {
    fn and(&self, other: &Self) -> Self {
        Self { null: self.null && other.null, set: self.set.intersection(&other.set) }
    }

    fn covers(&self, other: &Self) -> bool {
        (self.null || !other.null) && self.set.covers(&other.set)
    }

    fn is_none(&self) -> bool {
        !self.null && self.set.is_empty()
    }

    fn is_all(&self, operand: &Operand) -> bool {
        (self.null || !operand.may_be_null()) && self.set.is_full(operand.kind())
    }
}
