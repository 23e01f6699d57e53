//! The bevy plugin on a headless app, with a whole server.

use std::time::Duration;

use bevy_app::{App, Update};
use bevy_ecs::prelude::*;
use evertick_bevy::{
    ConnectionChanged, EntityMap, Evertick, EvertickPlugin, Interpolated, NotReplicated, Received, Replicate,
    Replicated, ServerEntity,
};
use evertick_client::{Client, ConnectionState, RowTypeError};
use evertick_schema::EntityId;
use glam::Vec2;
use market_module::{
    Driving, Heard, ItemKind, Listing, Place, Stall, drive, offer, set_open, shout, tear_down,
};

use crate::servers::market::{self, connect, connect_again, returns, server};
use crate::soon::until;

/// What a stall is to this game.
#[derive(Component)]
struct Door {
    open: bool,
}

#[derive(Resource, Default)]
struct Seen {
    heard: Vec<String>,
    spawned: usize,
    states: Vec<ConnectionState>,
}

fn app(client: &Client) -> App {
    let mut app = App::new();
    app.add_plugins(EvertickPlugin::new(client.clone()));
    app.replicate::<Place>().unwrap().replicate_with(|Stall { open }| Door { open }).unwrap();
    app.replicate_interpolated::<Place>().unwrap().replicate_events::<Heard>().unwrap();
    app.init_resource::<Seen>();
    app.add_systems(
        Update,
        |mut heard: MessageReader<'_, '_, Received<Heard>>, mut seen: ResMut<'_, Seen>| {
            seen.heard.extend(heard.read().map(|Received(Heard { text })| text.clone()));
        },
    );
    app.add_systems(Update, |new: Query<'_, '_, (), Added<Door>>, mut seen: ResMut<'_, Seen>| {
        seen.spawned += new.iter().count();
    });
    app.add_systems(
        Update,
        |mut changed: MessageReader<'_, '_, ConnectionChanged>, mut seen: ResMut<'_, Seen>| {
            seen.states.extend(changed.read().map(|ConnectionChanged(state)| state.clone()));
        },
    );
    app
}

/// Updates until `condition` holds.
async fn play(app: &mut App, condition: impl Fn(&mut World) -> bool) {
    let playing = async {
        loop {
            app.update();
            if condition(app.world_mut()) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), playing).await.expect("it has to come about soon");
}

fn component<C: Component + Clone>(world: &World, entity: EntityId) -> Option<C> {
    world.get::<C>(world.resource::<EntityMap>().get(entity)?).cloned()
}

/// The components are the replica's rows, neither more nor less.
fn same(world: &mut World) -> bool {
    let client = world.resource::<Evertick>().client().clone();
    let mut places: Vec<_> = client.rows::<Place>().unwrap();
    let mut all = world.query::<(&ServerEntity, &Replicated<Place>)>();
    let mut here: Vec<_> = all.iter(world).map(|(entity, place)| (entity.0, place.0.clone())).collect();
    places.sort_by_key(|(entity, _)| *entity);
    here.sort_by_key(|(entity, _)| *entity);
    let doors = world.query::<&Door>().iter(world).count();
    places == here
        && doors == client.rows::<Stall>().unwrap().len()
        && world.resource::<EntityMap>().len() == places.len()
}

