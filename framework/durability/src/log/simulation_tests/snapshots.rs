//! Snapshot files: whole or not there, and no changed bit goes unseen.

use std::sync::Arc;

use super::seeds;
use crate::log::damage::Damage;
use crate::log::error::LogError;
use crate::log::names;
use crate::log::snapshot::{SnapshotReader, SnapshotWriter};
use crate::storage::Storage;
use crate::storage::simulated::{Faults, Random, SimulatedStorage};

fn write(disk: &SimulatedStorage, seq: u64, chunks: &[Vec<u8>]) -> Result<(), LogError> {
    let mut writer = SnapshotWriter::create(Arc::new(disk.clone()), seq, b"what it is")?;
    for chunk in chunks {
        writer.chunk(chunk)?;
    }
    writer.finish(seq + 3).map(drop)
}

fn read(disk: &SimulatedStorage, seq: u64) -> Result<Vec<Vec<u8>>, Damage> {
    let mut reader = SnapshotReader::open(disk, seq)?;
    assert_eq!(reader.preamble(), b"what it is");
    assert_eq!((reader.info().seq, reader.info().needs_seq), (seq, seq + 3));
    let mut chunks = Vec::new();
    while let Some(chunk) = reader.next()? {
        chunks.push(chunk.to_vec());
    }
    assert_eq!(chunks.len() as u64, reader.info().chunks);
    Ok(chunks)
}

fn chunks(random: &mut Random) -> Vec<Vec<u8>> {
    let mut chunk = || match random.below(10) {
        0 => vec![1; random.below(600_000)],
        _ => (0..random.below(2000)).map(|_| random.next() as u8).collect(),
    };
    (0..12).map(|_| chunk()).collect()
}

#[test]
fn a_snapshot_is_whole_or_not_there_whatever_happens() {
    seeds(300, |seed| {
        let disk = SimulatedStorage::new(seed);
        let mut random = Random::new(seed);
        let first = chunks(&mut random);
        write(&disk, 10, &first).unwrap();
        let second = chunks(&mut random);
        disk.set_faults(Faults {
            short_write: 0.3,
            write_error: if seed % 3 == 0 { 0.02 } else { 0.0 },
            sync_error: if seed % 3 == 1 { 0.1 } else { 0.0 },
            directory_error: if seed % 5 == 0 { 0.1 } else { 0.0 },
            capacity_bytes: None,
            power_off_after: Some(random.below(30) as u64),
        });
        let finished = write(&disk, 20, &second).is_ok();
        let disk = disk.crash();
        assert_eq!(read(&disk, 10).as_ref(), Ok(&first));
        let there = SnapshotReader::list(&disk).unwrap();
        if there.contains(&20) {
            assert_eq!(read(&disk, 20).as_ref(), Ok(&second));
        } else {
            assert!(!finished);
        }
    });
}

#[test]
fn a_changed_bit_in_a_snapshot_is_told() {
    seeds(300, |seed| {
        let disk = SimulatedStorage::new(seed);
        let mut random = Random::new(seed);
        let chunks = chunks(&mut random);
        write(&disk, 10, &chunks).unwrap();
        let name = names::snapshot(10);
        let len = disk.list().unwrap()[0].1;
        let at = random.below(len as usize) as u64;
        disk.flip_bit(&name, at, random.below(8) as u8).unwrap();
        let damage = read(&disk, 10).unwrap_err();
        assert_eq!(damage.file, name);
        assert!(damage.offset <= at, "{damage}: the bit is at {at}");
        assert!(damage.to_string().contains("evertick log verify"), "{damage}");
    });
}

#[test]
fn one_that_is_given_up_leaves_nothing() {
    let disk = SimulatedStorage::new(1);
    let mut writer = SnapshotWriter::create(Arc::new(disk.clone()), 7, b"").unwrap();
    writer.chunk(&[5; 1000]).unwrap();
    assert_eq!(disk.list().unwrap().len(), 1);
    drop(writer);
    assert_eq!(disk.list().unwrap(), []);
}
