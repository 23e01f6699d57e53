//! The queue is bounded, and so is the disk.

use std::sync::Arc;

use evertick_durability::storage::simulated::SimulatedStorage;
use evertick_durability::{LogConfig, Storage};

use crate::support::{TestDir, config, read, start, until};

#[test]
fn a_full_queue_makes_the_caller_wait_and_loses_nothing() {
    for config in [
        LogConfig { queue_bytes_max: 5000, ..config() },
        LogConfig { queue_records_max: 7, ..config() },
        LogConfig { queue_bytes_max: 1, group_bytes_max: 1, ..config() },
    ] {
        let disk = SimulatedStorage::new(1);
        let mut log = start(Arc::new(disk.clone()), &config).unwrap();
        for seq in 1..=500 {
            log.append(seq, &[seq as u8; 100], false).unwrap();
            assert!(log.stats().waiting_bytes <= config.queue_bytes_max.max(100));
        }
        // A record larger than everything goes through alone.
        log.append(501, &[1; 600_000], true).unwrap();
        until("the sync", || log.synced() == 501);
        assert_eq!(log.stats().records, 501);
        log.close().unwrap();
        assert_eq!(read(&disk).len(), 501);
    }
}

#[test]
fn old_segments_make_room_and_serve_again() {
    let dir = TestDir::new("retention");
    let storage = dir.storage();
    let config = config();
    let mut log = start(storage.clone(), &config).unwrap();
    let mut most = 0;
    for seq in 1..=400 {
        log.append(seq, &[seq as u8; 20_000], true).unwrap();
        until("the sync", || log.synced() == seq);
        log.remove_before(seq.saturating_sub(20));
        if seq % 20 == 0 {
            let files = storage.list().unwrap();
            most = most.max(files.iter().map(|(_, len)| len).sum());
        }
    }
    // 8 MB were written; two segments, the one that is written, a spare one and those on their way out remain.
    until("the removal", || log.stats().disk_bytes <= 5 * config.segment_bytes);
    assert!(most <= 12 * config.segment_bytes, "{most} bytes at one time");
    log.close().unwrap();
    let left = read(&*storage);
    assert!(left[0].0 <= 380 && left.last().unwrap().0 == 400);
    assert!(left.iter().all(|(seq, body)| body.iter().all(|byte| *byte == *seq as u8)));
}
