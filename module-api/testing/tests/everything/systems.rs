//! Systems with every sort of parameter.

use evertick_module::prelude::*;
use evertick_testing::TestWorld;

use crate::later::explode;
use crate::module;
use crate::rows::{Account, Creature, Diary, Frozen, Item, Mood, Motto, Noted, Position, Said, Weather};

/// Only those that are not frozen; the frozen thaw.
#[system]
fn step(
    now: Now,
    mut awake: Query<(&mut Position, &mut Creature), Without<Frozen>>,
    frozen: Query<(EntityId, &Frozen)>,
    mut commands: Commands,
) {
    awake.for_each(|(position, creature)| {
        position.at.x += now.delta().as_secs_f32();
        creature.steps += 1;
        creature.mood = if creature.steps % 2 == 0 { Mood::Calm } else { Mood::Angry };
    });
    for (entity, frozen) in &frozen {
        if now.is_past(frozen.until) {
            commands.remove::<Frozen>(entity);
        }
    }
}

/// Each creature looks at the nearest other one.
#[system(every = "1s", after = step)]
fn look(near: Near, mut creatures: Query<(EntityId, &Position, &mut Creature)>) {
    for (entity, position, creature) in &mut creatures {
        let others = near.within_with::<Creature>(position.at, 10.0);
        creature.seen = others.into_iter().find(|other| *other != entity).unwrap_or_default();
    }
}

/// Rows with variable fields: read, changed, left alone.
#[system(every = "1s")]
fn write_diary(now: Now, mut diaries: Query<(&mut Diary, Option<&Position>, Option<&mut Item>)>) {
    for (diary, position, item) in &mut diaries {
        if let Some(position) = position {
            diary.pages.push(format!("{:.0}", position.at.y));
            diary.last = Some(now.time());
        }
        if let Some(item) = item {
            item.price += 1;
        }
    }
}

#[system(every = "1s")]
fn forecast(mut weather: ResMut<Weather>, mut motto: ResMut<Motto>, accounts: Table<Account>) {
    weather.days += 1;
    motto.text = format!("{} of {}", weather.days, accounts.iter().count());
    if let Some((_, first)) = accounts.range(Account::NAME, "b".to_owned()..).next() {
        motto.text.push_str(&first.name);
    }
}

/// Everything that commands can do, once, when it rains.
#[system(every = "1s", after = forecast)]
fn flood(
    weather: Res<Weather>,
    motto: Option<Res<Motto>>,
    mut rng: Rng,
    mut commands: Commands,
    items: Query<(EntityId, &Item)>,
) {
    if weather.rain < 1.0 || motto.is_none() {
        return;
    }
    commands.set_resource(Weather { rain: 0.0, days: weather.days });
    commands.spawn((Creature { steps: rng.below(1), ..Creature::new() }, Frozen { until: Timestamp(0) }));
    commands.insert(Account { name: "ark".to_owned(), gold: 1, identity: Identity([1; 32]) });
    commands.emit(Said { words: "rain".to_owned() });
    commands.emit(Noted { whose: Identity::NONE });
    for (entity, item) in &items {
        if item.price > 10 {
            commands.despawn(entity);
        } else {
            commands.set(entity, Item { price: 11, ..item.clone() });
        }
        commands.after(2.seconds(), explode::call(entity, "after".to_owned()));
    }
    commands.detached(explode::call(EntityId::NONE, "detached".to_owned()));
}

/// Random access and whole columns.
#[system(every = "1s")]
fn mirror(mut creatures: Query<(&mut Creature, EntityId)>, sums: Query<&Item>) {
    let total: i32 = sums.columns().flatten().map(|item| item.price).sum();
    let entities: Vec<_> = creatures.iter_mut().map(|(_, entity)| entity).collect();
    assert_eq!(creatures.len(), entities.len());
    for (rows, ids) in creatures.columns_mut() {
        assert_eq!(rows.len(), ids.len());
    }
    for entity in entities {
        let (creature, same) = creatures.get_mut(entity).unwrap();
        assert_eq!(same, entity);
        creature.awake = total == 0;
    }
    assert!(creatures.get_mut(EntityId::NONE).is_none());
}

pub const PLUGIN: Plugin = plugin! { systems: [step, look, write_diary, forecast, flood, mirror] };

fn position(x: f32, y: f32) -> Position {
    Position { at: Vec2::new(x, y) }
}

