//! Wherever the log is cut, a snapshot and what is left make the world that was there at that record.

use std::collections::BTreeSet;
use std::sync::Arc;

use evertick_schema::{SessionId, Timestamp};
use evertick_world::{Call, CallResult, Caller};
use proptest::prelude::*;
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;

use super::game::{self, REDUCERS};
use super::history::State;
use super::ports::SteppedPorts;
use crate::journal::DurabilityConfig;
use crate::log::Scan;
use crate::record::{CauseRef, Shapes};
use crate::recover::{Stored, open_with, redo};
use crate::storage::simulated::SimulatedStorage;

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_snapshot_and_the_log_to_any_record_are_the_world_at_that_record(
        seed: u64,
        steps in 5..40usize,
        snapshots in prop::collection::btree_set(0..40usize, 1..4),
    ) {
        let mut random = Pcg64::seed_from_u64(seed);
        let ports = SteppedPorts::new(Pcg64::seed_from_u64(seed));
        let storage = SimulatedStorage::new(seed);
        let mut simulation = game::simulation(seed);
        let config = DurabilityConfig { snapshot_rows_per_slice: 4, ..DurabilityConfig::default() };
        let handle = Arc::new(storage.clone());
        let mut now = Timestamp(1_000_000);
        let opened = open_with(
            Box::new(ports.clone()), handle, config, &mut simulation, now, &mut |_| {}, Box::new(|_| {}),
        );
        let (mut journal, _) = opened.unwrap();
        // What the world was when the log ended with each record.
        let nobody = BTreeSet::new();
        let mut worlds = vec![(1, State::of(&simulation, now, &nobody))];
        for step in 0..steps {
            if snapshots.contains(&step) {
                journal.snapshot();
            }
            now.0 += 60_000;
            for _ in 0..random.next_u64() % 4 {
                let args: Vec<u8> = (0..3).flat_map(|_| random.next_u64().to_le_bytes()).collect();
                let caller = Caller { session: SessionId(1), ..Caller::default() };
                let reducer = (random.next_u64() % REDUCERS) as u32;
                let call = Call { module: 0, reducer, args: &args, caller: &caller };
                journal.cause(now, CauseRef::Call(call));
                let result = simulation.call(&call, now);
                prop_assert!(!matches!(result, CallResult::Failed(_)));
            }
            journal.cause(now, CauseRef::Tick);
            simulation.tick(now);
            let delta = simulation.commit(now);
            let _ = journal.commit(&mut simulation, &delta);
            worlds.push((journal.stats().last_seq, State::of(&simulation, now, &nobody)));
            journal.slice(&simulation);
            for _ in 0..10 {
                ports.log().lock().unwrap().step(&mut random);
            }
        }
        for _ in 0..40 {
            ports.log().lock().unwrap().step(&mut random);
            journal.slice(&simulation);
        }
        prop_assert!(!journal.is_failing());

        let scan = Scan::open(&storage).unwrap();
        for snapshot in crate::log::SnapshotReader::list(&storage).unwrap() {
            let needs = Stored::open(&storage, snapshot).unwrap().reader.info().needs_seq;
            for (cut, world) in worlds.iter().filter(|(cut, _)| *cut >= needs) {
                let mut replica = game::simulation(seed);
                let shapes = Shapes::of(replica.world().row_types());
                let restore = replica.world_mut().restore().unwrap();
                let stored = Stored::open(&storage, snapshot).unwrap();
                let known = redo(restore, &shapes, stored, &scan, *cut, &mut |_| {}).unwrap();
                replica.world().check().unwrap();
                let found = State::of(&replica, known.time, &nobody);
                prop_assert!(world.is_like(&found), "snapshot {snapshot}, cut {cut}: {}", world.differs(&found));
            }
        }
    }
}
