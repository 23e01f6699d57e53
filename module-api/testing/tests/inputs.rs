//! Inputs: at most one a session and tick, before the systems; never by a call.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "a test")]

mod game {
    use evertick_module::prelude::*;

    #[component]
    pub struct Steering {
        pub by: i32,
    }

    #[component]
    pub struct Place {
        pub x: i32,
    }

    #[derive(Debug, PartialEq, Refusal)]
    pub enum SteerRefusal {
        #[refusal("you are not in the world", missing)]
        NotHere,
        #[refusal("{by} is too far")]
        TooFar { by: i32 },
    }

    #[reducer(connect)]
    fn arrive(ctx: &mut Ctx) -> Result<(), NoRefusal> {
        ctx.spawn((Player { identity: ctx.sender() }, Steering { by: 0 }, Place { x: 0 }));
        Ok(())
    }

    #[reducer(input)]
    fn steer(ctx: &mut Ctx, by: i32) -> Result<(), SteerRefusal> {
        let player = ctx.player()?;
        ctx.set(player, Steering { by });
        ensure!(by < 100, SteerRefusal::TooFar { by });
        Ok(())
    }

    #[system]
    fn travel(mut all: Query<(&mut Place, &Steering)>) {
        all.for_each(|(place, steering)| place.x += steering.by);
    }

    pub const PLUGIN: Plugin =
        plugin! { rows: [Steering, Place], reducers: [arrive, steer], systems: [travel] };
    export_module! { name: "game", plugins: [PLUGIN] }
}

use evertick_testing::{CallFailure, TestWorld};
use game::{Place, steer};

#[test]
fn an_input_runs_at_the_next_tick_before_the_systems() {
    let mut world = TestWorld::new(game::module());
    let alice = world.connect();
    let entity = world.player(alice).unwrap();
    world.input(alice, steer::call(5));
    world.input(alice, steer::call(7));
    assert_eq!(world.get(entity), Some(Place { x: 0 }));
    world.tick();
    assert_eq!(world.get(entity), Some(Place { x: 7 }), "the newest, once");
    world.input(alice, steer::call(500));
    world.tick();
    assert_eq!(world.get(entity), Some(Place { x: 14 }), "a refusal leaves nothing");
}

#[test]
fn an_input_can_not_be_called() {
    let mut world = TestWorld::new(game::module());
    let alice = world.connect();
    assert_eq!(world.call(alice, steer::call(5)), Err(CallFailure::Forbidden));
}

#[test]
#[should_panic(expected = "arrive is not an input of module game")]
fn what_is_no_input_is_not_sent() {
    let mut world = TestWorld::new(game::module());
    let alice = world.connect();
    world.input(alice, game::arrive::call());
}
