//! Repairs cut exactly where they are told to, throw nothing away, and may be interrupted.

use std::sync::Arc;

use super::damage::{log, read};
use super::{Run, seeds};
use crate::log::error::LogError;
use crate::log::names;
use crate::log::repair::repair;
use crate::log::snapshot::SnapshotWriter;
use crate::log::verify::verify;
use crate::storage::Storage;
use crate::storage::simulated::Faults;

#[test]
fn a_damaged_log_is_cut_where_it_says_and_can_be_continued() {
    seeds(300, |seed| {
        let mut run = Run::new(seed);
        let segments = log(&mut run, true);
        let segment = segments[run.random.below(segments.len())].clone();
        let name = names::segment(segment.index);
        let before = segments[0].after_seq;
        match run.random.below(3) {
            0 => run.disk.remove(&name).unwrap(),
            _ => {
                let at = run.random.below(segment.end as usize) as u64;
                run.disk.flip_bit(&name, at, 3).unwrap();
            }
        }
        let report = verify(&run.disk);
        let good = report.is_good();
        let files: Vec<_> = run.disk.list().unwrap();
        let Some(to) = report.repair_to else {
            // The beginning is gone or damaged, and there is no snapshot.
            assert!(before > 0 || segment == segments[0]);
            assert!(repair(&run.disk, report.good_to).is_err());
            assert_eq!(run.disk.list().unwrap(), files, "a refusal changes nothing");
            return;
        };
        assert_eq!(to, report.good_to);
        repair(&run.disk, to).unwrap();
        let report = verify(&run.disk);
        assert!(report.is_good(), "{report}");
        assert_eq!(report.good_to, to);
        // All that was there is there, under its name or put aside.
        for (name, _) in &files {
            let is_there = |other: &str| run.disk.open(other).is_ok();
            assert!(
                is_there(name) || is_there(&format!("{name}.cut")) || names::is_unfinished(name),
                "{name}"
            );
        }
        run.history.retain(|(seq, _)| *seq <= to);
        run.confirmed = run.history.len();
        assert_eq!(read(&run.disk).0, run.history);
        if !good {
            assert!(run.start(Faults::default()) && run.append());
            run.stop();
            run.check();
        }
    });
}

#[test]
fn a_good_log_can_be_cut_after_any_record() {
    seeds(200, |seed| {
        let mut run = Run::new(seed);
        log(&mut run, false);
        let (mut found, damage) = read(&run.disk);
        assert!(damage.is_none());
        if found.first().map(|(seq, _)| *seq) != run.history.first().map(|(seq, _)| *seq) {
            return;
        }
        let to = found[run.random.below(found.len())].0;
        let report = repair(&run.disk, to).unwrap();
        assert_eq!(report.to, to);
        found.retain(|(seq, _)| *seq <= to);
        assert_eq!(read(&run.disk).0, found);
        // Once more changes nothing.
        assert!(repair(&run.disk, to).unwrap().put_aside.is_empty());
        let beyond = repair(&run.disk, to + 1);
        assert!(matches!(beyond, Err(LogError::Repair { .. })), "{beyond:?}");
    });
}

#[test]
fn a_repair_that_is_interrupted_anywhere_can_be_done_again() {
    seeds(5, |seed| {
        for operations in 0.. {
            let mut run = Run::new(seed);
            log(&mut run, true);
            let (mut found, _) = read(&run.disk);
            if found.first().map(|(seq, _)| *seq) != run.history.first().map(|(seq, _)| *seq) {
                return;
            }
            let to = found[found.len() / 2].0;
            run.disk.set_faults(Faults { power_off_after: Some(operations), ..Faults::default() });
            let interrupted = repair(&run.disk, to).is_err();
            run.disk = run.disk.crash();
            repair(&run.disk, to).unwrap();
            let report = verify(&run.disk);
            assert!(report.is_good(), "{report}");
            found.retain(|(seq, _)| *seq <= to);
            assert_eq!(read(&run.disk).0, found);
            if !interrupted {
                break;
            }
        }
    });
}

#[test]
fn snapshots_that_need_what_is_cut_are_put_aside() {
    let mut run = Run::new(5);
    assert!(run.start(Faults::default()));
    while run.last_seq() < 100 {
        assert!(run.append());
    }
    run.close();
    let seqs: Vec<u64> = run.history.iter().map(|(seq, _)| *seq).collect();
    for (seq, needs) in [(seqs[3], seqs[5]), (seqs[10], seqs[30])] {
        let mut writer = SnapshotWriter::create(Arc::new(run.disk.clone()), seq, b"").unwrap();
        writer.chunk(b"rows").unwrap();
        writer.finish(needs).unwrap();
    }
    let report = repair(&run.disk, seqs[20]).unwrap();
    let second = names::snapshot(seqs[10]);
    assert!(report.put_aside.contains(&(second.clone(), format!("{second}.cut"))), "{report}");
    let report = verify(&run.disk);
    assert!(report.is_good() && report.snapshots.len() == 1 && report.good_to == seqs[20], "{report}");
}

#[test]
fn a_snapshot_makes_what_is_damaged_before_it_needless() {
    seeds(100, |seed| {
        let mut run = Run::new(seed);
        let segments = log(&mut run, true);
        let last = segments.last().unwrap();
        let mut writer = SnapshotWriter::create(Arc::new(run.disk.clone()), last.after_seq, b"").unwrap();
        writer.chunk(b"rows").unwrap();
        writer.finish(run.last_seq()).unwrap();
        if segments.len() < 2 {
            return;
        }
        let damaged = &segments[run.random.below(segments.len() - 1)];
        let at = run.random.below(damaged.end as usize) as u64;
        run.disk.flip_bit(&names::segment(damaged.index), at, 5).unwrap();
        let report = verify(&run.disk);
        assert!(!report.is_good());
        assert_eq!(report.repair_to, Some(run.last_seq()), "{report}");
        repair(&run.disk, run.last_seq()).unwrap();
        let report = verify(&run.disk);
        assert!(
            report.is_good() && report.good_to == run.last_seq() && report.snapshots.len() == 1,
            "{report}"
        );
        assert!(report.after_seq <= last.after_seq);
    });
}
