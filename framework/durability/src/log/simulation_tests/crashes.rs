//! Crashes at every moment, on disks that fail.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::{Run, seeds};
use crate::storage::simulated::Faults;

/// What was confirmed is found again, in an unbroken row, with nothing made up; and no crash looks like damage.
#[test]
fn what_was_confirmed_is_found_again_whatever_happens() {
    let (torn_tails, survived) = (AtomicUsize::new(0), AtomicUsize::new(0));
    seeds(1000, |seed| {
        let mut run = Run::new(seed);
        for _ in 0..2 + run.random.below(8) {
            let faults = run.random_faults();
            if run.start(faults) {
                for _ in 0..run.random.below(40) {
                    if !run.step() {
                        break;
                    }
                }
            }
            run.stop();
        }
        run.check();
        torn_tails.fetch_add(run.torn_tails, Relaxed);
        survived.fetch_add(run.survived, Relaxed);
    });
    if std::env::var_os("EVERTICK_SEED").is_none() {
        // Else the test would not test what it is for.
        assert!(torn_tails.into_inner() > 100 && survived.into_inner() > 100);
    }
}

/// The power goes after each single operation of one life in turn.
#[test]
fn a_crash_between_any_two_operations_is_survived() {
    seeds(4, |seed| {
        let mut operations = 0;
        loop {
            let mut run = Run::new(seed);
            assert!(run.start(Faults::default()));
            for _ in 0..10 {
                assert!(run.step());
            }
            run.disk = run.disk.kill();
            let faults = Faults { power_off_after: Some(operations), ..Faults::default() };
            let is_whole = run.start(faults) && (0..25).all(|_| run.step());
            run.stop();
            run.check();
            if is_whole {
                break;
            }
            operations += 1;
        }
        assert!(operations > 20, "only {operations} operations");
    });
}

/// A life after a kill goes on from records that were only in the system's cache; then the power goes.
#[test]
fn what_a_killed_server_left_in_the_cache_is_safe_before_it_is_built_upon() {
    seeds(300, |seed| {
        let mut run = Run::new(seed);
        assert!(run.start(Faults::default()));
        for _ in 0..run.random.below(10) {
            run.append();
        }
        // The last group is written, and its sync fails: all is in the cache, and not all will reach the disk.
        run.disk.set_faults(Faults { sync_error: 1.0, ..Faults::default() });
        run.append();
        run.disk = run.disk.kill();
        assert!(run.start(Faults::default()));
        run.append();
        run.disk = run.disk.crash();
        run.check();
    });
}
