//! What reading and writing rows can come to, and how it becomes a refusal.

use thiserror::Error;

/// There is no such row, or no such entity.
///
/// `?` turns it into the refusal's variant that says `missing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("there is no such {row}")]
pub struct Missing {
    /// The row type that was looked for.
    pub row: &'static str,
}

/// There is another row with this key, or with this value of a unique field.
///
/// `?` turns it into the refusal's variant that says `duplicate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("there is another {row} with the same key or unique value")]
pub struct Duplicate {
    /// The row type that was to be written.
    pub row: &'static str,
}

/// Why a row could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WriteError {
    /// The entity was never there or is despawned.
    #[error("the entity is gone, so it can't get a {row}; find out with `ctx.get` first")]
    NoEntity {
        /// The row type that was to be written.
        row: &'static str,
    },
    /// There is another row with this key or unique value.
    #[error(transparent)]
    Duplicate(Duplicate),
    /// The entity has the row already.
    #[error("the entity has a {row} already; `ctx.set` replaces it")]
    Present {
        /// The row type that was to be written.
        row: &'static str,
    },
    /// The entity is placed in space by another component.
    #[error("the entity is placed in space by another component; remove that one before it gets a {row}")]
    TwoPlaces {
        /// The row type that was to be written.
        row: &'static str,
    },
}

/// The condition of the conversion from [`Missing`] that a refusal without a `missing` variant does not meet.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no variant for a missing row",
    label = "give `{Self}` a variant for this: `#[refusal(\"that is no longer here\", missing)] Gone`",
    note = "give `{Self}` a variant for this, or handle the error here"
)]
pub trait MissingVariant<'a>: Sized {
    /// The variant.
    fn convert(error: Missing) -> Self;
}

/// The condition of the conversion from [`Duplicate`] that a refusal without a `duplicate` variant does not meet.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no variant for a duplicate row",
    label = "give `{Self}` a variant for this: `#[refusal(\"that name is taken\", duplicate)] Taken`",
    note = "give `{Self}` a variant for this, or handle the error here"
)]
pub trait DuplicateVariant<'a>: Sized {
    /// The variant.
    fn convert(error: Duplicate) -> Self;
}
