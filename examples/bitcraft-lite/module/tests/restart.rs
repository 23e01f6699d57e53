//! What a crash of the server means to those who play.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use bitcraft_lite::accounts::{Account, Avatar, join};
use bitcraft_lite::creatures::{Creature, Roam};
use bitcraft_lite::gathering::{Bag, Node, Regrowing};
use bitcraft_lite::module;
use bitcraft_lite::movement::{Position, Walk, walk_to};
use evertick_module::prelude::*;
use evertick_testing::TestWorld;

#[test]
fn players_come_back_with_what_they_had() {
    let mut world = TestWorld::new(module());
    let alice = world.connect();
    let player = world.call(alice, join::call("Alice".into())).unwrap();
    let at = world.get::<Position>(player).unwrap().at;
    world.set(player, Bag { wood: 3, stone: 1, berries: 0 });
    let goal = (0..16)
        .map(|step| at + Vec2::from_angle(step as f32) * 2.0)
        .find(|goal| world.call(alice, walk_to::call(goal.x, goal.y)).is_ok())
        .unwrap();
    world.advance(5.seconds());
    world.call(alice, walk_to::call(at.x, at.y)).unwrap();
    assert!(world.get::<Walk>(player).is_some());

    world.restart();
    assert_eq!(world.get(player), Some(Bag { wood: 3, stone: 1, berries: 0 }));
    assert_eq!(world.get::<Position>(player), None, "nobody is connected, so no avatar stands about");
    assert_eq!(world.get::<Walk>(player), None);
    let account = world.find::<Account>(alice.identity).unwrap();
    assert_eq!((account.sessions, account.last), (0, goal));

    world.connect_as::<NoRefusal>(alice.identity, &[]).unwrap();
    assert_eq!(world.get(player), Some(Position { at: goal }));
    assert_eq!(world.get::<Avatar>(player).unwrap().name, "Alice");
    world.world().check().unwrap();
}

#[test]
fn the_island_is_the_same() {
    let mut world = TestWorld::new(module());
    let grown = (world.scan::<Creature>().len(), world.scan::<Node>());
    let bare = grown.1[0].0;
    world.set(bare, Regrowing { at: world.now() + 10.seconds() });
    world.advance(2.seconds());

    world.restart();
    assert_eq!((world.scan::<Creature>().len(), world.scan::<Node>()), grown);
    assert_eq!(world.scan::<Roam>().len(), grown.0);
    assert!(world.get::<Regrowing>(bare).is_some());
    world.advance(10.seconds());
    assert!(world.get::<Regrowing>(bare).is_none(), "it has grown back at its time");
}
