//! Players that steer: what moves them, what stops them, and that their clients can foretell it.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use bitcraft_lite::accounts::join;
use bitcraft_lite::module;
use bitcraft_lite::movement::{Position, WALK_SPEED, Walk, stop, walk_to};
use bitcraft_lite::steering::{Body, Steering, steer, stride};
use bitcraft_lite::terrain::{Terrain, WorldInfo};
use evertick_module::prelude::*;
use evertick_testing::{TestPlayer, TestWorld};

/// The length of a tick in seconds.
const TICK: f32 = 0.05;
/// Rounding over a few dozen steps, in metres.
const ROUNDING: f32 = 1e-3;

fn joined() -> (TestWorld, TestPlayer, EntityId) {
    let mut world = TestWorld::new(module());
    let alice = world.connect();
    let player = world.call(alice, join::call("Alice".into())).unwrap();
    (world, alice, player)
}

fn place(world: &TestWorld, player: EntityId) -> Vec2 {
    let (body, position) = (world.get::<Body>(player).unwrap(), world.get::<Position>(player).unwrap());
    assert_eq!(body.at, position.at, "what the owner is told is what others see");
    position.at
}

fn terrain(world: &TestWorld) -> Terrain {
    Terrain::new(world.resource::<WorldInfo>().unwrap().seed)
}

/// A direction in which there is land for `meters`.
fn dry(world: &TestWorld, from: Vec2, meters: f32) -> Vec2 {
    let mut directions = (0..64).map(|step| Vec2::from_angle(step as f32 * 0.1));
    let terrain = terrain(world);
    directions.find(|way| terrain.is_walkable(from, from + *way * meters)).unwrap()
}

#[test]
fn an_input_a_tick_moves_as_foretold() {
    let (mut world, alice, player) = joined();
    let start = place(&world, player);
    let way = dry(&world, start, 8.0);
    let mut foretold = world.get::<Body>(player).unwrap();
    for tick in 0..20 {
        // One in four is lost; one goes on as before.
        if tick % 4 != 3 {
            world.input(alice, steer::call(way));
        }
        stride(&mut foretold, way, TICK);
        world.tick();
        assert_eq!(world.get::<Body>(player), Some(foretold.clone()), "tick {tick}");
    }
    assert!((place(&world, player).distance(start) - WALK_SPEED).abs() < ROUNDING, "a second's walk");

    world.input(alice, steer::call(Vec2::ZERO));
    world.advance(1.seconds());
    assert_eq!(place(&world, player), foretold.at, "zero stops");
    assert_eq!(world.get::<Steering>(player), None);
}

#[test]
fn who_is_heard_of_no_more_goes_on_for_a_moment_only() {
    let (mut world, alice, player) = joined();
    let start = place(&world, player);
    let way = dry(&world, start, 8.0);
    world.input(alice, steer::call(way));
    world.advance(10.seconds());
    let meters = place(&world, player).distance(start);
    assert!((0.2..=WALK_SPEED * 0.3 + ROUNDING).contains(&meters), "{meters} m");
    assert_eq!(world.get::<Steering>(player), None);
}

#[test]
fn steering_ends_a_walk_and_a_walk_steering() {
    let (mut world, alice, player) = joined();
    let start = place(&world, player);
    let way = dry(&world, start, 12.0);
    let goal = start + way * 10.0;
    world.call(alice, walk_to::call(goal.x, goal.y)).unwrap();
    world.advance(Duration::from_millis(500));
    let on_the_way = place(&world, player);
    assert!(on_the_way.distance(start) > 1.0);

    world.input(alice, steer::call(Vec2::ZERO));
    world.tick();
    assert!(world.get::<Walk>(player).is_some(), "a key that was let go ends no walk");
    world.input(alice, steer::call(-way));
    world.advance(Duration::from_millis(200));
    assert_eq!(world.get::<Walk>(player), None);
    let back = place(&world, player);
    assert!(
        back.distance(goal) > on_the_way.distance(goal) + 0.5,
        "the way back, from {on_the_way} to {back}"
    );

    world.call(alice, walk_to::call(goal.x, goal.y)).unwrap();
    assert_eq!(world.get::<Steering>(player), None);
    world.advance(5.seconds());
    assert_eq!(place(&world, player), goal);

    world.input(alice, steer::call(-way));
    world.tick();
    world.call(alice, stop::call()).unwrap();
    let here = place(&world, player);
    world.advance(1.seconds());
    assert_eq!(place(&world, player), here);
}

#[test]
fn nobody_is_faster_than_a_walk_or_is_led_astray() {
    let (mut world, alice, player) = joined();
    let start = place(&world, player);
    let way = dry(&world, start, 8.0);
    for long in [way * 3.0, way * 1e6, way * f32::MAX] {
        let from = place(&world, player);
        world.input(alice, steer::call(long));
        world.tick();
        let meters = place(&world, player).distance(from);
        assert!((meters - WALK_SPEED * TICK).abs() < ROUNDING, "{long} leads {meters} m far");
    }
    let from = place(&world, player);
    world.input(alice, steer::call(way * 0.5));
    world.tick();
    let meters = place(&world, player).distance(from);
    assert!((meters - WALK_SPEED * TICK * 0.5).abs() < ROUNDING, "half as fast");

    let body = world.get::<Body>(player).unwrap();
    for nowhere in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for toward in [Vec2::new(nowhere, 1.0), Vec2::new(0.0, nowhere), Vec2::splat(nowhere)] {
            let mut same = body.clone();
            stride(&mut same, toward, TICK);
            assert_eq!(same, body, "{toward} leads nowhere");
        }
    }
}

#[test]
fn water_stops_whoever_steers_as_it_stops_walks() {
    let (mut world, alice, player) = joined();
    let terrain = terrain(&world);
    // Every direction ends at the sea: the longest way is the edge of the world.
    for direction in 0..8 {
        let way = Vec2::from_angle(direction as f32 * std::f32::consts::FRAC_PI_4);
        let mut last = place(&world, player);
        for _ in 0..20 * 200 {
            world.input(alice, steer::call(way));
            world.tick();
            let here = place(&world, player);
            assert!(terrain.is_walkable(last, here), "no step through water, from {last} to {here}");
            assert!(here.distance(last) <= WALK_SPEED * TICK + ROUNDING);
            if here == last {
                break;
            }
            last = here;
        }
        let ahead = last + way * WALK_SPEED * TICK;
        assert!(!terrain.is_walkable(last, ahead), "stopped at {last} though {ahead} is dry");
    }
}

#[test]
fn nobody_steers_before_joining_or_after_leaving() {
    let (mut world, alice, player) = joined();
    let stranger = world.connect();
    world.input(stranger, steer::call(Vec2::X));
    world.tick();
    assert_eq!(world.scan::<Steering>().len(), 0);

    world.input(alice, steer::call(Vec2::X));
    world.tick();
    world.disconnect(alice);
    assert_eq!((world.get::<Body>(player), world.get::<Steering>(player)), (None, None));
    world.advance(1.seconds());
    world.world().check().unwrap();
}
