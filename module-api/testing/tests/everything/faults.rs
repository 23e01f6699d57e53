//! Panics of a module cost it the call, and nobody else anything.

use evertick_module::prelude::*;
use evertick_testing::{CallFailure, TestWorld};

use crate::module;
use crate::rows::Creature;

#[component]
pub struct Cursed {
    pub by: u32,
}

#[reducer]
fn divide(ctx: &mut Ctx, creature: EntityId, by: u32) -> Result<u32, NoRefusal> {
    ctx.despawn(creature);
    Ok(quotient(by))
}

#[inline(never)]
fn quotient(by: u32) -> u32 {
    assert!(by > 0, "can't divide by {by}");
    12 / by
}

#[reducer]
fn set_on_nothing(ctx: &mut Ctx, entity: EntityId) -> Result<(), NoRefusal> {
    ctx.set(entity, Cursed { by: 3 });
    Ok(())
}

#[system]
fn curse(mut cursed: Query<(&mut Cursed, &mut Creature)>) {
    for (cursed, creature) in &mut cursed {
        creature.steps += 1;
        cursed.by = quotient(cursed.by);
    }
}

pub const PLUGIN: Plugin = plugin! { rows: [Cursed], reducers: [divide, set_on_nothing], systems: [curse] };

#[test]
fn a_panic_is_an_internal_failure_with_a_backtrace() {
    let mut world = TestWorld::new(module());
    let alice = world.connect();
    let creature = world.spawn(Creature::new());
    let Err(CallFailure::Internal { message, backtrace }) = world.call(alice, divide::call(creature, 0))
    else {
        panic!("it should have panicked");
    };
    assert!(message.contains("can't divide by 0") && message.contains("faults.rs:"), "{message}");
    assert!(backtrace.contains("quotient"), "{backtrace}");
    assert!(world.exists(creature), "nothing of the call remains");
    assert_eq!(world.call(alice, divide::call(creature, 4)), Ok(3));
}

#[test]
fn misuse_says_what_to_do() {
    let mut world = TestWorld::new(module());
    let alice = world.connect();
    let gone = world.spawn(());
    world.despawn(gone);
    let failure = world.call(alice, set_on_nothing::call(gone)).unwrap_err().to_string();
    assert!(failure.contains("find out with `ctx.get` first"), "{failure}");
}

#[test]
fn a_systems_panic_undoes_its_run() {
    let mut world = TestWorld::new(module());
    let cursed = world.spawn((Cursed { by: 0 }, Creature::new()));
    let faults = world.advance_with_faults(50.millis());
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].name, "everything.curse");
    assert!(faults[0].fault.message.contains("can't divide by 0"));
    assert_eq!(world.get::<Creature>(cursed), Some(Creature::new()));
    world.set(cursed, Cursed { by: 6 });
    world.tick();
    assert_eq!(world.get::<Creature>(cursed).unwrap().steps, 1);
    assert_eq!(world.get(cursed), Some(Cursed { by: 2 }));
}

#[test]
#[should_panic(expected = "can't divide by 0")]
fn unexpected_faults_fail_the_test() {
    let mut world = TestWorld::new(module());
    world.spawn((Cursed { by: 0 }, Creature::new()));
    world.tick();
}
