//! What the world knows of a row type.

use std::fmt;

use evertick_schema::{RowDef, RowKind, RowLayout};

/// Names a row type within one world: its position in [`crate::World::row_types`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub u16);

impl RowId {
    /// The row type's position.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row type {}", self.0)
    }
}

/// A registered row type.
#[derive(Clone, Debug)]
pub struct RowType {
    /// Its number.
    pub id: RowId,
    /// `module.Row`.
    pub name: String,
    /// The description it was registered with; its name is the unqualified one.
    pub def: RowDef,
    /// Where its fields lie.
    pub layout: RowLayout,
}

impl RowType {
    /// The mask that has the bit of every field.
    pub fn all_fields(&self) -> u64 {
        match self.layout.fields.len() {
            64.. => u64::MAX,
            count => (1 << count) - 1,
        }
    }

    /// Whether its rows are keyed by entity, so that an entity can be given one.
    pub fn is_component(&self) -> bool {
        self.def.kind == RowKind::Component
    }
}
