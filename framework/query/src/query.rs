//! A query in its normal form.

use evertick_schema::EntityId;
use evertick_world::{RowId, World};

use crate::area::{Area, PlaceField};
use crate::key::KeyRef;
use crate::operand::Operand;
use crate::set::Set;

/// A checked query in its normal form: any of some conjunctions, each of which says for every value that it is
/// about which ones are allowed. Queries that mean the same are equal, where rewriting by the rules of
/// propositional logic and of intervals shows it; so they can share one result.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Query {
    pub(crate) row: RowId,
    /// Ascending.
    pub(crate) joins: Vec<RowId>,
    /// Of the row type that says where the entity is, if a condition is about that.
    pub(crate) place: Option<PlaceField>,
    /// Ascending; none of it holds of whatever another one holds of.
    pub(crate) any: Vec<Conjunct>,
}

/// Conditions that must all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Conjunct {
    /// By operand, each once.
    pub(crate) fields: Vec<(Operand, Allowed)>,
    /// Areas, and whether the entity must be inside or must not.
    pub(crate) places: Vec<(Area, bool)>,
}

/// What a value may be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Allowed {
    /// Whether it may be missing.
    pub(crate) null: bool,
    pub(crate) set: Set,
}

impl Query {
    /// The type of the rows that the query asks for.
    pub fn row(&self) -> RowId {
        self.row
    }

    /// The row types that an entity must have as well.
    pub fn joins(&self) -> &[RowId] {
        &self.joins
    }

    /// Whether changes of rows of that type concern the query.
    pub fn concerns(&self, row: RowId) -> bool {
        self.row == row || self.joins.contains(&row)
    }

    /// Whether the entity has the rows asked for and they meet the condition. Cost: a look-up per row type and
    /// per condition, of which there are at most [`crate::ALTERNATIVES_MAX`] × [`crate::TERMS_MAX`].
    pub fn matches(&self, world: &World, entity: EntityId) -> bool {
        world.get(self.row, entity).is_some()
            && self.joins.iter().all(|row| world.get(*row, entity).is_some())
            && self.any.iter().any(|all| all.holds(self.place, world, entity))
    }
}

impl Conjunct {
    fn holds(&self, place: Option<PlaceField>, world: &World, entity: EntityId) -> bool {
        let fields =
            || self.fields.iter().all(|(operand, allowed)| allowed.holds(operand.read(world, entity)));
        let places = || {
            let place = place.and_then(|field| Some(field.read(world.get(field.row, entity)?)));
            self.places
                .iter()
                .all(|(area, inside)| place.is_some_and(|place| area.contains(place) == *inside))
        };
        fields() && (self.places.is_empty() || places())
    }
}

impl Allowed {
    fn holds(&self, value: Option<KeyRef<'_>>) -> bool {
        value.map_or(self.null, |value| self.set.contains(value))
    }
}
