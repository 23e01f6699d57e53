//! Components between ticks.

use bevy_ecs::component::Component;
use bevy_ecs::entity::Entity;
use bevy_ecs::resource::Resource;
use bevy_ecs::system::{Commands, Query, Res};
use evertick_client::Interpolated as Between;
use evertick_schema::Row;

use crate::plugin::Evertick;
use crate::replicate::ServerEntity;

/// A row as it is to be drawn: between ticks, a little in the past; see [`evertick_client::Interpolated`].
#[derive(Clone, Copy, Debug, PartialEq, Component)]
pub struct Interpolated<T: Send + Sync + 'static>(pub T);

/// Where such rows come from.
#[derive(Debug, Resource)]
pub(crate) struct Drawn<T: Row> {
    pub(crate) rows: Between<T>,
}

/// Brings components to the moment that is drawn.
pub(crate) fn interpolate<T: Row + Send + Sync>(
    session: Res<'_, Evertick>,
    drawn: Res<'_, Drawn<T>>,
    mut here: Query<'_, '_, (Entity, &ServerEntity, Option<&mut Interpolated<T>>)>,
    mut commands: Commands<'_, '_>,
) {
    let tick = session.client().render_tick();
    for (here, ServerEntity(entity), component) in &mut here {
        match (drawn.rows.at(*entity, tick), component) {
            (Some(row), Some(mut component)) => component.0 = row,
            (Some(row), None) => {
                commands.entity(here).insert(Interpolated(row));
            }
            (None, Some(_)) => {
                commands.entity(here).remove::<Interpolated<T>>();
            }
            (None, None) => {}
        }
    }
}
