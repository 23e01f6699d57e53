//! Data that is damaged is never started on.

use evertick_durability::storage::Storage;
use evertick_durability::storage::simulated::SimulatedStorage;
use evertick_durability::{DamageKind, OpenError};

use crate::support::*;

/// A disk with a closed world of several segments and two snapshots.
fn played() -> (SimulatedStorage, Vec<i64>) {
    let disk = disk();
    let (mut server, _) = boot(&disk, vec![game(1.0)]).unwrap();
    for _ in 0..30 {
        let commit = server.call(TRANSFER, &[0, 1]);
        server.wait(commit);
    }
    server.journal.snapshot();
    while server.journal.stats().snapshots.finished < 1 {
        server.tick();
    }
    for _ in 0..30 {
        let commit = server.call(TRANSFER, &[2, 3]);
        server.wait(commit);
    }
    let balances = server.balances();
    server.close();
    (disk.kill(), balances)
}

fn refusal(disk: &SimulatedStorage) -> OpenError {
    let before = files(disk);
    let Err(error) = boot(disk, vec![game(1.0)]) else { panic!("it starts on damaged data") };
    assert!(before == files(disk), "a refusal changes nothing");
    error
}

#[test]
fn a_bit_that_flips_is_found_or_makes_no_difference() {
    let (disk, balances) = played();
    let saved = files(&disk);
    let mut refused = 0;
    for (name, bytes) in &saved {
        for offset in (0..bytes.len() as u64).step_by(997) {
            let disk = disk_with(&saved);
            disk.flip_bit(name, offset, offset as u8).unwrap();
            match boot(&disk, vec![game(1.0)]) {
                Ok((server, _)) => assert_eq!(server.balances(), balances, "{name} at {offset}"),
                Err(OpenError::Damaged(damage)) => {
                    refused += 1;
                    assert!(damage.to_string().contains("evertick log"), "{damage}");
                }
                Err(error) => panic!("{name} at {offset}: {error}"),
            }
        }
    }
    assert!(refused > 10, "{refused}");
}

#[test]
fn a_missing_segment_is_named() {
    let (disk, _) = played();
    let saved = files(&disk);
    let segments: Vec<&String> =
        saved.iter().map(|(name, _)| name).filter(|name| name.starts_with("log-")).collect();
    assert!(segments.len() > 3);
    // The snapshot has all that the first one says.
    for segment in &segments[segments.len() - 2..] {
        let disk = disk_with(&saved);
        disk.remove(segment).unwrap();
        let error = refusal(&disk);
        let OpenError::Damaged(damage) = &error else { panic!("{error}") };
        assert!(matches!(damage.kind, DamageKind::MissingSegment(_)), "{damage}");
    }
}

#[test]
fn a_log_without_snapshots_is_refused() {
    let (disk, _) = played();
    for (name, _) in files(&disk) {
        if name.starts_with("snapshot") {
            disk.remove(&name).unwrap();
        }
    }
    assert!(matches!(refusal(&disk), OpenError::NoSnapshot { last_seq: 62.., .. }));
}

#[test]
fn snapshots_without_their_log_are_refused() {
    let (disk, _) = played();
    for (name, _) in files(&disk) {
        if name.starts_with("log-") {
            disk.remove(&name).unwrap();
        }
    }
    let error = refusal(&disk);
    let OpenError::Damaged(damage) = &error else { panic!("{error}") };
    assert!(matches!(damage.kind, DamageKind::SnapshotAhead { .. }), "{damage}");
}
