//! Names of indexes.

use std::marker::PhantomData;

use crate::rows::Component;

/// An index on a field of type `K` of row type `T`: the constant `T::FIELD` of a field with `#[index]`,
/// `#[index(ordered)]`, `#[index(dense)]` or `#[unique]`.
///
/// ```
/// use evertick_module::prelude::*;
///
/// #[table(key = name)]
/// pub struct Account {
///     pub name: String,
///     #[unique]
///     pub identity: Identity,
///     #[index(ordered)]
///     pub gold: u64,
/// }
///
/// #[derive(Debug, PartialEq, Refusal)]
/// pub enum RichRefusal {
///     #[refusal("there is no such account", missing)]
///     NoAccount,
/// }
///
/// /// How many have more gold than the caller.
/// #[reducer]
/// fn richer(ctx: &mut Ctx) -> Result<u32, RichRefusal> {
///     let (_, own) = ctx.find_by(Account::IDENTITY, &ctx.sender())?;
///     Ok(ctx.range(Account::GOLD, own.gold + 1..).count() as u32)
/// }
/// # fn main() {}
/// ```
pub struct Index<T, K, Kind = Hash, Uniqueness = Many> {
    pub(crate) field: u16,
    pub(crate) key: fn(&T) -> &K,
    kinds: PhantomData<(Kind, Uniqueness)>,
}

impl<T: Component, K, Kind, Uniqueness> Index<T, K, Kind, Uniqueness> {
    /// The index on field number `field`, which `key` reads. The macros make it.
    #[doc(hidden)]
    pub const fn new(field: u16, key: fn(&T) -> &K) -> Self {
        Self { field, key, kinds: PhantomData }
    }
}

impl<T, K, Kind, Uniqueness> Clone for Index<T, K, Kind, Uniqueness> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, K, Kind, Uniqueness> Copy for Index<T, K, Kind, Uniqueness> {}

impl<T, K, Kind, Uniqueness> std::fmt::Debug for Index<T, K, Kind, Uniqueness> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Index(field {})", self.field)
    }
}

/// Kept by hash: equality only.
#[derive(Debug)]
pub enum Hash {}

/// Kept in an array of slots: equality only, for small unsigned integers.
#[derive(Debug)]
pub enum Dense {}

/// Kept in order: equality and ranges.
#[derive(Debug)]
pub enum Ordered {}

/// Several rows may have the same value.
#[derive(Debug)]
pub enum Many {}

/// At most one row has a value.
#[derive(Debug)]
pub enum Unique {}

/// An index that knows ranges: [`Ordered`].
#[diagnostic::on_unimplemented(
    message = "this index knows no ranges",
    label = "kept by `{Self}`, equality only",
    note = "declare the field with `#[index(ordered)]`"
)]
pub trait Ranges {}

impl Ranges for Ordered {}

/// An index with at most one row for a value: [`Unique`].
#[diagnostic::on_unimplemented(
    message = "several rows may have the same value of this field",
    label = "not unique",
    note = "declare the field with `#[unique]`, or use `scan_by`, which gives all of them"
)]
pub trait AtMostOne {}

impl AtMostOne for Unique {}
