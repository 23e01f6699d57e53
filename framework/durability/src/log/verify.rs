//! Reading everything, and saying what is good.

use std::fmt;

use super::damage::{Damage, DamageKind};
use super::names;
use super::read::{Scan, SegmentInfo, TornTail, Unbroken};
use super::snapshot::{SnapshotInfo, SnapshotReader};
use crate::storage::Storage;

/// What [`verify`] found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The log's segments in order, as far as it can be told.
    pub segments: Vec<SegmentInfo>,
    /// The log holds the records above this number.
    pub after_seq: u64,
    /// The last record of the unbroken row.
    pub good_to: u64,
    /// How many records that row has.
    pub records: u64,
    /// The write that was under way at the end, if one was. It is no damage.
    pub torn_tail: Option<TornTail>,
    /// Whole snapshots, oldest first.
    pub snapshots: Vec<SnapshotInfo>,
    /// All that is damaged. Of the log only the first place: what is behind it can't be trusted.
    pub damage: Vec<Damage>,
    /// If something is damaged: the last record up to which a repair can keep the log, if it can at all.
    pub repair_to: Option<u64>,
    /// Files that a repair has put aside.
    pub put_aside: Vec<String>,
}

impl Report {
    /// Whether a server would start on it.
    pub fn is_good(&self) -> bool {
        self.damage.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (self.after_seq + 1, self.good_to);
        match self.records {
            0 => writeln!(f, "log: no records")?,
            count => {
                writeln!(f, "log: {count} records, {from} to {to}, in {} segments", self.segments.len())?;
            }
        }
        if let Some(torn) = &self.torn_tail {
            writeln!(f, "note: {torn}")?;
        }
        for SnapshotInfo { seq, needs_seq, chunks, file_bytes } in &self.snapshots {
            writeln!(
                f,
                "snapshot: {}, {chunks} chunks, {file_bytes} bytes, made while records {seq} to {needs_seq} were",
                names::snapshot(*seq)
            )?;
        }
        for file in &self.put_aside {
            writeln!(f, "put aside by a repair: {file}")?;
        }
        for damage in &self.damage {
            writeln!(f, "DAMAGE: {damage}")?;
        }
        match self.repair_to {
            _ if self.is_good() => write!(f, "all is good"),
            Some(to) => write!(
                f,
                "`evertick log repair --to {to} --data DIR` keeps all up to record {to} and puts the rest aside; or \
                 restore a back-up"
            ),
            None => write!(f, "no repair leaves anything to start from: restore a back-up"),
        }
    }
}

/// How often a directory is read while it seems damaged: a server may have removed a file just then.
const ATTEMPTS_MAX: u32 = 3;

/// Reads all of a directory and checks it: every record, every chunk of every snapshot, and that they fit together.
/// Changes nothing, and may run beside a server. Takes as long as reading the files does; when something is damaged,
/// three times that.
pub fn verify(storage: &dyn Storage) -> Report {
    let mut report = verify_once(storage);
    for _ in 1..ATTEMPTS_MAX {
        if report.is_good() {
            break;
        }
        report = verify_once(storage);
    }
    report
}

fn verify_once(storage: &dyn Storage) -> Report {
    let mut report = Report::default();
    // Before the log, which then has all that a snapshot needs.
    let snapshots = verify_snapshots(storage, &mut report);
    let mut rows = Vec::new();
    if let Err(damage) = verify_log(storage, &mut report) {
        let unbroken = Unbroken::find(storage);
        report.good_to = damage.good_to;
        report.repair_to = unbroken.repair_to(&snapshots);
        rows = unbroken.rows;
        report.damage.push(damage);
    } else {
        let has = |snapshot: &SnapshotInfo| snapshot.needs_seq <= report.good_to;
        let start = report.segments.first().is_none_or(|first| first.index == 1) || snapshots.iter().any(has);
        report.repair_to = start.then_some(report.good_to);
    }
    for info in snapshots {
        if rows.is_empty() && info.needs_seq > report.good_to {
            report.damage.push(Damage {
                file: names::snapshot(info.seq),
                offset: 0,
                kind: DamageKind::SnapshotAhead { needs: info.needs_seq },
                good_to: 0,
                next: None,
            });
        } else {
            report.snapshots.push(info);
        }
    }
    match storage.list() {
        Ok(files) => {
            let names = files.into_iter().map(|(name, _)| name);
            report.put_aside = names.filter(|name| name.ends_with(names::CUT)).collect();
        }
        Err(error) => report.damage.push(unreadable(storage, &error.to_string())),
    }
    report
}

fn unreadable(storage: &dyn Storage, error: &str) -> Damage {
    let kind = DamageKind::Unreadable(error.to_owned());
    Damage { file: storage.describe(), offset: 0, kind, good_to: 0, next: None }
}

fn verify_log(storage: &dyn Storage, report: &mut Report) -> Result<(), Damage> {
    let scan = Scan::open(storage)?;
    report.segments = scan.segments().to_vec();
    report.after_seq = scan.after_seq();
    report.torn_tail = scan.torn_tail().cloned();
    report.good_to = report.after_seq;
    let mut records = scan.records(report.after_seq + 1)?;
    while let Some(record) = records.next()? {
        report.good_to = record.seq;
        report.records += 1;
    }
    Ok(())
}

/// The snapshots that are whole.
fn verify_snapshots(storage: &dyn Storage, report: &mut Report) -> Vec<SnapshotInfo> {
    let mut whole = Vec::new();
    match SnapshotReader::list(storage) {
        Err(error) => report.damage.push(unreadable(storage, &error.to_string())),
        Ok(found) => {
            for seq in found {
                match verify_snapshot(storage, seq) {
                    Ok(info) => whole.push(info),
                    Err(damage) => report.damage.push(damage),
                }
            }
        }
    }
    whole
}

/// Reads a snapshot wholly.
pub(super) fn verify_snapshot(storage: &dyn Storage, seq: u64) -> Result<SnapshotInfo, Damage> {
    let mut snapshot = SnapshotReader::open(storage, seq)?;
    while snapshot.next()?.is_some() {}
    Ok(snapshot.info().clone())
}
