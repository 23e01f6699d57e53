//! What is left after a crash, and what another version of the module makes of it.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "tests")]

use evertick_module::prelude::*;
use evertick_testing::TestWorld;

mod first {
    use evertick_module::prelude::*;

    #[component]
    pub struct Bag {
        pub coins: u32,
        pub gems: u32,
    }

    #[component(checkpoint = "2s", spatial)]
    pub struct Position {
        pub at: Vec2,
    }

    #[component(transient)]
    pub struct Path {
        pub to: Vec<Vec2>,
    }

    #[table(key = name)]
    pub struct Account {
        pub name: String,
        pub level: u16,
    }

    #[resource]
    pub struct Tally {
        pub left: u32,
        pub rung: u32,
        pub dice: u64,
    }

    #[reducer(init)]
    fn begin(ctx: &mut Ctx) -> Result<(), NoRefusal> {
        ctx.set_resource(Tally { left: 0, rung: 0, dice: 0 });
        Ok(())
    }

    #[reducer(disconnect)]
    fn leave(ctx: &mut Ctx) -> Result<(), NoRefusal> {
        if let Ok(mut tally) = ctx.resource::<Tally>() {
            tally.left += 1;
            ctx.set_resource(tally);
        }
        Ok(())
    }

    #[reducer]
    fn ring_later(ctx: &mut Ctx) -> Result<(), NoRefusal> {
        ctx.after(3.seconds(), ring::call(2));
        Ok(())
    }

    #[reducer]
    fn moan_later(ctx: &mut Ctx) -> Result<(), NoRefusal> {
        ctx.after(3.seconds(), moan::call());
        Ok(())
    }

    #[reducer(private)]
    fn moan(_ctx: &mut Ctx) -> Result<(), NoRefusal> {
        Ok(())
    }

    #[reducer(private)]
    fn ring(ctx: &mut Ctx, times: u32) -> Result<(), NoRefusal> {
        if let Ok(mut tally) = ctx.resource::<Tally>() {
            tally.rung += times;
            ctx.set_resource(tally);
        }
        Ok(())
    }

    #[reducer]
    fn roll(ctx: &mut Ctx) -> Result<u64, NoRefusal> {
        Ok(ctx.rng().u64())
    }

    const PLUGIN: Plugin = plugin! {
        rows: [Bag, Position, Path, Account, Tally],
        reducers: [begin, leave, ring_later, moan_later, moan, ring, roll],
    };

    export_module! { name: "game", plugins: [PLUGIN] }
}

mod second {
    use evertick_module::prelude::*;

    #[table(key = name)]
    pub struct Account {
        pub name: String,
        #[default("none")]
        pub guild: String,
        #[was("level")]
        #[unique]
        pub rank: u32,
    }

    /// The shape before, for the upgrade.
    #[component]
    #[was("Bag")]
    pub struct BagBefore {
        pub coins: u32,
        pub gems: u32,
    }

    #[component]
    pub struct Bag {
        pub worth: u64,
    }

    #[component(checkpoint = "2s", spatial)]
    pub struct Position {
        pub at: Vec2,
    }

    #[resource]
    pub struct Tally {
        pub rung: u32,
        pub left: u32,
        #[default]
        pub upgrades: u32,
    }

    #[reducer(upgrade)]
    fn count_worth(ctx: &mut Ctx) -> Result<(), NoRefusal> {
        let bags: Vec<_> = ctx.scan::<BagBefore>().collect();
        for (entity, bag) in bags {
            ctx.set(entity, Bag { worth: u64::from(bag.coins) + 100 * u64::from(bag.gems) });
            ctx.remove::<BagBefore>(entity);
        }
        if let Ok(mut tally) = ctx.resource::<Tally>() {
            tally.upgrades += 1;
            ctx.set_resource(tally);
        }
        Ok(())
    }

    #[reducer(private)]
    fn ring(ctx: &mut Ctx, times: u32) -> Result<(), NoRefusal> {
        if let Ok(mut tally) = ctx.resource::<Tally>() {
            tally.rung += 10 * times;
            ctx.set_resource(tally);
        }
        Ok(())
    }

    const PLUGIN: Plugin =
        plugin! { rows: [Account, BagBefore, Bag, Position, Tally], reducers: [count_worth, ring] };

    export_module! { name: "game", plugins: [PLUGIN] }
}

mod impossible {
    use evertick_module::prelude::*;

    #[component]
    pub struct Bag {
        pub gems: u32,
        pub coins: u16,
        pub pad: u16,
    }

    const PLUGIN: Plugin = plugin! { rows: [Bag] };

    export_module! { name: "game", plugins: [PLUGIN] }
}

