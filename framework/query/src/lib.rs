//! Queries: which rows a client asks for, beyond those that it is sent anyway.
//!
//! ```text
//!  text ──► sqlparser ──► checked against the row types ──► normal form ──► plan
//!                                                              │             ├─► evaluate: the first result
//!                                                              │             └─► QueryIndex: which queries
//!                                                              └─ equal for equal meanings     a changed row concerns
//! ```
//!
//! * [`compile`] turns text into a [`Query`]: `SELECT * FROM row [JOIN other USING (entity)] [WHERE condition]`.
//!   A result is rows of one type. The page on queries in the documentation has the language.
//! * A [`Query`] is in a normal form, so that those with the same meaning are equal and hash alike.
//! * [`Query::evaluate`] finds all rows that match, by the world's indexes and grid where they help.
//! * A [`QueryIndex`] holds any number of queries and tells which of them match a changed row's entity, without
//!   looking at all of them: conditions of equality are hashed, ranges are in an interval tree, areas in cells.
//! * [`Query::explain`] says in words how that is done for one query.
//!
//! The text is a stranger's: everything about it is bounded by the constants below, and every refusal says what
//! is wrong, where, and what would be right ([`QueryError`]).
//!
//! Who may see a row is not decided here.

mod area;
mod catalog;
mod compile;
mod constant;
mod error;
mod evaluate;
mod index;
mod key;
mod lower;
mod normal;
mod operand;
mod plan;
mod query;
mod set;
mod text;

pub use catalog::Catalog;
pub use compile::{Compilation, Compiled, compile};
pub use error::{At, QueryError};
pub use evaluate::{Evaluated, TooManyRows};
pub use index::{QueryIndex, QueryNumber};
pub use query::Query;

/// The most bytes of a query's text.
pub const TEXT_BYTES_MAX: usize = 4096;
/// The most conditions of a query.
pub const TERMS_MAX: usize = 32;
/// The most row types that a query joins.
pub const JOINS_MAX: usize = 4;
/// The most constants of a query.
pub const CONSTANTS_MAX: usize = 512;
/// The most alternatives of a query, once its condition is written as an OR of ANDs.
pub const ALTERNATIVES_MAX: usize = 16;
/// The most rows of a query's result.
pub const RESULT_ROWS_MAX: usize = 65_536;
