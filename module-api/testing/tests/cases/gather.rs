//! The example of the design: walk there, gather until it is empty, wait until it has grown back. Whoever includes these cases
//! says by `new_world` what runs the module.

use evertick_module::prelude::*;
use evertick_testing::{CallFailure, Focus, TestPlayer, TestWorld};
use gather_module::gather::{GatherRefusal, Gathered, Node, NodeDef, Regrowing, gather};
use gather_module::movement::{Bag, MoveRefusal, Position, walk};

use super::new_world;

const TREE: u32 = 7;

/// A world with a player at the origin and a tree of two charges two meters away.
fn forest() -> (TestWorld, TestPlayer, EntityId) {
    let mut world = new_world();
    world.insert(NodeDef { kind: TREE, item: 1, charges: 2, regrow_s: 30 });
    let tree = world.spawn((Node { kind: TREE, charges: 2 }, Position { at: Vec2::new(2.0, 0.0) }));
    let player = world.connect();
    (world, player, tree)
}

#[test]
fn a_player_arrives_and_looks_around() {
    let (world, player, _) = forest();
    let entity = world.player(player).unwrap();
    assert_eq!(world.get(entity), Some(Position { at: Vec2::ZERO }));
    assert_eq!(world.get(entity), Some(Owner { identity: player.identity }));
    assert_eq!(world.focus(player), Focus::Entity { entity, radius: 96.0 });
}

#[test]
fn who_comes_back_is_who_they_were() {
    let (mut world, player, tree) = forest();
    world.call(player, gather::call(tree)).unwrap();
    let entity = world.player(player);
    world.disconnect(player);
    let again = world.connect_as::<NoRefusal>(player.identity, &[]).unwrap();
    assert_eq!(world.player(again), entity);
    assert_eq!(world.get(entity.unwrap()), Some(Bag { count: 1 }));
}

#[test]
fn a_node_is_worked_until_empty_and_grows_back() {
    let (mut world, player, tree) = forest();
    let entity = world.player(player).unwrap();

    assert_eq!(world.call(player, gather::call(tree)), Ok(()));
    assert_eq!(world.get(tree), Some(Node { kind: TREE, charges: 1 }));
    assert_eq!(world.get(entity), Some(Bag { count: 1 }));
    assert_eq!(world.events::<Gathered>(), [Gathered { by: entity, node: tree }]);
    assert_eq!(world.get::<Regrowing>(tree), None);

    assert_eq!(world.call(player, gather::call(tree)), Ok(()));
    assert_eq!(world.get(tree), Some(Regrowing { at: world.now() + 30.seconds() }));
    let empty = Err(CallFailure::Refused(GatherRefusal::Empty));
    assert_eq!(world.call(player, gather::call(tree)), empty);
    assert_eq!(world.events::<Gathered>().len(), 1);

    world.advance(29.seconds());
    assert_eq!(world.get(tree), Some(Node { kind: TREE, charges: 0 }));
    world.advance(2.seconds());
    assert_eq!(world.get(tree), Some(Node { kind: TREE, charges: 2 }));
    assert_eq!(world.get::<Regrowing>(tree), None);
    assert_eq!(world.call(player, gather::call(tree)), Ok(()));
}

#[test]
fn refusals_are_typed_and_change_nothing() {
    let (mut world, player, tree) = forest();
    world.set(tree, Position { at: Vec2::new(30.0, 40.0) });
    let far = GatherRefusal::TooFar { meters: 50.0 };
    assert_eq!(far.to_string(), "50.0 m is out of reach");
    assert_eq!(world.call(player, gather::call(tree)), Err(CallFailure::Refused(far)));

    world.despawn(tree);
    let gone = Some(GatherRefusal::Gone);
    assert_eq!(world.call(player, gather::call(tree)).unwrap_err().refusal(), gone);
    assert_eq!(world.get(world.player(player).unwrap()), Some(Bag { count: 0 }));
    assert_eq!(world.events::<Gathered>(), []);
}

#[test]
fn a_refusal_undoes_what_was_written_before() {
    let (mut world, player, tree) = forest();
    // The bag is what the reducer changes last: without one it has already taken from the tree.
    world.remove::<Bag>(world.player(player).unwrap());
    let gone = Err(CallFailure::Refused(GatherRefusal::Gone));
    assert_eq!(world.call(player, gather::call(tree)), gone);
    assert_eq!(world.get(tree), Some(Node { kind: TREE, charges: 2 }));
}

#[test]
fn players_walk() {
    let (mut world, player, _) = forest();
    let entity = world.player(player).unwrap();
    let too_fast = MoveRefusal::TooFast { meters_per_s: 50.0 };
    let answer = world.call(player, walk::call(Vec2::new(30.0, 40.0)));
    assert_eq!(answer, Err(CallFailure::Refused(too_fast)));

    world.call(player, walk::call(Vec2::new(3.0, 0.0))).unwrap();
    world.advance(2.seconds());
    let at = world.get::<Position>(entity).unwrap().at;
    assert!(at.distance(Vec2::new(6.0, 0.0)) < 1e-3, "{at}");
}