#[test]
fn a_restart_keeps_what_is_stored() {
    use first::*;
    let mut world = TestWorld::new(module());
    let alice = world.connect();
    let hero = world.spawn((Bag { coins: 3, gems: 1 }, Position { at: Vec2::ONE }));
    world.set(hero, Path { to: vec![Vec2::ZERO] });
    let ghost = world.spawn(Path { to: vec![] });
    world.insert(Account { name: "alice".into(), level: 7 });
    world.call(alice, ring_later::call()).unwrap();
    world.advance(1.seconds());
    let before = world.now();

    world.restart();
    assert_eq!(world.now(), before);
    assert_eq!(world.get(hero), Some(Bag { coins: 3, gems: 1 }));
    assert_eq!(world.get(hero), Some(Position { at: Vec2::ONE }));
    assert_eq!(world.get::<Path>(hero), None);
    assert!(!world.exists(ghost));
    assert_eq!(world.find::<Account>("alice".into()).unwrap().level, 7);
    assert_eq!(world.resource::<Tally>().unwrap().left, 1, "alice is gone");
    world.world().check().unwrap();

    world.advance(1.seconds());
    assert_eq!(world.resource::<Tally>().unwrap().rung, 0);
    world.advance(1.seconds());
    assert_eq!(world.resource::<Tally>().unwrap().rung, 2, "the timer rings at its time");
    assert!(world.spawn(Bag { coins: 0, gems: 0 }) > ghost, "ids are never used again");
    assert!(world.connect().session > alice.session);
}

#[test]
fn random_numbers_go_on() {
    let rolls = |restart: bool| {
        let mut world = TestWorld::new(first::module());
        let mut rolls = Vec::new();
        for _ in 0..4 {
            rolls.push(world.call_as_server(first::roll::call()).unwrap());
            if restart {
                world.restart();
            }
        }
        rolls
    };
    assert_eq!(rolls(true), rolls(false));
}

#[test]
fn an_upgrade_brings_rows_over() {
    let mut world = TestWorld::new(first::module());
    let hero = world.spawn((first::Bag { coins: 3, gems: 2 }, first::Position { at: Vec2::ONE }));
    world.insert(first::Account { name: "alice".into(), level: 7 });
    world.call_as_server(first::ring_later::call()).unwrap();

    let plan = world.upgrade_to(second::module()).unwrap();
    assert_eq!(
        plan.to_string(),
        "module game:
  + Account.guild: new, \"none\" by default
  ~ Account.rank: was called level
  ~ Account.rank: u16 becomes u32
  ~ Account.rank: gets a unique Hash index
  ~ BagBefore: was called Bag
  + Bag: new
  + Tally.upgrades: new, 0 by default
  - Tally.dice: removed, its values are dropped
  ~ Tally: its fields stand in another order
  - ring_later(): removed; no timer may wait for it
  - moan_later(): removed; no timer may wait for it
  - moan(): removed; no timer may wait for it
  - roll(): removed; no timer may wait for it"
    );
    assert_eq!(world.get(hero), Some(second::Bag { worth: 203 }));
    assert_eq!(world.get::<second::BagBefore>(hero), None);
    assert_eq!(world.get(hero), Some(second::Position { at: Vec2::ONE }));
    let account = world.find::<second::Account>("alice".into()).unwrap();
    assert_eq!((account.guild.as_str(), account.rank), ("none", 7));
    world.world().check().unwrap();
    world.advance(3.seconds());
    assert_eq!(world.resource::<second::Tally>().unwrap().rung, 20, "the timer calls the new reducer");

    world.restart();
    assert_eq!(world.resource::<second::Tally>().unwrap().upgrades, 1, "an upgrade runs once");
}

#[test]
#[should_panic(expected = "a timer waits for reducer moan")]
fn a_timer_keeps_its_reducer() {
    let mut world = TestWorld::new(first::module());
    world.call_as_server(first::moan_later::call()).unwrap();
    let _ = world.upgrade_to(second::module());
}

#[test]
fn a_refused_upgrade_changes_nothing() {
    let mut world = TestWorld::new(first::module());
    let hero = world.spawn(first::Bag { coins: 3, gems: 2 });
    let refused = world.upgrade_to(impossible::module()).unwrap_err();
    assert_eq!(refused.problems()[0], "Bag.coins: u32 can't become u16");
    assert_eq!(world.get(hero), Some(first::Bag { coins: 3, gems: 2 }));
    world.call_as_server(first::ring_later::call()).unwrap();
}

#[test]
#[should_panic = "have the same rank in game.Account"]
fn rows_that_a_new_unique_index_forbids() {
    let mut world = TestWorld::new(first::module());
    world.insert(first::Account { name: "alice".into(), level: 7 });
    world.insert(first::Account { name: "bob".into(), level: 7 });
    let _ = world.upgrade_to(second::module());
}
