//! When records are written: at once if somebody waits, at the latest after an interval, and at the end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use evertick_durability::storage::simulated::SimulatedStorage;
use evertick_durability::{Log, LogConfig, LogEnd, Scan, Storage};

use crate::support::{config, read, start, until};

#[test]
fn an_awaited_record_is_synced_at_once_with_what_came_before_it() {
    let disk = SimulatedStorage::new(1);
    let told = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&told);
    let on_synced = Box::new(move |seq| shared.lock().unwrap().push(seq));
    let mut log =
        Log::start(Arc::new(disk.clone()), &config(), LogEnd::empty_after(0), Vec::new(), on_synced).unwrap();
    log.append(1, b"one", false).unwrap();
    log.append(2, b"two", true).unwrap();
    until("the sync", || log.synced() == 2);
    until("the call", || told.lock().unwrap().last() == Some(&2));
    // What is told is on the disk: the power goes now.
    assert_eq!(read(&disk.crash()), [(1, b"one".to_vec()), (2, b"two".to_vec())]);
    drop(log);
    let told = told.lock().unwrap();
    assert!(told.is_sorted() && told.len() <= 2, "{told:?}");
}

#[test]
fn a_record_that_nobody_waits_for_is_synced_after_the_interval() {
    let disk = SimulatedStorage::new(1);
    let config = LogConfig { sync_interval: Duration::from_millis(10), ..config() };
    let mut log = start(Arc::new(disk.clone()), &config).unwrap();
    log.append(7, b"seven", false).unwrap();
    until("the sync", || log.synced() == 7);
    // When nothing follows, the group is proven by a mark.
    let name =
        disk.list().unwrap().into_iter().map(|(name, _)| name).find(|name| name.starts_with("log-")).unwrap();
    let mark_at = 2 * 4096;
    until("the mark", || {
        let mut magic = [0; 4];
        disk.open(&name).unwrap().read_at(&mut magic, mark_at).unwrap();
        &magic == b"EvGr"
    });
    drop(log);
    // From now on a flipped bit in the group is damage and no torn tail.
    disk.flip_bit(&name, 4096 + 70, 0).unwrap();
    assert!(Scan::open(&disk).is_err());
}

#[test]
fn closing_syncs_what_nobody_waits_for() {
    let disk = SimulatedStorage::new(1);
    let mut log = start(Arc::new(disk.clone()), &config()).unwrap();
    for seq in 1..=100 {
        log.append(seq, &[seq as u8; 50], false).unwrap();
    }
    assert_eq!(log.synced(), 0);
    log.close().unwrap();
    assert_eq!(read(&disk.crash()).len(), 100);
}

#[test]
fn numbers_must_rise() {
    let mut log = start(Arc::new(SimulatedStorage::new(1)), &config()).unwrap();
    log.append(5, b"", true).unwrap();
    assert!(log.append(5, b"", true).unwrap_err().to_string().contains("numbers must rise"));
    log.append(9, b"", true).unwrap();
    log.close().unwrap();
}
