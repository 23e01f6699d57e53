//! Back-ups hold all that was confirmed before, also while a server writes and removes what is old.

use std::sync::Arc;

use super::damage::{log, read};
use super::{Run, seeds};
use crate::log::back_up::back_up;
use crate::log::error::LogError;
use crate::log::snapshot::SnapshotWriter;
use crate::log::verify::verify;
use crate::storage::Storage;
use crate::storage::simulated::{Faults, SimulatedStorage};

#[test]
fn a_back_up_of_a_log_that_is_being_written_is_whole() {
    seeds(30, |seed| {
        let mut run = Run::new(seed);
        assert!(run.start(Faults::default()));
        for _ in 0..20 {
            assert!(run.append());
        }
        let from = run.history[run.random.below(run.confirmed)].0;
        let mut snapshot = SnapshotWriter::create(Arc::new(run.disk.clone()), from, b"").unwrap();
        snapshot.chunk(&vec![3; 3_000_000]).unwrap();
        snapshot.finish(run.last_seq()).unwrap();

        let (target, source) = (SimulatedStorage::new(seed), run.disk.clone());
        let confirmed = run.confirmed;
        let mut looks = 0;
        // The server goes on between any two pieces of the copy; old segments go, and become new ones.
        let report = back_up(&source, &target, &mut |progress| {
            assert!(progress.done_bytes <= progress.total_bytes);
            looks += 1;
            if progress.attempt < 3 {
                run.append();
                run.remove_before(from + 1);
                run.keep_house();
            }
        })
        .unwrap();
        assert!(looks > 0 && report.snapshot == Some(from));
        let (found, damage) = read(&target);
        assert_eq!(damage, None);
        assert!(report.last_seq >= run.history[confirmed - 1].0);
        let mut expected = run.history.iter().filter(|(seq, _)| *seq >= found[0].0);
        assert!(found.iter().all(|record| expected.next() == Some(record)));
        assert!(found[0].0 <= from + 3, "the log goes back to the snapshot");
        assert!(verify(&target).is_good());
    });
}

#[test]
fn a_failed_back_up_leaves_nothing_and_a_full_target_is_refused() {
    let mut run = Run::new(9);
    log(&mut run, true);
    let target = SimulatedStorage::new(2);
    target.set_faults(Faults { capacity_bytes: Some(10_000), ..Faults::default() });
    let error = back_up(&run.disk, &target, &mut |_| {}).unwrap_err();
    assert!(matches!(error, LogError::Io { .. }), "{error}");
    assert_eq!(target.list().unwrap(), []);

    target.set_faults(Faults::default());
    back_up(&run.disk, &target, &mut |_| {}).unwrap();
    let error = back_up(&run.disk, &target, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("not empty"), "{error}");
    assert!(back_up(&SimulatedStorage::new(1), &SimulatedStorage::new(2), &mut |_| {}).is_err());
}

#[test]
fn what_is_damaged_is_not_backed_up() {
    let mut run = Run::new(9);
    let segments = log(&mut run, true);
    let name = crate::log::names::segment(segments[0].index);
    run.disk.flip_bit(&name, segments[0].end - 5000, 1).unwrap();
    let target = SimulatedStorage::new(2);
    assert!(matches!(back_up(&run.disk, &target, &mut |_| {}), Err(LogError::Damaged(_))));
    assert_eq!(target.list().unwrap(), []);
}
