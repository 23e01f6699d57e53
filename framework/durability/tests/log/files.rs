//! Real files.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use evertick_durability::{DirectoryStorage, LogError, Scan, SnapshotWriter, Storage, back_up, verify};

use crate::support::{TestDir, config, read, start, until};

#[test]
fn a_log_is_continued_where_it_ended() {
    let dir = TestDir::new("continued");
    let mut expected = Vec::new();
    for life in 0..4_u64 {
        let storage = dir.storage();
        let mut log = start(storage.clone(), &config()).unwrap();
        for seq in life * 1000 + 1..=life * 1000 + 300 {
            let body = seq.to_le_bytes().repeat(1 + seq as usize % 300);
            log.append(seq, &body, seq % 7 == 0).unwrap();
            expected.push((seq, body));
        }
        log.close().unwrap();
        assert_eq!(read(&*storage), expected);
        assert_eq!(Scan::open(&*storage).unwrap().preamble(), b"preamble");
    }
    let report = verify(&*dir.storage());
    assert!(report.is_good() && report.records == 1200, "{report}");
    // Reading begins where one asks, also in the middle of a segment.
    let storage = dir.storage();
    let mut records = Scan::open(&*storage).unwrap().records(2150).unwrap();
    assert_eq!(records.next().unwrap().unwrap().seq, 2150);
}

#[test]
fn one_directory_is_one_servers() {
    let dir = TestDir::new("locked");
    let log = start(dir.storage(), &config()).unwrap();
    let second = start(dir.storage(), &config());
    assert!(matches!(second, Err(LogError::Locked(_))), "{second:?}");
    // Readers are welcome.
    assert!(verify(&*dir.storage()).is_good());
    log.close().unwrap();
    start(dir.storage(), &config()).unwrap().close().unwrap();
}

#[test]
fn names_stay_in_the_directory() {
    let dir = TestDir::new("names");
    let storage = dir.storage();
    for name in ["../x", "a/b", "", ".", ".hidden", "a\0b"] {
        assert!(storage.create(name).is_err(), "{name:?}");
    }
    assert!(DirectoryStorage::existing(dir.path().join("nothing")).is_err());
    assert_ne!(storage.unique(), storage.unique());
}

#[test]
fn a_back_up_is_made_while_records_are_written_and_old_ones_removed() {
    let (dir, target) = (TestDir::new("source"), TestDir::new("target"));
    let storage = dir.storage();
    let mut log = start(storage.clone(), &config()).unwrap();
    for seq in 1..=100 {
        log.append(seq, &[seq as u8; 5000], true).unwrap();
    }
    until("the sync", || log.synced() == 100);
    let mut snapshot = SnapshotWriter::create(storage.clone(), 60, b"rows").unwrap();
    snapshot.chunk(&[9; 100_000]).unwrap();
    snapshot.finish(100).unwrap();

    let done = Arc::new(AtomicBool::new(false));
    let is_done = Arc::clone(&done);
    let writer = std::thread::spawn(move || {
        let mut seq = 100;
        while !is_done.load(Ordering::Relaxed) && seq < 20_000 {
            seq += 1;
            log.append(seq, &[seq as u8; 5000], true).unwrap();
            // Only what no snapshot needs.
            log.remove_before(61);
        }
        log.close().unwrap();
    });
    let report = back_up(&*dir.storage(), &*target.storage(), &mut |_| {}).unwrap();
    done.store(true, Ordering::Relaxed);
    writer.join().unwrap();

    assert!(report.snapshot == Some(60) && report.last_seq >= 100, "{report}");
    let copy = read(&*target.storage());
    assert!(copy[0].0 <= 61 && copy.last().unwrap().0 == report.last_seq);
    assert!(copy.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0));
    // A restore is the way back, and a server goes on from it.
    let restored = TestDir::new("restored");
    back_up(&*target.storage(), &*restored.storage(), &mut |_| {}).unwrap();
    let mut log = start(restored.storage(), &config()).unwrap();
    log.append(report.last_seq + 1, b"next", true).unwrap();
    log.close().unwrap();
    assert_eq!(read(&*restored.storage()).len(), copy.len() + 1);
}