#[test]
fn queries_write_columns() {
    let mut world = TestWorld::new(module());
    // More than one block, and a rest.
    let entities: Vec<_> = (0..70).map(|n| world.spawn((position(0.0, n as f32), Creature::new()))).collect();
    let until = world.now() + 100.millis();
    let frozen = world.spawn((position(0.0, 0.0), Creature::new(), Frozen { until }));
    world.tick();
    for entity in &entities {
        assert_eq!(world.get::<Position>(*entity).unwrap().at.x, 0.05);
        assert_eq!(world.get::<Creature>(*entity).unwrap().mood, Mood::Angry);
    }
    assert_eq!(world.get(frozen), Some(Creature::new()));
    world.tick();
    assert_eq!(world.get::<Frozen>(frozen), None);
    world.tick();
    assert_eq!(world.get::<Creature>(frozen).unwrap().steps, 1);
    assert_eq!(world.get::<Creature>(entities[69]).unwrap().steps, 3);
}

#[test]
fn near_works_in_systems() {
    let mut world = TestWorld::new(module());
    let one = world.spawn((position(0.0, 0.0), Creature::new()));
    let two = world.spawn((position(0.0, 4.0), Creature::new()));
    let alone = world.spawn((position(500.0, 0.0), Creature::new()));
    world.advance(2.seconds());
    assert_eq!(world.get::<Creature>(one).unwrap().seen, two);
    assert_eq!(world.get::<Creature>(two).unwrap().seen, one);
    assert_eq!(world.get::<Creature>(alone).unwrap().seen, EntityId::NONE);
}

#[test]
fn variable_rows_are_written_back() {
    let mut world = TestWorld::new(module());
    let diary = || Diary { pages: vec!["first".to_owned()], last: None };
    let item = |serial| Item { owner: EntityId::NONE, price: 0, serial };
    let moving = world.spawn((diary(), position(0.0, 3.0)));
    let still = world.spawn((diary(), item(1)));
    world.advance(2.seconds());
    let pages = world.get::<Diary>(moving).unwrap().pages;
    assert_eq!(&pages[..2], ["first", "3"]);
    assert!(world.get::<Diary>(moving).unwrap().last.is_some());
    assert_eq!(world.get(still), Some(diary()));
    assert!(world.get::<Item>(still).unwrap().price >= 1);
}

#[test]
fn resources_are_written() {
    let mut world = TestWorld::new(module());
    let alice = world.connect();
    world.call(alice, crate::reducers::rename::call("zoe".to_owned())).unwrap();
    world.advance(1.seconds());
    let days = world.resource::<Weather>().unwrap().days;
    assert!(days >= 1);
    assert_eq!(world.resource(), Some(Motto { text: format!("{days} of 1zoe") }));
}

#[test]
fn commands_change_structure() {
    let mut world = TestWorld::new(module());
    let alice = world.connect();
    let item = |price, serial| Item { owner: EntityId::NONE, price, serial };
    let (dear, cheap) = (world.spawn(item(50, 1)), world.spawn(item(5, 2)));
    world.set_resource(Weather { rain: 2.0, days: 0 });
    world.advance(1.seconds());
    assert!(!world.exists(dear));
    assert_eq!(world.get::<Item>(cheap).unwrap().price, 11);
    assert_eq!(world.resource::<Weather>().unwrap().rain, 0.0);
    assert_eq!(world.find::<Account>("ark".to_owned()).unwrap().gold, 1);
    assert_eq!(world.scan::<Creature>().len(), 1);
    assert_eq!(world.events::<Noted>(), [Noted { whose: Identity::NONE }]);
    let said =
        |world: &mut TestWorld| world.events::<Said>().into_iter().map(|said| said.words).collect::<Vec<_>>();
    assert_eq!(said(&mut world), ["rain", "detached"]);
    world.advance(3.seconds());
    assert_eq!(said(&mut world), ["after", "after"]);
    assert!(!world.exists(cheap));
    world.disconnect(alice);
}

#[test]
fn queries_give_single_entities_and_whole_columns() {
    let mut world = TestWorld::new(module());
    let creature = world.spawn(Creature::new());
    let item = world.spawn(Item { owner: EntityId::NONE, price: 3, serial: 1 });
    world.advance(1.seconds());
    assert!(!world.get::<Creature>(creature).unwrap().awake);
    world.despawn(item);
    world.advance(1.seconds());
    assert!(world.get::<Creature>(creature).unwrap().awake);
}
