//! Random histories: the world must do what a plain model does, and a replica must follow.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod compare;
mod image;
mod model;
mod recovery;
mod rows;

use evertick_schema::{EntityId, Timestamp};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::cause::Cause;
use crate::compare::{ChangedRows, RowShape, changed_rows};
use crate::config::Config;
use crate::delta::Delta;
use crate::store::RowState;
use crate::tx::Tx;
use crate::world::World;
use crate::write::Mode;
use model::Model;
use rows::{ACCOUNT, BERTH, BODY, LABEL, MARK, PING, POSITION, SEASON};

#[derive(Clone, Debug)]
enum Op {
    Spawn,
    Despawn(Index),
    Put(usize, Index, [u8; 3], u8),
    PutKeyed(usize, [u8; 3]),
    /// Changes one field of a position and leaves the others.
    Switch(Index),
    Remove(usize, Index),
    Emit([u8; 3]),
    After(u8),
    Cancel(Index),
}

#[derive(Clone, Debug)]
enum Step {
    /// Operations, and whether they are accepted.
    Transaction(Vec<Op>, bool),
    /// A system that adds to bytes of every so-manieth row.
    Sweep(usize, u8, u8),
    Timers(u8),
    Commit,
}

fn op() -> impl Strategy<Value = Op> {
    let row = prop_oneof![
        3 => Just(POSITION), 1 => Just(BERTH), 2 => Just(BODY), 2 => Just(LABEL), 1 => Just(MARK), 1 => Just(ACCOUNT),
        1 => Just(SEASON),
    ];
    prop_oneof![
        3 => Just(Op::Spawn),
        1 => any::<Index>().prop_map(Op::Despawn),
        8 => (row.clone(), any::<Index>(), any::<[u8; 3]>(), 0u8..5).prop_map(|(a, b, c, d)| Op::Put(a, b, c, d)),
        2 => (prop_oneof![2 => Just(ACCOUNT), 1 => Just(SEASON)], any::<[u8; 3]>())
            .prop_map(|(a, b)| Op::PutKeyed(a, b)),
        2 => (row, any::<Index>()).prop_map(|(a, b)| Op::Remove(a, b)),
        2 => any::<Index>().prop_map(Op::Switch),
        1 => any::<[u8; 3]>().prop_map(Op::Emit),
        1 => any::<u8>().prop_map(Op::After),
        1 => any::<Index>().prop_map(Op::Cancel),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let flat = prop_oneof![3 => Just(POSITION), 1 => Just(BERTH), 1 => Just(BODY), 1 => Just(ACCOUNT)];
    prop_oneof![
        6 => (prop::collection::vec(op(), 1..12), prop::bool::weighted(0.7)).prop_map(|(a, b)| Step::Transaction(a, b)),
        3 => (flat, 1u8..4, 1u8..20).prop_map(|(a, b, c)| Step::Sweep(a, b, c)),
        1 => any::<u8>().prop_map(Step::Timers),
        3 => Just(Step::Commit),
    ]
}

/// A world, its model, the model at the last commit, and a replica of that.
struct Pair {
    world: World,
    model: Model,
    committed: Model,
    replica: World,
    /// Whether systems changed anything since the last commit.
    swept: bool,
}

/// A world with the row types.
fn empty_world() -> World {
    let config =
        Config { region: 3, cell_size: model::CELL, cell_margin: model::MARGIN, ..Config::default() };
    let mut world = World::new(config);
    world.register("test", &rows::defs()).unwrap();
    world
}

impl Pair {
    fn new() -> Self {
        let (world, replica) = (empty_world(), empty_world());
        let first = world.row_named("test.Position").unwrap();
        let types = world.row_types()[first.index()..].to_vec();
        let model = Model { types, first: first.0, ..Model::default() };
        Self { world, committed: model.clone(), model, replica, swept: false }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Transaction(ops, accepted) => {
                let mut tx = self.world.begin(Cause::default());
                let mut model = self.model.clone();
                for op in ops {
                    apply(&mut tx, &mut model, op);
                }
                compare::rows(&tx, &model);
                if *accepted {
                    tx.accept().unwrap();
                    self.model = model;
                } else {
                    tx.abort();
                }
            }
            Step::Sweep(row, every, add) => self.sweep(*row, usize::from(*every), *add),
            Step::Timers(until) => {
                let now = Timestamp(i64::from(*until));
                for due in self.world.due_timers(now, 3) {
                    let first = self.model.timers.pop_first().unwrap();
                    assert_eq!(((due.at, due.id), due.call.args), first);
                }
            }
            Step::Commit => drop(self.commit()),
        }
        compare::rows(&self.world, &self.model);
        compare::lookups(&self.world, &self.model);
        self.world.check().unwrap();
    }

    fn sweep(&mut self, row: usize, every: usize, add: u8) {
        let id = self.model.id(row);
        for table in self.world.store.tables.with(id).to_vec() {
            let RowState { stride, .. } = self.world.store.rows[id.index()];
            let (reads, stride) = (self.world.reads(), stride.unwrap());
            let entities: Vec<EntityId> = reads.entities(table).collect();
            let Some(crate::columns::Rows::Flat { bytes, .. }) = reads.column(table, id) else {
                panic!("it is flat")
            };
            let (old, mut new) = (bytes.to_vec(), bytes.to_vec());
            for (at, bytes) in new.chunks_exact_mut(stride).enumerate().filter(|(at, _)| at % every == 0) {
                sweep_row(row, add.wrapping_add(at as u8), bytes);
            }
            let fields = &self.model.types[row].layout.fields;
            let shape = RowShape::new(fields.iter().map(|field| field.size as usize));
            let mut changed = ChangedRows::default();
            changed_rows(&shape, &old, &new, &mut changed);
            let structure = reads.store.tables.structure(table);
            let refused = self.world.fold(id, table, [structure, 0], &changed).unwrap();
            let mut expected = 0;
            for (entity, bytes) in entities.iter().zip(new.chunks_exact(stride)) {
                if self.model.entities[entity][&row] != bytes {
                    expected += u64::from(self.model.put(row, *entity, bytes, Mode::Update).is_err());
                }
            }
            assert_eq!(refused, expected);
            self.swept = true;
        }
    }

    fn commit(&mut self) -> Delta {
        let delta = self.world.commit(1, Timestamp(7));
        compare::delta(&delta, &self.committed, &self.model, !self.swept);
        self.replica.apply(&delta).unwrap();
        compare::rows(&self.replica, &self.model);
        compare::lookups(&self.replica, &self.model);
        self.replica.check().unwrap();
        self.model.events.clear();
        self.committed = self.model.clone();
        self.swept = false;
        self.world.recycle(delta.clone());
        delta
    }
}

