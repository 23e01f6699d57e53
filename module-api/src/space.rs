//! Where things are and what sessions look at.

use evertick_schema::EntityId;
use glam::{Vec2, Vec3};

/// A point of a coordinate space, in meters on the ground plane.
///
/// A `Vec2` is a point of space 0, a `Vec3` too (its x and z; y is up), and `(space, point)` one of another space.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Place {
    /// The coordinate space; 0 is the overworld.
    pub space: u32,
    /// The point in it.
    pub at: Vec2,
}

impl From<Vec2> for Place {
    fn from(at: Vec2) -> Self {
        Self { space: 0, at }
    }
}

impl From<Vec3> for Place {
    fn from(at: Vec3) -> Self {
        Self { space: 0, at: Vec2::new(at.x, at.z) }
    }
}

impl From<(u32, Vec2)> for Place {
    fn from((space, at): (u32, Vec2)) -> Self {
        Self { space, at }
    }
}

impl From<(u32, Vec3)> for Place {
    fn from((space, at): (u32, Vec3)) -> Self {
        Self { space, ..Self::from(at) }
    }
}

/// What a session looks at: it is sent what is near.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Focus {
    /// Nothing in space.
    None,
    /// Wherever the entity is.
    Entity {
        /// The entity.
        entity: EntityId,
        /// How far it sees, in meters.
        radius: f32,
    },
    /// A fixed point.
    Point {
        /// The point.
        place: Place,
        /// How far it sees, in meters.
        radius: f32,
    },
}
