//! Plans and refusals, as people read them.

use std::fmt;

use thiserror::Error;

use super::Migration;
use super::fields::Notes;

impl fmt::Display for Migration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.changes.is_empty() {
            return write!(f, "module {}: stored rows stay as they are", self.module);
        }
        write!(f, "module {}:", self.module)?;
        self.changes.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

/// Why stored rows can't be brought to the new module's shape: every reason, and the plan without them. Nothing
/// was changed; the old module still runs on what is stored.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct MigrationRefused {
    module: String,
    problems: Vec<String>,
    changes: Vec<String>,
}

impl MigrationRefused {
    pub(super) fn new(module: &str, notes: Notes) -> Self {
        Self { module: module.to_owned(), problems: notes.problems, changes: notes.changes }
    }

    /// The reasons, each with its place, in the order of the new module's row types.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// A row type that is in the way, for the advice.
    fn example(&self) -> &str {
        let place = self.problems.first().map_or("Row", String::as_str);
        place.split(['.', ':']).next().unwrap_or(place)
    }
}

impl fmt::Display for MigrationRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = self.example();
        write!(f, "what is stored does not fit the new version of module {}:", self.module)?;
        self.problems.iter().try_for_each(|line| write!(f, "\n  ! {line}"))?;
        if !self.changes.is_empty() {
            f.write_str("\nthe rest of the plan:")?;
            self.changes.iter().try_for_each(|line| write!(f, "\n  {line}"))?;
        }
        write!(
            f,
            "\nnothing was changed, and the old module still runs on what is stored. An upgrade reducer can do it: \
             keep the old shape under another name (`#[was(\"{row}\")] struct {row}Before`), let the new shape \
             have the name {row}, and make rows of the one from rows of the other in `#[reducer(upgrade)]`"
        )
    }
}
