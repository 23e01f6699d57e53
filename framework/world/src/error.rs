//! Why a write or a delta is refused.

use evertick_schema::{EntityId, RowError};
use thiserror::Error;

/// Why a write is refused. It has changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WriteError {
    /// There is no such entity.
    #[error("there is no entity {entity}; it was never made here, or is gone")]
    NoEntity {
        /// The entity asked for.
        entity: EntityId,
    },
    /// There is no such row type.
    #[error("there is no row type {row}; register it before use")]
    NoRowType {
        /// The number asked for.
        row: u16,
    },
    /// The entity has no such row, and the write must not make one.
    #[error("entity {entity} has no {row}; insert one instead of updating it")]
    Absent {
        /// The row type's name.
        row: String,
        /// The entity.
        entity: EntityId,
    },
    /// The entity has such a row, and the write must not replace it.
    #[error("entity {entity} has a {row} already; update it instead of inserting one")]
    Present {
        /// The row type's name.
        row: String,
        /// The entity.
        entity: EntityId,
    },
    /// Another row has the same value in a unique field.
    #[error(
        "another {row} has the same value in unique field {field}; take another value, or change that row"
    )]
    DuplicateKey {
        /// The row type's name.
        row: String,
        /// The field's number.
        field: u16,
    },
    /// The bytes are not a row of the type.
    #[error("not a {row}: {error}")]
    BadRow {
        /// The row type's name.
        row: String,
        /// What is wrong.
        error: RowError,
    },
    /// A row of this kind can't be written that way.
    #[error("{row} is {kind} and can't be written so; {instead}")]
    WrongKind {
        /// The row type's name.
        row: String,
        /// What it is.
        kind: &'static str,
        /// What to do.
        instead: &'static str,
    },
    /// The entity would be in two places.
    #[error("entity {entity} has a place by its {other} and can't also have a {row}; remove the one first")]
    TwoPlaces {
        /// The row type's name.
        row: String,
        /// The spatial row type that it has.
        other: String,
        /// The entity.
        entity: EntityId,
    },
    /// More than the world takes on.
    #[error(
        "over the limit of {max} {what}; do less at once, or raise the limit in the world's configuration"
    )]
    Limit {
        /// What there would be too many of.
        what: &'static str,
        /// The limit.
        max: usize,
    },
}

/// Why a delta can't be applied. The replica is of no use after that: make a new one from a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ApplyError {
    /// The replica has changes of its own.
    #[error("the replica has changes of its own since its last commit; a replica takes deltas only")]
    NotAReplica,
    /// A row type that the replica does not have.
    #[error(
        "the delta has rows of type {row}, which is not registered; register the same modules in the same order"
    )]
    NoRowType {
        /// The row type's number.
        row: u16,
    },
    /// A change that does not fit what the replica has.
    #[error(
        "the delta {what} of {entity}, which does not fit the replica's state; a delta before it is missing, or it was applied twice"
    )]
    Mismatch {
        /// What the delta does.
        what: &'static str,
        /// To which entity.
        entity: EntityId,
    },
    /// A row of the delta can't be written.
    #[error("a row of the delta: {0}")]
    Write(#[from] WriteError),
}

/// What [`crate::World::check`] found to be inconsistent: a defect of this crate.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the world is inconsistent: {0}; please report it")]
pub struct Inconsistency(pub String);
