//! Which rows become which components.

use std::collections::{HashMap, HashSet};
use std::marker::PhantomData;

use bevy_app::{App, PreUpdate};
use bevy_ecs::component::Component;
use bevy_ecs::entity::Entity;
use bevy_ecs::message::Message;
use bevy_ecs::schedule::IntoScheduleConfigs;
use bevy_ecs::world::World;
use evertick_client::{Change, Client, FrameChanges, RowTypeError};
use evertick_schema::{EntityId, Row};

use crate::apply::{EntityMap, Follow, Receiver, gains, loses};
use crate::error::NotReplicated;
use crate::interpolate::{Drawn, interpolate};
use crate::plugin::{Evertick, EvertickSystems};

/// The server's name for an entity that stands for one of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Component)]
#[component(immutable)]
pub struct ServerEntity(pub EntityId);

/// A row of the server's, as the replica has it.
#[derive(Clone, Copy, Debug, PartialEq, Component)]
pub struct Replicated<T: Send + Sync + 'static>(pub T);

/// An event of the server's, as a message.
#[derive(Clone, Copy, Debug, PartialEq, Message)]
pub struct Received<T: Send + Sync + 'static>(pub T);

/// What an app is to see of the session. The app must have its [`EvertickPlugin`](crate::EvertickPlugin) already.
pub trait Replicate {
    /// Rows of type `T` as [`Replicated`] components. Once per type.
    fn replicate<T: Row + Send + Sync>(&mut self) -> Result<&mut Self, NotReplicated> {
        self.replicate_with(Replicated::<T>)
    }

    /// Rows of type `T` as such, where the type is a component. Once per type.
    fn replicate_as<T: Row + Component>(&mut self) -> Result<&mut Self, NotReplicated> {
        self.replicate_with(|row: T| row)
    }

    /// Rows of type `T` as components that `make` makes of them. Each component type can come of one row type only.
    fn replicate_with<T: Row + Send + Sync, C: Component>(
        &mut self,
        make: impl FnMut(T) -> C + Send + Sync + 'static,
    ) -> Result<&mut Self, NotReplicated>;

    /// Rows of type `T` as [`Interpolated`](crate::Interpolated) components besides, on entities that are there by a row that is
    /// replicated.
    fn replicate_interpolated<T: Row + Send + Sync>(&mut self) -> Result<&mut Self, NotReplicated>;

    /// Events of type `T` as messages [`Received`].
    fn replicate_events<T: Row + Send + Sync>(&mut self) -> Result<&mut Self, NotReplicated>;
}

impl Replicate for App {
    fn replicate_with<T: Row + Send + Sync, C: Component>(
        &mut self,
        make: impl FnMut(T) -> C + Send + Sync + 'static,
    ) -> Result<&mut Self, NotReplicated> {
        client::<T>(self)?;
        let has = HashSet::new();
        self.world_mut().resource_mut::<Receiver>().add(Rows { make, has, types: PhantomData });
        Ok(self)
    }

    fn replicate_interpolated<T: Row + Send + Sync>(&mut self) -> Result<&mut Self, NotReplicated> {
        let rows = client::<T>(self)?.interpolated::<T>()?;
        self.insert_resource(Drawn { rows });
        self.add_systems(PreUpdate, interpolate::<T>.in_set(EvertickSystems::Interpolate));
        Ok(self)
    }

    fn replicate_events<T: Row + Send + Sync>(&mut self) -> Result<&mut Self, NotReplicated> {
        client::<T>(self)?;
        self.add_message::<Received<T>>();
        self.world_mut().resource_mut::<Receiver>().add(Events(PhantomData::<fn() -> T>));
        Ok(self)
    }
}

/// The app's client, which must have rows of type `T`.
fn client<T: Row>(app: &App) -> Result<Client, NotReplicated> {
    let session = app.world().get_resource::<Evertick>().ok_or(NotReplicated::NoPlugin)?;
    session.client.view(|view| view.rows::<T>().map(drop)).map_err(|error: RowTypeError| error)?;
    Ok(session.client.clone())
}

fn known(world: &World, entity: EntityId) -> Option<Entity> {
    world.resource::<EntityMap>().get(entity)
}

/// Rows of type `T` as components `C`.
struct Rows<T, C, F> {
    make: F,
    has: HashSet<EntityId>,
    types: PhantomData<fn(T) -> C>,
}

impl<T: Row, C: Component, F: FnMut(T) -> C> Rows<T, C, F> {
    fn set(&mut self, entity: EntityId, row: T, world: &mut World) {
        let here = match self.has.insert(entity) {
            true => Some(gains(world, entity)),
            false => known(world, entity),
        };
        // The game may have despawned it; then it stays away.
        if let Some(mut here) = here.and_then(|here| world.get_entity_mut(here).ok()) {
            here.insert((self.make)(row));
        }
    }

    fn remove(&mut self, entity: EntityId, world: &mut World) {
        if self.has.remove(&entity) {
            if let Some(mut here) = known(world, entity).and_then(|here| world.get_entity_mut(here).ok()) {
                here.remove::<C>();
            }
            loses(world, entity);
        }
    }
}

impl<T: Row, C: Component, F: FnMut(T) -> C + Send + Sync> Follow for Rows<T, C, F> {
    fn frame(&mut self, frame: &FrameChanges, world: &mut World) {
        for change in frame.of::<T>().into_iter().flatten() {
            match change {
                Change::Inserted { entity, row } | Change::Updated { entity, row, .. } => {
                    self.set(entity, row, world);
                }
                Change::Removed { entity, .. } => self.remove(entity, world),
            }
        }
    }

    fn anew(&mut self, client: &Client, world: &mut World) {
        let rows: HashMap<EntityId, T> = client.rows::<T>().into_iter().flatten().collect();
        let gone: Vec<EntityId> =
            self.has.iter().filter(|entity| !rows.contains_key(entity)).copied().collect();
        gone.into_iter().for_each(|entity| self.remove(entity, world));
        rows.into_iter().for_each(|(entity, row)| self.set(entity, row, world));
    }
}

/// Events of type `T` as messages.
struct Events<T>(PhantomData<fn() -> T>);

impl<T: Row + Send + Sync> Follow for Events<T> {
    fn frame(&mut self, frame: &FrameChanges, world: &mut World) {
        for event in frame.events::<T>().into_iter().flatten() {
            world.write_message(Received(event));
        }
    }

    /// Events that were missed are gone.
    fn anew(&mut self, _: &Client, _: &mut World) {}
}
