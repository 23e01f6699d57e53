//! Damage is always told, and told from torn tails.

use super::{Run, seeds};
use crate::log::damage::{Damage, DamageKind};
use crate::log::names;
use crate::log::read::{Scan, SegmentInfo};
use crate::storage::Storage;
use crate::storage::simulated::{Faults, SimulatedStorage};

/// A log of a few lives without faults. The last one was closed or not.
pub(super) fn log(run: &mut Run, closed: bool) -> Vec<SegmentInfo> {
    for _ in 0..3 {
        assert!(run.start(Faults::default()));
        for _ in 0..run.random.below(15) {
            assert!(run.append());
            run.step();
        }
        assert!(run.append());
        if closed {
            run.close();
        } else {
            run.disk = run.disk.crash();
        }
    }
    run.check().unwrap().segments().to_vec()
}

/// Reads all that can be read.
pub(super) fn read(disk: &SimulatedStorage) -> (Vec<(u64, Vec<u8>)>, Option<Damage>) {
    let mut found = Vec::new();
    let scan = match Scan::open(disk) {
        Ok(scan) => scan,
        Err(damage) => return (found, Some(damage)),
    };
    let mut records = scan.records(scan.after_seq() + 1).unwrap();
    loop {
        match records.next() {
            Ok(Some(record)) => found.push((record.seq, record.body.to_vec())),
            Ok(None) => return (found, None),
            Err(damage) => return (found, Some(damage)),
        }
    }
}

#[test]
fn a_flipped_bit_in_what_was_synced_is_told_with_file_and_place() {
    seeds(400, |seed| {
        let mut run = Run::new(seed);
        let segments = log(&mut run, true);
        let segment = &segments[run.random.below(segments.len())];
        let name = names::segment(segment.index);
        // The closing mark, the last block of the last segment, proves that what is before it was synced.
        let is_last = segment == segments.last().unwrap();
        let end = if is_last { segment.end - 4096 } else { segment.end };
        let at = run.random.below(end as usize) as u64;
        run.disk.flip_bit(&name, at, run.random.below(8) as u8).unwrap();

        let (found, damage) = read(&run.disk);
        let damage = damage.expect("the bit is told");
        assert_eq!(damage.file, name, "{damage}");
        assert!(damage.offset <= at, "{damage}: the bit is at {at}");
        let after = segments[0].after_seq;
        let expected: Vec<_> = run.history.iter().filter(|(seq, _)| *seq > after).cloned().collect();
        assert!(expected.starts_with(&found));
        // What it says is good is good, and there is no more.
        let good: Vec<_> = expected.iter().filter(|(seq, _)| *seq <= damage.good_to).collect();
        assert!(good.len() >= found.len());
        if let Some(next) = damage.next {
            assert!(next > damage.good_to && run.history.iter().any(|(seq, _)| *seq == next));
        }
        assert!(damage.to_string().contains("evertick log verify"));
    });
}

#[test]
fn a_flipped_bit_in_the_last_group_is_never_read_as_something_else() {
    seeds(300, |seed| {
        let mut run = Run::new(seed);
        let segments = log(&mut run, false);
        let last = segments.last().unwrap();
        let name = names::segment(last.index);
        let at = run.random.below(last.end as usize) as u64;
        run.disk.flip_bit(&name, at, run.random.below(8) as u8).unwrap();
        let (found, damage) = read(&run.disk);
        let expected: Vec<_> =
            run.history.iter().filter(|(seq, _)| *seq > segments[0].after_seq).cloned().collect();
        assert!(expected.starts_with(&found));
        if damage.is_none() {
            // Nothing proves that the last group was synced, so it is cut; all before it is there.
            assert!(expected.len() - found.len() <= 4, "more than a group is gone");
        }
    });
}

#[test]
fn a_missing_segment_is_told_and_old_ones_are_not_missed() {
    seeds(200, |seed| {
        let mut run = Run::new(seed);
        let segments = log(&mut run, true);
        let gone = run.random.below(segments.len());
        run.disk.remove(&names::segment(segments[gone].index)).unwrap();
        match Scan::open(&run.disk) {
            // Without the first one it is like a log of which the beginning is not needed any more. Who needs it
            // hears of it.
            Ok(scan) => {
                assert_eq!(gone, 0);
                let damage = scan.records(segments[0].after_seq + 1).err();
                match segments.get(1) {
                    Some(second) => assert_eq!(
                        damage.unwrap().kind,
                        DamageKind::MissingRecords { from: segments[0].after_seq + 1, to: second.after_seq }
                    ),
                    None => assert_eq!(scan.last_seq(), 0),
                }
            }
            Err(damage) => {
                assert_eq!(damage.kind, DamageKind::MissingSegment(segments[gone].index), "{damage}");
                assert_eq!(damage.good_to, segments[gone].after_seq);
            }
        }
    });
}
