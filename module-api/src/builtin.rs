//! Row types that every world has.

use evertick_schema::Identity;

use crate::component;

/// Says that an entity is the player of `identity`; an identity has at most one. [`Ctx::player`](crate::Ctx::player)
/// finds it.
#[component(module = "evertick", visible = owner(identity))]
#[derive(Copy, Eq)]
pub struct Player {
    /// Whose player it is.
    #[unique]
    pub identity: Identity,
}

/// Says that an entity belongs to `identity`, who is sent its components of visibility `owner`.
#[component(module = "evertick", visible = owner(identity))]
#[derive(Copy, Eq)]
pub struct Owner {
    /// Whose entity it is.
    #[index]
    pub identity: Identity,
}

#[cfg(test)]
mod tests {
    use evertick_schema::{Row as _, owner_row, player_row};

    use super::*;

    #[test]
    fn they_are_what_every_world_has() {
        assert_eq!(Player::def(), player_row());
        assert_eq!(Owner::def(), owner_row());
    }
}
