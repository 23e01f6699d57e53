//! A disk that fails, and works again or not.

use std::sync::Arc;
use std::time::Duration;

use evertick_durability::storage::simulated::{Faults, SimulatedStorage};
use evertick_durability::{LogConfig, LogError, LogStatus};

use crate::support::{config, read, start, until};

/// Every way in which a disk can refuse.
fn failures() -> [Faults; 4] {
    let none = Faults::default;
    [
        Faults { sync_error: 1.0, ..none() },
        Faults { write_error: 1.0, ..none() },
        Faults { capacity_bytes: Some(1), ..none() },
        Faults { sync_error: 0.6, write_error: 0.3, directory_error: 0.3, short_write: 0.5, ..none() },
    ]
}

#[test]
fn what_waits_while_the_disk_fails_is_written_when_it_works_again() {
    for (seed, faults) in failures().into_iter().enumerate() {
        let disk = SimulatedStorage::new(seed as u64);
        let mut log = start(Arc::new(disk.clone()), &config()).unwrap();
        log.append(1, b"before", true).unwrap();
        until("the first sync", || log.synced() == 1);

        disk.set_faults(faults.clone());
        // Larger than a segment's rest, so that a full disk matters.
        log.append(2, &vec![2; 300_000], true).unwrap();
        until("the failure", || log.is_failing() || log.synced() == 2);
        log.append(3, b"meanwhile", true).unwrap();
        if faults.sync_error == 1.0 || faults.write_error == 1.0 {
            let LogStatus::Failing { error } = log.status() else { panic!("it fails") };
            assert!(error.contains("log-"), "{error} names the file");
            assert_eq!(log.synced(), 1);
        }
        disk.set_faults(Faults::default());
        until("recovery", || log.synced() == 3 && log.status() == LogStatus::Running);
        assert!(log.stats().failures > 0 || seed == 3);
        // Nothing was pretended: the power goes now.
        let after = disk.crash();
        assert_eq!(read(&after).iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [1, 2, 3]);
        drop(log);
    }
}

#[test]
fn closing_on_a_failing_disk_says_what_was_never_confirmed() {
    let disk = SimulatedStorage::new(3);
    let mut log = start(Arc::new(disk.clone()), &config()).unwrap();
    log.append(1, b"before", true).unwrap();
    until("the first sync", || log.synced() == 1);
    disk.set_faults(Faults { sync_error: 1.0, ..Faults::default() });
    for seq in 2..=4 {
        log.append(seq, b"lost", true).unwrap();
    }
    until("the failure", || log.is_failing());
    match log.close() {
        Err(LogError::Unsynced { records: 3, first: 2, reason }) => {
            assert!(reason.contains("sync"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(read(&disk.crash())[0], (1, b"before".to_vec()));
}

#[test]
fn a_full_queue_on_a_failing_disk_refuses_and_takes_nothing() {
    let disk = SimulatedStorage::new(3);
    let config = LogConfig { queue_bytes_max: 1000, ..config() };
    let mut log = start(Arc::new(disk.clone()), &config).unwrap();
    disk.set_faults(Faults { sync_error: 1.0, ..Faults::default() });
    log.append(1, &[1; 600], true).unwrap();
    until("the failure", || log.is_failing());
    log.append(2, &[2; 300], true).unwrap();
    let refused = log.append(3, &[3; 300], true);
    assert!(matches!(refused, Err(LogError::Full { waiting_bytes: 900, .. })), "{refused:?}");
    disk.set_faults(Faults::default());
    until("recovery", || log.synced() == 2);
    log.append(3, &[3; 300], true).unwrap();
    log.close().unwrap();
    assert_eq!(read(&disk.crash()).len(), 3);
}

#[test]
fn a_disk_that_fails_while_nobody_waits_is_noticed() {
    let disk = SimulatedStorage::new(3);
    let config = LogConfig { sync_interval: Duration::from_millis(2), ..config() };
    let mut log = start(Arc::new(disk.clone()), &config).unwrap();
    log.append(1, b"before", true).unwrap();
    until("the first sync", || log.synced() == 1);
    disk.set_faults(Faults { sync_error: 1.0, ..Faults::default() });
    log.append(2, b"lost", false).unwrap();
    until("the failure", || log.is_failing());
    log.append(3, b"lost", true).unwrap();
    match log.close() {
        Err(LogError::Unsynced { records: 2, first: 2, .. }) => {}
        other => panic!("{other:?}"),
    }
}
