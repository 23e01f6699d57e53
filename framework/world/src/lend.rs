//! Lends a world to bevy's scheduler and its systems.
//!
//! A schedule hands out bevy's world and nothing else. So while one runs, the [`Store`] is a resource in there:
//! systems read it as such ([`Reads::lent`]), and where a system has bevy's world to itself it becomes a whole
//! [`World`] again ([`World::within`]).

use bevy_ecs::resource::Resource;

use crate::config::Config;
use crate::reads::Reads;
use crate::store::Store;
use crate::world::World;

/// The store while it is lent.
#[derive(Resource)]
pub(crate) struct Lent {
    store: Store,
    /// What stands in for bevy's world while a whole world is made of it.
    blank: bevy_ecs::world::World,
}

impl World {
    /// Runs `f` on bevy's world with the store in it.
    pub(crate) fn lend<T>(&mut self, f: impl FnOnce(&mut bevy_ecs::world::World) -> T) -> T {
        let store = std::mem::replace(&mut self.store, Store::new(Config::default()));
        let blank = self.blank.take().unwrap_or_default();
        self.ecs.insert_resource(Lent { store, blank });
        let result = f(&mut self.ecs);
        let Lent { store, blank } = take(&mut self.ecs);
        (self.store, self.blank) = (store, Some(blank));
        result
    }

    /// Runs `f` on the whole world, whose store is lent to `ecs`. Cost: about a microsecond.
    pub(crate) fn within<T>(ecs: &mut bevy_ecs::world::World, f: impl FnOnce(&mut Self) -> T) -> T {
        let Lent { store, blank } = take(ecs);
        let mut world = Self { ecs: std::mem::replace(ecs, blank), store, blank: None };
        let result = f(&mut world);
        let Self { ecs: own, store, .. } = world;
        let blank = std::mem::replace(ecs, own);
        ecs.insert_resource(Lent { store, blank });
        result
    }
}

fn take(ecs: &mut bevy_ecs::world::World) -> Lent {
    ecs.remove_resource::<Lent>().expect("the store is lent while a schedule runs")
}

impl<'w> Reads<'w> {
    /// Reads a world whose store is lent to `ecs`.
    pub(crate) fn lent(ecs: &'w bevy_ecs::world::World) -> Self {
        Self { ecs, store: &ecs.resource::<Lent>().store }
    }
}
