//! A world's rows as the module's types.

use evertick_schema::{EntityId, Row};
use evertick_world::World;

/// All rows of type `T`, in no particular order.
///
/// # Panics
///
/// When the world's only module has no such row type.
pub fn all<T: Row>(world: &World) -> Vec<(EntityId, T)> {
    let suffix = format!(".{}", T::NAME);
    let mut of = world.row_types().iter().filter(|row| row.name.ends_with(&suffix) || row.name == T::NAME);
    let row = of.next().unwrap_or_else(|| panic!("{} is not a row type of this world", T::NAME)).id;
    world
        .scan(row)
        .map(|(entity, bytes)| (entity, T::decode(bytes).expect("the world checks rows")))
        .collect()
}

/// The row of a resource, if it has one.
///
/// # Panics
///
/// As [`all`].
pub fn resource<T: Row>(world: &World) -> Option<T> {
    all::<T>(world).pop().map(|(_, row)| row)
}