#[tokio::test]
async fn the_world_is_the_replica() {
    let (_server, url) = server();
    let (client, other) = (connect(&url, "player").await, connect(&url, "other").await);
    let before = other.call(offer::call(Vec2::new(1.0, 2.0), 5, ItemKind::Bow)).await.unwrap();
    until(async || client.get::<Place>(before).unwrap().is_some()).await;
    let mut app = app(&client);
    play(&mut app, |world| component::<Replicated<Place>>(world, before).is_some()).await;

    let stall = other.call(offer::call(Vec2::new(3.0, 4.0), 5, ItemKind::Bow)).await.unwrap();
    play(&mut app, |world| component::<Replicated<Place>>(world, stall).is_some()).await;
    let here = app.world().resource::<EntityMap>().get(stall).unwrap();
    assert_eq!(app.world().get::<ServerEntity>(here), Some(&ServerEntity(stall)));
    assert!(app.world().get::<Door>(here).unwrap().open);
    assert_eq!(app.world().resource::<Seen>().spawned, 2);
    other.call(set_open::call(stall, false)).await.unwrap();
    play(&mut app, |world| !world.get::<Door>(here).unwrap().open).await;
    assert!(same(app.world_mut()));

    other.call(tear_down::call(stall)).await.unwrap();
    play(&mut app, |world| world.resource::<EntityMap>().get(stall).is_none()).await;
    assert!(app.world().get_entity(here).is_err(), "it is despawned");
    // What the game itself despawns stays away.
    let here = app.world().resource::<EntityMap>().get(before).unwrap();
    app.world_mut().despawn(here);
    other.call(set_open::call(before, false)).await.unwrap();
    other.call(shout::call("hear".to_owned())).await.unwrap();
    play(&mut app, |world| world.resource::<Seen>().heard == ["hear"]).await;
    assert!(app.world().get_entity(here).is_err());
}

#[tokio::test]
async fn what_moves_is_drawn_between_ticks_and_comes_to_rest() {
    let (_server, url) = server();
    let client = connect(&url, "player").await;
    let mut app = app(&client);
    let cart = client.call(drive::call(Vec2::new(4.0, 0.0), 20)).await.unwrap();
    let drawn =
        |world: &World| component::<Interpolated<Place>>(world, cart).map(|Interpolated(place)| place.at.x);
    play(&mut app, |world| drawn(world).is_some_and(|x| x > 0.0)).await;
    let rests =
        |world: &World| client.get::<Driving>(cart).unwrap().unwrap().ticks == 0 && drawn(world).is_some();
    play(&mut app, |world| {
        let goal = client.get::<Place>(cart).unwrap().unwrap().at.x;
        rests(world) && drawn(world).is_some_and(|x| (x - goal).abs() < 1e-3) && same(world)
    })
    .await;
}

#[tokio::test]
async fn the_world_follows_over_lost_connections_and_new_sessions() {
    let (server, url) = server();
    let (client, way) = connect_again(&url, "player").await;
    for index in 0..20 {
        client.call(offer::call(Vec2::new(index as f32, 0.0), 1, ItemKind::Sword)).await.unwrap();
    }
    let mut app = app(&client);
    play(&mut app, |world| world.resource::<EntityMap>().len() == 20 && same(world)).await;
    way.cut();
    play(&mut app, |world| {
        world
            .resource::<Seen>()
            .states
            .ends_with(&[ConnectionState::Reconnecting, ConnectionState::Connected])
    })
    .await;
    assert_eq!(returns(&client), 1);
    play(&mut app, |world| world.resource::<EntityMap>().len() == 20 && same(world)).await;

    let (_again, other) = market::server();
    way.lead_to(&other);
    server.stop().unwrap();
    play(&mut app, |world| world.resource::<EntityMap>().is_empty()).await;
    client.call(offer::call(Vec2::ZERO, 1, ItemKind::Sword)).await.unwrap();
    play(&mut app, |world| world.resource::<EntityMap>().len() == 1 && same(world)).await;
    client.close().await;
    play(&mut app, |world| world.resource::<Evertick>().state().closed().is_some()).await;
}

#[tokio::test]
async fn what_can_not_be_replicated_is_said() {
    let mut empty = App::new();
    assert_eq!(empty.replicate::<Listing>().err(), Some(NotReplicated::NoPlugin));
    let (_server, url) = server();
    let client = connect(&url, "player").await;
    let mut app = app(&client);
    let error = app.replicate::<gather_module::gather::Regrowing>().err();
    assert_eq!(error, Some(NotReplicated::Row(RowTypeError::Unknown("Regrowing"))));
}
