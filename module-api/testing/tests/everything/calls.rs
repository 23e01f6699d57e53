//! What calls do, and who may make them.

use evertick_module::prelude::*;
use evertick_testing::{CallFailure, Settings, TestWorld};

use crate::module;
use crate::reducers::{around, count_all, make, prices, proclaim, roll, say, storm, writes};
use crate::rows::{Creature, Item, Motto, Noted, Position, Said, Weather};

#[test]
fn init_has_run() {
    let world = TestWorld::new(module());
    assert_eq!(world.resource(), Some(Weather { rain: 0.25, days: 0 }));
    assert_eq!(world.resource(), Some(Motto { text: "begin".to_owned() }));
}

#[test]
fn sessions_come_and_go() {
    let mut world = TestWorld::new(module());
    let (alice, bob) = (world.connect(), world.connect());
    assert_ne!(alice.identity, bob.identity);
    assert_eq!(world.groups(alice), [8]);
    let entity = world.player(alice).unwrap();
    world.disconnect(alice);
    assert!(!world.exists(entity) && world.player(alice).is_none());
    assert!(world.player(bob).is_some());
}

#[test]
fn connect_can_refuse() {
    let mut world = TestWorld::new(module());
    let alice = world.connect();
    let again = world.connect_as::<crate::reducers::No>(alice.identity, &[]);
    assert_eq!(again, Err(CallFailure::Refused(crate::reducers::No::Taken)));
}

#[test]
fn private_and_admin_reducers_are_guarded() {
    let mut world = TestWorld::new(module());
    let alice = world.connect();
    let admin = world.connect_as::<NoRefusal>(Identity([9; 32]), &["Admin"]).unwrap();
    assert_eq!(world.call(alice, storm::call()), Err(CallFailure::Forbidden));
    assert_eq!(world.call(admin, storm::call()), Err(CallFailure::Forbidden));
    assert_eq!(world.call_as_server(storm::call()), Ok(0.5));
    assert_eq!(world.call(alice, proclaim::call("no".to_owned())), Err(CallFailure::Forbidden));
    assert_eq!(world.call(admin, proclaim::call("yes".to_owned())), Ok("begin".to_owned()));
    assert_eq!(world.resource(), Some(Motto { text: "yes".to_owned() }));
}

#[test]
fn indexes_find_rows() {
    let mut world = TestWorld::new(module());
    let alice = world.connect();
    let items = world.call(alice, make::call(vec![12, 25, 10, 20, 5])).unwrap();
    assert_eq!(world.scan::<Item>().len(), 5);
    assert_eq!(world.get::<Item>(items[1]).unwrap().price, 25);
    assert_eq!(world.call(alice, prices::call()), Ok(vec![5, 12, 10, 12, 20, 25]));
}

#[test]
fn scans_come_in_batches_and_may_write() {
    let mut world = TestWorld::new(module());
    let alice = world.connect();
    for _ in 0..400 {
        world.spawn(Creature::new());
    }
    assert_eq!(world.call(alice, count_all::call()), Ok(400));
    assert!(world.scan::<Creature>().iter().all(|(_, creature)| creature.steps == 1));
}

#[test]
fn near_is_sorted_by_distance() {
    let mut world = TestWorld::new(module());
    let alice = world.connect();
    let me = world.player(alice).unwrap();
    let place = |x| Position { at: Vec2::new(x, 0.0) };
    let far = world.spawn((place(9.0), Creature::new()));
    let close = world.spawn((place(3.0), Creature::new()));
    world.spawn((place(90.0), Creature::new()));
    let found = world.call(alice, around::call(Vec2::new(1.0, 0.0), 10.0)).unwrap();
    assert_eq!(found, [me, close, far, close, far]);
    // More than the first guess has room for.
    for step in 0..100 {
        world.spawn(place(step as f32 / 100.0));
    }
    assert_eq!(world.call(alice, around::call(Vec2::ZERO, 2.0)).unwrap().len(), 101);
}

#[test]
fn events_are_kept_by_type() {
    let mut world = TestWorld::new(module());
    let alice = world.connect();
    world.call(alice, say::call("one".to_owned())).unwrap();
    world.call(alice, say::call("two".to_owned())).unwrap();
    let said: Vec<_> = world.events::<Said>().into_iter().map(|said| said.words).collect();
    assert_eq!(said, ["one", "two"]);
    assert_eq!(world.events::<Said>(), []);
    assert_eq!(world.events::<Noted>(), [Noted { whose: alice.identity }, Noted { whose: alice.identity }]);
}

#[test]
fn failed_writes_say_why() {
    let mut world = TestWorld::new(module());
    let alice = world.connect();
    let gone = world.spawn(());
    world.despawn(gone);
    let failures = world.call(alice, writes::call(gone)).unwrap();
    let words =
        ["the entity is gone", "another Item", "placed in space by another", "no such Item", "no such Item"];
    for (failure, words) in failures.iter().zip(words) {
        assert!(failure.contains(words), "{failure:?} should say {words:?}");
    }
}

#[test]
fn random_numbers_follow_the_seed() {
    let draw = |seed| {
        let mut world = TestWorld::with(module(), Settings { seed, ..Settings::default() });
        let alice = world.connect();
        let first = world.call(alice, roll::call()).unwrap();
        assert_ne!(first, world.call(alice, roll::call()).unwrap());
        first
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}
