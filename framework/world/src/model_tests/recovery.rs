//! A snapshot that was taken in slices while the world went on, with the deltas since its start, is the world.

use evertick_schema::EntityId;
use proptest::prelude::*;

use super::model::Model;
use super::{Pair, Step, compare, empty_world, step};
use crate::delta::Delta;
use crate::restore::Restore;
use crate::row::RowId;
use crate::snapshot::{Counters, SnapshotCursor};
use crate::timers::{DueTimer, TimerOp};
use crate::world::World;

/// Rows of one entity.
type Rows = Vec<(RowId, Vec<u8>)>;

/// What a log would have.
struct Journal {
    cursor: SnapshotCursor,
    done: bool,
    /// Of the snapshot, entity by entity.
    rows: Vec<(EntityId, Rows)>,
    timers: Vec<TimerOp>,
    deltas: Vec<Delta>,
    counters: Counters,
}

impl Journal {
    fn start(world: &World) -> Self {
        let timers =
            world.timers().map(|(id, at, call)| TimerOp::Set(DueTimer { id, at, call: call.clone() }));
        Self {
            cursor: world.snapshot_cursor(),
            done: false,
            rows: Vec::new(),
            timers: timers.collect(),
            deltas: Vec::new(),
            counters: world.counters(),
        }
    }

    fn slice(&mut self, world: &World, rows_max: usize) {
        let mut visited = 0;
        self.done |= world.snapshot_slice(&mut self.cursor, rows_max, |entity, row, bytes| {
            visited += 1;
            match self.rows.last_mut() {
                Some((last, rows)) if *last == entity => rows.push((row, bytes.to_vec())),
                last => {
                    assert!(last.is_none_or(|(last, _)| *last < entity), "entities come in order");
                    self.rows.push((entity, vec![(row, bytes.to_vec())]));
                }
            }
        });
        assert!(visited < rows_max + super::rows::defs().len(), "a slice is bounded");
    }

    /// Makes a world of it. `whole`: changes are given as rows, not as fields.
    fn recover(&self, model: &Model, whole: bool) -> World {
        let mut world = empty_world();
        let mut restore = world.restore().unwrap();
        for (entity, rows) in &self.rows {
            let rows: Vec<(RowId, &[u8])> = rows.iter().map(|(row, bytes)| (*row, &bytes[..])).collect();
            restore.put_all(*entity, &rows).unwrap();
        }
        self.timers.iter().for_each(|op| restore.timer(op));
        self.deltas.iter().for_each(|delta| redo(&mut restore, model, delta, whole));
        restore.counters(self.counters);
        restore.finish().unwrap();
        world
    }
}

/// What recovery does with a record.
fn redo(restore: &mut Restore<'_>, model: &Model, delta: &Delta, whole: bool) {
    for rows in &delta.rows {
        let of = &model.types[rows.row.index() - usize::from(model.first)];
        if !of.def.storage.is_stored() {
            continue;
        }
        for entity in &rows.removed {
            restore.remove(rows.row, *entity).unwrap();
        }
        for (entity, mask, bytes) in rows.updated.iter() {
            if whole || !of.layout.flat {
                restore.put(rows.row, entity, bytes).unwrap();
                continue;
            }
            let fields = of.layout.fields.iter().enumerate().filter(|(number, _)| mask >> number & 1 == 1);
            let fields: Vec<u8> = fields.flat_map(|(_, field)| field.of(bytes)).copied().collect();
            restore.patch(rows.row, entity, mask, &fields).unwrap();
        }
        for (entity, _, bytes) in rows.inserted.iter() {
            restore.put(rows.row, entity, bytes).unwrap();
        }
    }
    delta.timers.iter().for_each(|op| restore.timer(op));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn slices_and_redo_make_the_world_again(
        before in prop::collection::vec(step(), 0..15),
        after in prop::collection::vec((step(), 1usize..12), 1..25),
        whole in any::<bool>(),
    ) {
        let mut pair = Pair::new();
        before.iter().for_each(|step| pair.step(step));
        pair.commit();
        let mut journal = Journal::start(&pair.world);
        for (step, rows_max) in &after {
            if let Step::Commit = step {
                journal.deltas.push(pair.commit());
                journal.slice(&pair.world, *rows_max);
            } else {
                pair.step(step);
            }
        }
        while !journal.done {
            journal.deltas.push(pair.commit());
            journal.slice(&pair.world, 3);
        }
        journal.deltas.push(pair.commit());
        journal.counters = pair.world.counters();

        let restored = journal.recover(&pair.committed, whole);
        let expected = pair.committed.restarted();
        compare::rows(&restored, &expected);
        compare::lookups(&restored, &expected);
        restored.check().unwrap();
        prop_assert_eq!(restored.counters(), pair.world.counters());

        // It goes on as any other world.
        let replica = journal.recover(&pair.committed, !whole);
        let mut pair = Pair { world: restored, committed: expected.clone(), model: expected, replica, swept: false };
        after.iter().for_each(|(step, _)| pair.step(step));
        pair.commit();
    }
}
