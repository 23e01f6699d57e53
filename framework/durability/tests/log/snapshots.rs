//! Snapshots that a thread writes.

use std::sync::Arc;

use evertick_durability::storage::simulated::{Faults, SimulatedStorage};
use evertick_durability::{SnapshotInfo, SnapshotReader, SnapshotState, SnapshotThread, Storage};

use crate::support::until;

/// Waits for the end.
fn end(snapshot: &mut SnapshotThread) -> SnapshotState {
    let mut state = SnapshotState::Writing;
    until("the end", || {
        state = snapshot.state();
        !matches!(state, SnapshotState::Writing)
    });
    state
}

fn hand_over(snapshot: &mut SnapshotThread, chunks: u64) {
    for number in 0..chunks {
        let mut chunk = snapshot.buffer();
        assert!(chunk.is_empty());
        chunk.extend_from_slice(&number.to_le_bytes().repeat(5000));
        let mut next = Some(chunk);
        until("room", || match snapshot.try_chunk(next.take().unwrap()) {
            Ok(()) => true,
            Err(chunk) => {
                next = Some(chunk);
                false
            }
        });
    }
}

#[test]
fn chunks_that_were_handed_over_come_back_in_order() {
    let disk = SimulatedStorage::new(1);
    let mut snapshot = SnapshotThread::start(Arc::new(disk.clone()), 40, b"preamble".to_vec()).unwrap();
    hand_over(&mut snapshot, 100);
    until("room", || snapshot.try_finish(45));
    let SnapshotState::Finished(info) = end(&mut snapshot) else { panic!("nothing fails") };
    let file_bytes = disk.list().unwrap()[0].1;
    assert_eq!(info, SnapshotInfo { seq: 40, needs_seq: 45, chunks: 100, file_bytes });
    drop(snapshot);

    let disk = disk.crash();
    assert_eq!(SnapshotReader::list(&disk).unwrap(), [40]);
    let mut reader = SnapshotReader::open(&disk, 40).unwrap();
    for number in 0..100_u64 {
        assert_eq!(reader.next().unwrap().unwrap(), number.to_le_bytes().repeat(5000));
    }
    assert!(reader.next().unwrap().is_none() && reader.preamble() == b"preamble");
    SnapshotReader::remove(&disk, 40).unwrap();
    assert!(SnapshotReader::list(&disk).unwrap().is_empty());
}

#[test]
fn a_failing_disk_is_told_and_leaves_nothing() {
    let disk = SimulatedStorage::new(1);
    disk.set_faults(Faults { capacity_bytes: Some(1_000_000), ..Faults::default() });
    let mut snapshot = SnapshotThread::start(Arc::new(disk.clone()), 40, Vec::new()).unwrap();
    hand_over(&mut snapshot, 100);
    let SnapshotState::Failed(error) = end(&mut snapshot) else { panic!("the disk is full") };
    assert!(error.to_string().contains("snapshot-"), "{error}");
    assert!(disk.list().unwrap().is_empty());
}

#[test]
fn one_that_is_dropped_leaves_nothing() {
    let disk = SimulatedStorage::new(1);
    let mut snapshot = SnapshotThread::start(Arc::new(disk.clone()), 40, Vec::new()).unwrap();
    hand_over(&mut snapshot, 20);
    drop(snapshot);
    assert!(disk.list().unwrap().is_empty());
}
