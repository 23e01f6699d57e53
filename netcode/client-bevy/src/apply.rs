//! From frames to entities and components.

use std::collections::HashMap;
use std::fmt;

use bevy_ecs::entity::Entity;
use bevy_ecs::resource::Resource;
use bevy_ecs::world::{Mut, World};
use evertick_client::{ChangeStream, Client, FrameChanges, StreamError};
use evertick_schema::EntityId;

use crate::plugin::{ConnectionChanged, Evertick};
use crate::replicate::ServerEntity;

/// Which entity here is which on the server.
#[derive(Debug, Default, Resource)]
pub struct EntityMap {
    entities: HashMap<EntityId, Known>,
    /// Entities that have lost a row in this frame.
    bereft: Vec<EntityId>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    here: Entity,
    /// How many row types it has.
    rows: usize,
}

impl EntityMap {
    /// The entity here that stands for the server's, if it is in sight with a row that is replicated.
    pub fn get(&self, entity: EntityId) -> Option<Entity> {
        self.entities.get(&entity).map(|known| known.here)
    }

    /// All of them, in no order. From one here to the server's leads its [`ServerEntity`].
    pub fn iter(&self) -> impl Iterator<Item = (EntityId, Entity)> {
        self.entities.iter().map(|(entity, known)| (*entity, known.here))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entities.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entities.is_empty()
    }
}

/// An entity is about to get a row that it has not had. Spawns it when it is the first.
pub(crate) fn gains(world: &mut World, entity: EntityId) -> Entity {
    let known = world.resource_mut::<EntityMap>().entities.get_mut(&entity).map(|known| {
        known.rows += 1;
        known.here
    });
    known.unwrap_or_else(|| {
        let here = world.spawn(ServerEntity(entity)).id();
        world.resource_mut::<EntityMap>().entities.insert(entity, Known { here, rows: 1 });
        here
    })
}

/// An entity has lost a row.
pub(crate) fn loses(world: &mut World, entity: EntityId) {
    let mut map = world.resource_mut::<EntityMap>();
    if let Some(known) = map.entities.get_mut(&entity) {
        known.rows -= 1;
        map.bereft.push(entity);
    }
}

/// Despawns those that have no row left.
fn bury(world: &mut World) {
    for entity in std::mem::take(&mut world.resource_mut::<EntityMap>().bereft) {
        let mut map = world.resource_mut::<EntityMap>();
        if let Some(known) = map.entities.get(&entity).copied().filter(|known| known.rows == 0) {
            map.entities.remove(&entity);
            // The game may have despawned it.
            let _gone = world.try_despawn(known.here);
        }
    }
}

/// What follows the rows or events of one type.
pub(crate) trait Follow: Send + Sync {
    /// Does what a frame did.
    fn frame(&mut self, frame: &FrameChanges, world: &mut World);

    /// Comes to what the replica has now.
    fn anew(&mut self, client: &Client, world: &mut World);
}

/// What comes from the session.
#[derive(Resource)]
pub(crate) struct Receiver {
    changes: ChangeStream,
    follow: Vec<Box<dyn Follow>>,
    /// Those behind this number have not begun.
    begun: usize,
}

impl Receiver {
    pub(crate) fn new(client: &Client) -> Self {
        Self { changes: client.changes(), follow: Vec::new(), begun: 0 }
    }

    pub(crate) fn add(&mut self, follow: impl Follow + 'static) {
        self.follow.push(Box::new(follow));
    }

    fn receive(&mut self, world: &mut World, client: &Client) {
        let Self { changes, follow, begun } = self;
        for new in &mut follow[*begun..] {
            new.anew(client, world);
        }
        *begun = follow.len();
        loop {
            match changes.try_next() {
                Ok(Some(frame)) => follow.iter_mut().for_each(|follow| follow.frame(&frame, world)),
                // The replica has what was missed. Frames that come yet may be older than that; they lead to the same end.
                Err(StreamError::Lagged(_)) => {
                    follow.iter_mut().for_each(|follow| follow.anew(client, world));
                }
                Ok(None) | Err(StreamError::Disconnected(_)) => break,
            }
            bury(world);
        }
        bury(world);
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("types", &self.follow.len()).finish_non_exhaustive()
    }
}

/// Brings the world to what the replica shows, and tells of the connection.
pub(crate) fn receive(world: &mut World) {
    let mut session = world.resource_mut::<Evertick>();
    let (client, state) = (session.client.clone(), session.client.state());
    if session.state != state {
        session.state = state.clone();
        world.write_message(ConnectionChanged(state));
    }
    world.resource_scope(|world, mut receiver: Mut<'_, Receiver>| {
        receiver.receive(world, &client);
    });
}
