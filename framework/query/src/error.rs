//! Why a query is refused. The texts go to whoever wrote it.

use std::fmt;

use thiserror::Error;

use crate::TEXT_BYTES_MAX;

/// A position in a query's text, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The line.
    pub line: u64,
    /// The character in its line.
    pub column: u64,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// What is wrong with a query, where, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum QueryError {
    #[error(
        "the query is {bytes} bytes long, {TEXT_BYTES_MAX} is the most; ask for less, or in several queries"
    )]
    TooLong { bytes: usize },
    #[error("{at}: {problem}")]
    Syntax { at: At, problem: String },
    #[error("{at}: {what} is not part of queries; {instead}")]
    Unsupported { at: At, what: String, instead: &'static str },
    #[error("{at}: there is no row type {name}; there are {known}")]
    UnknownRow { at: At, name: String, known: String },
    #[error("{at}: {name} could be {candidates}; write which")]
    Ambiguous { at: At, name: String, candidates: String },
    #[error(
        "{at}: rows of {name} are sent without being asked for to all who may see them; read them from the replica, or mark the row type on_demand"
    )]
    NotOnDemand { at: At, name: String },
    #[error(
        "{at}: {name} can't be joined with {selected}, because not everyone who may see a {selected} may see its {name}; join only what everyone sees or what is visible in the same way"
    )]
    Hidden { at: At, name: String, selected: String },
    #[error("{at}: {row} has no field {name}; it has {known}")]
    UnknownField { at: At, row: String, name: String, known: String },
    #[error("{at}: {field} is {ty}, which can't be compared{with}; {instead}")]
    NotComparable { at: At, field: String, ty: String, with: &'static str, instead: String },
    #[error("{at}: {field} is {ty}, so it is compared with {wanted}, not with {got}")]
    Constant { at: At, field: String, ty: String, wanted: String, got: String },
    #[error(
        "{at}: {function} needs a row type that says where its entity is, and the query has none; join the spatial one, as in JOIN Position USING (entity)"
    )]
    NoPlace { at: At, function: &'static str },
    #[error("{at}: {function} takes {wanted}, finite numbers in metres")]
    Arguments { at: At, function: &'static str, wanted: &'static str },
    #[error("{what} at most {max}; {instead}")]
    Limit { what: &'static str, max: usize, instead: &'static str },
}
