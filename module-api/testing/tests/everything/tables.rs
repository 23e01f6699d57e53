//! Rows by key.

use evertick_testing::{CallFailure, TestPlayer, TestWorld};

use crate::module;
use crate::reducers::{No, rename, transfer};
use crate::rows::Account;

fn bank() -> (TestWorld, TestPlayer) {
    let mut world = TestWorld::new(module());
    let (alice, bob) = (world.connect(), world.connect());
    world.call(alice, rename::call("alice".to_owned())).unwrap();
    world.call(bob, rename::call("bob".to_owned())).unwrap();
    (world, alice)
}

fn gold(world: &TestWorld, name: &str) -> Option<u64> {
    world.find::<Account>(name.to_owned()).map(|account| account.gold)
}

fn pay(world: &mut TestWorld, player: TestPlayer, to: &str, gold: u64) -> Result<u64, CallFailure<No>> {
    world.call(player, transfer::call("alice".to_owned(), to.to_owned(), gold))
}

#[test]
fn rows_are_found_and_changed_by_key() {
    let (mut world, alice) = bank();
    assert_eq!(world.scan::<Account>().len(), 2);
    assert_eq!(pay(&mut world, alice, "bob", 30), Ok(70));
    assert_eq!((gold(&world, "alice"), gold(&world, "bob")), (Some(70), Some(130)));
}

#[test]
fn a_refusal_in_the_middle_undoes_all() {
    let (mut world, alice) = bank();
    assert_eq!(pay(&mut world, alice, "nobody", 30), Err(CallFailure::Refused(No::Gone)));
    assert_eq!(pay(&mut world, alice, "bob", 130), Err(CallFailure::Refused(No::Poor { short: 30 })));
    assert_eq!((gold(&world, "alice"), gold(&world, "bob")), (Some(100), Some(100)));
}

#[test]
fn a_key_is_taken_once() {
    let (mut world, alice) = bank();
    let taken = world.call(alice, rename::call("bob".to_owned()));
    assert_eq!(taken, Err(CallFailure::Refused(No::Taken)));
    assert_eq!(gold(&world, "alice"), Some(100));
    assert_eq!(world.call(alice, rename::call("eve".to_owned())), Ok(()));
    assert_eq!((gold(&world, "alice"), gold(&world, "eve")), (None, Some(100)));
}
