//! The receiver's rules in their plainest form: maps and sets, one value after the other.
#![allow(unreachable_pub, reason = "a module of a test")]

use std::collections::{BTreeMap, BTreeSet};

use evertick_protocol::WireSchema;
use evertick_schema::{EntityId, RowLayout};

use crate::support::report::Rows;

/// A tick is 50 ms here.
const STATE_TICKS_MAX: u64 = 40;

/// What an ordered message does.
#[derive(Clone, Debug)]
pub enum Op {
    /// A topic is seen; nothing is known of it.
    Know(u32),
    /// A topic is not seen any more.
    Forget(u32),
    /// Topic and slot.
    Leave(u32, u32),
    /// Topic, slot, entity.
    Enter(u32, u32, EntityId),
    Set(Value),
    /// Topic, row type, slot.
    Remove(u32, u32, u32),
}

/// The fields in `mask` of a row.
#[derive(Clone, Debug)]
pub struct Value {
    pub topic: u32,
    pub row: u32,
    pub mask: u64,
    pub slot: u32,
    pub bytes: Vec<u8>,
}

struct Row {
    bytes: Vec<u8>,
    written: u64,
    holders: BTreeSet<u32>,
}

pub struct Receiver {
    schema: WireSchema,
    /// By slot, who and since when.
    topics: BTreeMap<u32, BTreeMap<u32, (EntityId, u64)>>,
    rows: BTreeMap<(u32, EntityId), Row>,
    pub tick: u64,
}

/// Writes the fields in `mask`.
pub fn write(layout: &RowLayout, mask: u64, from: &[u8], to: &mut [u8]) {
    for (index, field) in layout.fields.iter().enumerate() {
        if mask >> index & 1 == 1 {
            let range = field.offset as usize..(field.offset + field.size) as usize;
            to[range.clone()].copy_from_slice(&from[range]);
        }
    }
}

impl Receiver {
    pub fn new(schema: WireSchema) -> Self {
        Self { schema, topics: BTreeMap::new(), rows: BTreeMap::new(), tick: 0 }
    }

    pub fn contents(&self) -> Rows {
        self.rows.iter().map(|(key, row)| (*key, row.bytes.clone())).collect()
    }

    fn let_go(&mut self, topic: u32, lost: impl Fn(u32, EntityId) -> bool) {
        self.rows.retain(|(row, entity), held| {
            if lost(*row, *entity) {
                held.holders.remove(&topic);
            }
            !held.holders.is_empty()
        });
    }

    pub fn ordered(&mut self, number: u64, ops: &[Op]) {
        for op in ops {
            match op {
                Op::Know(topic) => assert!(self.topics.insert(*topic, BTreeMap::new()).is_none()),
                Op::Forget(topic) => {
                    self.topics.remove(topic).unwrap();
                    self.let_go(*topic, |_, _| true);
                }
                Op::Leave(topic, slot) => {
                    let (left, _) = self.topics.get_mut(topic).unwrap().remove(slot).unwrap();
                    self.let_go(*topic, |_, entity| entity == left);
                }
                Op::Enter(topic, slot, entity) => {
                    self.topics.get_mut(topic).unwrap().insert(*slot, (*entity, number));
                }
                Op::Set(value) => {
                    let (entity, _) = self.topics[&value.topic][&value.slot];
                    let codec = self.schema.row(value.row);
                    let whole = value.mask & codec.all_fields == codec.all_fields;
                    let new =
                        || Row { bytes: value.bytes.clone(), written: number, holders: BTreeSet::new() };
                    let row = self.rows.entry((value.row, entity)).or_insert_with(new);
                    if whole {
                        row.holders.insert(value.topic);
                    }
                    assert!(row.holders.contains(&value.topic));
                    write(&codec.layout, value.mask, &value.bytes, &mut row.bytes);
                    row.written = row.written.max(number);
                }
                Op::Remove(topic, row, slot) => {
                    let (lost, _) = self.topics[topic][slot];
                    self.let_go(*topic, |of, entity| (of, entity) == (*row, lost));
                }
            }
        }
    }

    pub fn latest(&mut self, number: u64, tick: u64, values: &[Value]) {
        if tick.abs_diff(self.tick) > STATE_TICKS_MAX {
            return;
        }
        for value in values {
            let seat = self.topics.get(&value.topic).and_then(|roster| roster.get(&value.slot));
            let Some((entity, since)) = seat else { continue };
            let Some(row) = self.rows.get_mut(&(value.row, *entity)) else { continue };
            if *since <= number && row.written <= number && row.holders.contains(&value.topic) {
                write(&self.schema.row(value.row).layout, value.mask, &value.bytes, &mut row.bytes);
                row.written = number;
            }
        }
    }
}
