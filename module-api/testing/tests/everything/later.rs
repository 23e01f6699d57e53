//! Timers and detached calls.

use evertick_module::prelude::*;
use evertick_testing::{CallFailure, TestWorld};

use crate::module;
use crate::reducers::No;
use crate::rows::{Creature, Said};

#[component]
pub struct Fuse {
    pub timer: TimerId,
}

#[reducer]
fn light(ctx: &mut Ctx, seconds: u32) -> Result<EntityId, No> {
    let bomb = ctx.spawn(());
    let timer = ctx.after(seconds.seconds(), explode::call(bomb, "boom".to_owned()));
    ctx.set(bomb, Fuse { timer });
    Ok(bomb)
}

#[reducer]
fn defuse(ctx: &mut Ctx, bomb: EntityId) -> Result<bool, No> {
    let timer = ctx.get::<Fuse>(bomb)?.timer;
    Ok(ctx.cancel(timer))
}

#[reducer(private)]
fn explode(ctx: &mut Ctx, bomb: EntityId, words: String) -> Result<(), NoRefusal> {
    assert!(!ctx.sender().is_some() && ctx.session() == SessionId::NONE, "the server calls");
    ctx.despawn(bomb);
    ctx.emit(Said { words });
    Ok(())
}

/// Fails, and counts how often.
#[reducer]
fn guess(ctx: &mut Ctx, creature: EntityId) -> Result<(), No> {
    ctx.update(creature, |creature: &mut Creature| creature.steps += 100)?;
    ctx.detached(count_failure::call(creature));
    Err(No::Gone)
}

#[reducer(private)]
fn count_failure(ctx: &mut Ctx, creature: EntityId) -> Result<(), No> {
    assert!(ctx.sender().is_some(), "the same caller calls");
    ctx.update(creature, |creature: &mut Creature| creature.steps += 1)?;
    Ok(())
}

pub const PLUGIN: Plugin = plugin! { rows: [Fuse], reducers: [light, defuse, explode, guess, count_failure] };

#[test]
fn a_timer_calls_at_its_time() {
    let mut world = TestWorld::new(module());
    let alice = world.connect();
    let bomb = world.call(alice, light::call(3)).unwrap();
    world.advance(2_950.millis());
    assert!(world.exists(bomb));
    world.tick();
    assert!(!world.exists(bomb));
    assert_eq!(world.events::<Said>(), [Said { words: "boom".to_owned() }]);
}

#[test]
fn a_timer_can_be_taken_back() {
    let mut world = TestWorld::new(module());
    let alice = world.connect();
    let bomb = world.call(alice, light::call(3)).unwrap();
    assert_eq!(world.call(alice, defuse::call(bomb)), Ok(true));
    assert_eq!(world.call(alice, defuse::call(bomb)), Ok(false));
    world.advance(5.seconds());
    assert!(world.exists(bomb));
}

#[test]
fn a_detached_call_survives_the_refusal() {
    let mut world = TestWorld::new(module());
    let alice = world.connect();
    let creature = world.spawn(Creature::new());
    assert_eq!(world.call(alice, guess::call(creature)), Err(CallFailure::Refused(No::Gone)));
    assert_eq!(world.get::<Creature>(creature).unwrap().steps, 1);
}
