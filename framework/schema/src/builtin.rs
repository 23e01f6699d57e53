//! Row types that every world has.

use crate::description::{IndexDef, IndexKind, RowDef, RowKind, Visibility};
use crate::types::{FieldDef, Type};

/// The name of the row type that says whose player an entity is.
pub const PLAYER: &str = "evertick.Player";

/// The name of the row type that says who owns an entity.
pub const OWNER: &str = "evertick.Owner";

/// `evertick.Player { identity }`: this entity is the player of `identity`. An identity has at most one.
pub fn player_row() -> RowDef {
    identity_row(PLAYER, Visibility::Owner { field: Some(0) }, true)
}

/// `evertick.Owner { identity }`: rows of this entity that only the owner may see go to `identity`.
pub fn owner_row() -> RowDef {
    identity_row(OWNER, Visibility::Owner { field: Some(0) }, false)
}

fn identity_row(name: &str, visible: Visibility, unique: bool) -> RowDef {
    RowDef {
        visible,
        indexes: vec![IndexDef { field: 0, kind: IndexKind::Hash, unique }],
        ..RowDef::new(name, RowKind::Component, vec![FieldDef::new("identity", Type::Identity)])
    }
}