/// What a system does to a row.
fn sweep_row(row: usize, add: u8, bytes: &mut [u8]) {
    match row {
        POSITION | BERTH => {
            let at = if row == POSITION { 0 } else { 4 };
            let moved = f32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) + f32::from(add);
            bytes[at..at + 4].copy_from_slice(&moved.to_le_bytes());
        }
        BODY => bytes[4 + 2 * usize::from(add % 2)] = add % 5,
        _ => bytes[8] = bytes[8].wrapping_add(add),
    }
}

fn apply(tx: &mut Tx<'_>, model: &mut Model, op: &Op) {
    let some = |model: &Model, index: &Index| match model.entities.len() {
        0 => EntityId::NONE,
        len => *model.entities.keys().nth(index.index(len + 1) % len).unwrap(),
    };
    match op {
        Op::Spawn => {
            let entity = tx.spawn();
            assert!(model.entities.insert(entity, Default::default()).is_none());
        }
        Op::Despawn(index) => {
            let entity = some(model, index);
            assert_eq!(tx.despawn(entity), model.despawn(entity));
        }
        Op::Put(row, index, seed, mode) => {
            let (entity, bytes) = (some(model, index), rows::encode(*row, *seed));
            let mode = [Mode::Set, Mode::Set, Mode::Set, Mode::Insert, Mode::Update][usize::from(*mode)];
            let id = model.id(*row);
            let done = match mode {
                Mode::Set => tx.set(id, entity, &bytes),
                Mode::Insert => tx.insert(id, entity, &bytes),
                Mode::Update => tx.update(id, entity, &bytes),
            };
            assert_eq!(done.map_err(|error| model::name(&error)), model.put(*row, entity, &bytes, mode));
        }
        Op::PutKeyed(row, seed) => {
            let bytes = rows::encode(*row, *seed);
            let there = model.rows(*row).into_keys().next();
            match tx.insert_row(model.id(*row), &bytes) {
                Ok(entity) => {
                    assert_eq!(there.filter(|_| *row == SEASON).unwrap_or(entity), entity);
                    model.put_keyed(*row, entity, &bytes).unwrap();
                }
                Err(error) => {
                    let refused = model.put_keyed(*row, EntityId::NONE, &bytes);
                    assert_eq!(Err(model::name(&error)), refused);
                }
            }
        }
        Op::Switch(index) => {
            let entity = some(model, index);
            if let Some(mut bytes) = tx.get(model.id(POSITION), entity).map(<[u8]>::to_vec) {
                bytes[8] ^= 1;
                tx.update(model.id(POSITION), entity, &bytes).unwrap();
                model.put(POSITION, entity, &bytes, Mode::Update).unwrap();
            }
        }
        Op::Remove(row, index) => {
            let entity = some(model, index);
            assert_eq!(tx.remove(model.id(*row), entity), model.remove(*row, entity));
        }
        Op::Emit(seed) => {
            let bytes = rows::encode(PING, *seed);
            tx.emit(model.id(PING), &bytes).unwrap();
            model.events.push(bytes);
        }
        Op::After(at) => {
            let at = Timestamp(i64::from(*at));
            let timer = tx.after(at, 0, 1, &[5]).unwrap();
            model.timers.insert((at, timer), vec![5]);
        }
        Op::Cancel(index) => {
            if let Some(key) = model.timers.keys().nth(index.index(model.timers.len().max(1))).copied() {
                model.timers.remove(&key);
                assert!(tx.cancel(key.1));
                assert!(!tx.cancel(key.1));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_world_does_what_the_model_does(steps in prop::collection::vec(step(), 1..40)) {
        let mut pair = Pair::new();
        for step in &steps {
            pair.step(step);
        }
        pair.commit();
        assert!(pair.commit().is_empty());
    }
}
