//! Random worlds: whatever happens in whatever topics, a replica holds what the session may see, and what it
//! reports is what changed.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use evertick_protocol::{Replica, TopicKind};
use evertick_schema::{EntityId, ModuleDescription};
use proptest::prelude::*;
use support::description::kinds;
use support::random::Random;
use support::report::{Rows, check_report, contents};
use support::{Stage, apply};

/// Rows of one type by slot.
type SlotRows<'w> = Vec<(u32, &'w Vec<u8>)>;

const TOPICS: u32 = 4;
const ENTITIES: usize = 12;

/// The server's world, in the plainest form: where each entity is and what rows it has.
#[derive(Clone, Default)]
struct World {
    homes: BTreeMap<EntityId, u32>,
    rows: BTreeMap<(u32, EntityId), Vec<u8>>,
    seen: BTreeSet<u32>,
}

impl World {
    /// Something happens.
    fn happen(&mut self, description: &ModuleDescription, row_types: &[u32], random: &mut Random) {
        let entity = EntityId(1 + random.below(ENTITIES) as u64);
        let topic = 1 + random.below(TOPICS as usize) as u32;
        let row = row_types[random.below(row_types.len())];
        let fields = &description.rows[row as usize].fields;
        match random.below(10) {
            0 => {
                self.homes.remove(&entity);
                self.rows.retain(|(_, of), _| *of != entity);
            }
            1..=3 => drop(self.homes.insert(entity, topic)),
            4 => drop(self.rows.remove(&(row, entity))),
            5 => drop(self.seen.insert(topic)),
            6 => drop(self.seen.remove(&topic)),
            _ if self.homes.contains_key(&entity) => {
                self.rows.insert((row, entity), random.row(fields));
            }
            _ => {}
        }
    }

    fn rows_in(&self, topic: u32) -> impl Iterator<Item = (u32, EntityId, &Vec<u8>)> {
        self.rows
            .iter()
            .filter(move |((_, entity), _)| self.homes.get(entity) == Some(&topic))
            .map(|((row, entity), bytes)| (*row, *entity, bytes))
    }

    fn roster(&self, topic: u32) -> BTreeSet<EntityId> {
        self.homes.iter().filter(|(_, home)| **home == topic).map(|(entity, _)| *entity).collect()
    }
}

/// Slots of one topic.
#[derive(Default)]
struct Slots {
    of: BTreeMap<EntityId, u32>,
    next: u32,
}

/// Writes what distinguishes two worlds, topic by topic.
struct Server {
    stage: Stage,
    slots: BTreeMap<u32, Slots>,
    description: ModuleDescription,
}

impl Server {
    fn frame(&mut self, before: &World, now: &World, random: &mut Random) -> Vec<u8> {
        for topic in before.seen.difference(&now.seen) {
            self.stage.leave(*topic);
        }
        for topic in 1..=TOPICS {
            self.changes(topic, before, now, random);
            if now.seen.contains(&topic) && !before.seen.contains(&topic) {
                let slots = &self.slots[&topic];
                let mut entries: Vec<_> = slots.of.iter().map(|(entity, slot)| (*slot, *entity)).collect();
                entries.sort();
                self.stage.enter(topic, TopicKind::Group(topic.into()), |writer, schema| {
                    writer.enter(&entries);
                    for row in 0..self.description.rows.len() as u32 {
                        let rows = now.rows_in(topic).filter(|(number, ..)| *number == row);
                        let mut rows: Vec<_> =
                            rows.map(|(_, entity, bytes)| (slots.of[&entity], bytes)).collect();
                        rows.sort();
                        let named: Vec<u32> = rows.iter().map(|(slot, _)| *slot).collect();
                        writer.rows(schema, row, u64::MAX, &named, |index| rows[index].1);
                    }
                });
            }
        }
        self.stage.reply_ok(0, &[]); // so that there is something to say
        self.stage.send()
    }

    fn changes(&mut self, topic: u32, before: &World, now: &World, random: &mut Random) {
        let slots = self.slots.entry(topic).or_default();
        let (old, new) = (before.roster(topic), now.roster(topic));
        let mut left: Vec<u32> =
            old.difference(&new).map(|entity| slots.of.remove(entity).unwrap()).collect();
        left.sort();
        let mut entered = Vec::new();
        for entity in new.difference(&old) {
            entered.push((slots.next, *entity));
            slots.of.insert(*entity, slots.next);
            slots.next += 1 + random.below(3) as u32 * 20;
        }
        // By row type and mask.
        let mut sets: BTreeMap<(u32, u64), SlotRows<'_>> = BTreeMap::new();
        for (row, entity, bytes) in now.rows_in(topic) {
            let layout = &self.stage.schema.row(row).layout;
            let known = before.rows.get(&(row, entity)).filter(|_| old.contains(&entity));
            let mask = match known {
                Some(known) if known == bytes => continue,
                // Some more fields than need be; of rows with tails, all that have one.
                Some(known) => layout.fields.iter().enumerate().fold(
                    random.next() & random.next(),
                    |mask, (index, field)| {
                        mask | u64::from(field.of(known) != field.of(bytes) || !field.ty.is_flat()) << index
                    },
                ),
                None => u64::MAX,
            };
            let mask = mask & self.stage.schema.row(row).all_fields;
            sets.entry((row, mask)).or_default().push((slots.of[&entity], bytes));
        }
        let removed = before
            .rows_in(topic)
            .filter(|(row, entity, _)| new.contains(entity) && !now.rows.contains_key(&(*row, *entity)));
        let mut removed: Vec<(u32, u32)> = removed.map(|(row, entity, _)| (row, slots.of[&entity])).collect();
        removed.sort();
        self.stage.change(topic, |writer, schema| {
            writer.leave(&left);
            writer.enter(&entered);
            for ((row, mask), mut rows) in sets {
                rows.sort();
                let named: Vec<u32> = rows.iter().map(|(slot, _)| *slot).collect();
                writer.rows(schema, row, mask, &named, |index| rows[index].1);
            }
            removed.iter().for_each(|(row, slot)| writer.remove(*row, &[*slot]));
        });
    }
}

/// The ten-line filter.
fn visible(world: &World, replica: &Replica) -> Rows {
    let mut rows = Rows::new();
    for topic in &world.seen {
        for (row, entity, bytes) in world.rows_in(*topic) {
            let mut bytes = bytes.clone();
            replica.schema().row(row).quantize(&mut bytes);
            rows.insert((row, entity), bytes);
        }
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_replica_holds_what_is_visible(seed: u64, frames in prop::collection::vec(0usize..40, 1..12)) {
        let mut random = Random(seed);
        let description = kinds();
        let stored = |row: &u32| !Stage::new(&description).schema.row(*row).event;
        let row_types: Vec<u32> = (0..description.rows.len() as u32).filter(stored).collect();
        let mut server = Server { stage: Stage::new(&description), slots: BTreeMap::new(), description: description.clone() };
        let mut replica = Replica::new(&description).unwrap();
        let mut world = World::default();
        let mut old = Rows::new();
        for happenings in frames {
            let before = world.clone();
            for _ in 0..happenings {
                world.happen(&description, &row_types, &mut random);
            }
            let message = server.frame(&before, &world, &mut random);
            let changes = apply(&mut replica, &message).unwrap();
            let new = contents(&replica);
            prop_assert_eq!(&new, &visible(&world, &replica));
            check_report(&old, &new, &changes);
            old = new;
        }
    }
}
