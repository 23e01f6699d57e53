//! Cutting a damaged log.
//!
//! Each step is safe before the next begins, and none of them takes away what an interrupted repair needs: the segment
//! that is cut keeps its name and bytes until the very last one, which replaces it by its good beginning.

use super::error::{Doing, LogError};
use super::format::{Group, GroupHeader, Kind, Payload, SegmentHeader, mark};
use super::names::{self, UNFINISHED};
use super::read::{Found, Part, Row, Scan, SegmentReader, Unbroken, segment_files};
use super::snapshot::SnapshotReader;
use super::verify::verify_snapshot;
use super::write::lock;
use crate::storage::{Storage, StorageFile};

/// How much is copied at once.
const COPY_BYTES: usize = 1 << 20;
/// A group of the cut segment takes no further record beyond so many bytes.
const GROUP_BYTES_MAX: usize = 1 << 20;

/// What a repair did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepairReport {
    /// The last record of the log now.
    pub to: u64,
    /// Files that were put aside, and their names now. Nothing was deleted.
    pub put_aside: Vec<(String, String)>,
}

impl std::fmt::Display for RepairReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (from, to) in &self.put_aside {
            writeln!(f, "{from} is kept as {to}")?;
        }
        write!(f, "the log ends with record {}", self.to)
    }
}

/// Cuts a log after record `to`: what comes later, damaged or not, is put aside into files `*.cut`, as are snapshots
/// that are damaged or need later records. Takes the directory for this process. When it is interrupted, do it again.
///
/// # Errors
/// When the log is not good up to `to`, nothing would be left to start from, or the disk fails.
pub fn repair(storage: &dyn Storage, to: u64) -> Result<RepairReport, LogError> {
    lock(storage)?;
    let unbroken = Unbroken::find(storage);
    let (mut bad, mut good) = (Vec::new(), Vec::new());
    for seq in SnapshotReader::list(storage)? {
        match verify_snapshot(storage, seq) {
            Ok(snapshot) if snapshot.needs_seq <= to => good.push(snapshot),
            _ => bad.push(seq),
        }
    }
    let is_in = |row: &&Row| row.after_seq <= to && to <= row.last_seq();
    let row = unbroken.rows.iter().rev().find(|row| is_in(row) && row.can_start(to, &good));
    let part = row.and_then(|row| Some((row, *row.parts.iter().find(|part| part.last_seq >= to)?)));
    let Some((row, part)) = part else {
        let reason = match unbroken.repair_to(&good) {
            _ if unbroken.rows.iter().any(|row| is_in(&row)) => {
                "no good snapshot goes with what would be left; restore a back-up".to_owned()
            }
            Some(most) => format!("the last record that can be kept is {most}"),
            None => "nothing good would be left to start from; restore a back-up".to_owned(),
        };
        return Err(LogError::Repair { to, reason });
    };

    let mut report = RepairReport { to, put_aside: Vec::new() };
    let is_whole = Scan::open(storage).is_ok_and(|scan| scan.last_seq() == to);
    let cut = if is_whole { None } else { Some(cut_segment(storage, part, to)?) };
    let name = names::segment(part.index);
    if cut.is_some() {
        report.put_aside.push((name.clone(), copy_aside(storage, &name)?));
    }
    // What comes before a row that a snapshot makes sufficient is damaged or not to be reached.
    let first = row.parts[0].index;
    let last = if is_whole { u64::MAX } else { part.index };
    for index in segment_files(storage)?.into_keys().rev().filter(|index| !(first..=last).contains(index)) {
        put_aside(storage, names::segment(index), &mut report)?;
    }
    for seq in bad {
        put_aside(storage, names::snapshot(seq), &mut report)?;
    }
    if let Some(unfinished) = cut {
        storage.rename(&unfinished, &name).doing("renaming", &unfinished)?;
        sync_dir(storage)?;
    }
    Ok(report)
}

fn sync_dir(storage: &dyn Storage) -> Result<(), LogError> {
    storage.sync_dir().doing("syncing", &storage.describe())
}

fn free_name(storage: &dyn Storage, name: &str) -> Result<String, LogError> {
    let files = storage.list().doing("listing", &storage.describe())?;
    Ok(names::cut(name, |name| files.iter().any(|(taken, _)| taken == name)))
}

fn put_aside(storage: &dyn Storage, name: String, report: &mut RepairReport) -> Result<(), LogError> {
    let aside = free_name(storage, &name)?;
    storage.rename(&name, &aside).doing("renaming", &name)?;
    sync_dir(storage)?;
    report.put_aside.push((name, aside));
    Ok(())
}

/// Copies a file, as it is, to a name of what is put aside.
fn copy_aside(storage: &dyn Storage, name: &str) -> Result<String, LogError> {
    let aside = free_name(storage, name)?;
    let from = storage.open(name).doing("opening", name)?;
    let to = storage.create(&aside).doing("making", &aside)?;
    let mut buffer = vec![0; COPY_BYTES];
    let mut at = 0;
    loop {
        let read = from.read_up_to(&mut buffer, at).doing("reading", name)?;
        if read == 0 {
            break;
        }
        to.write_all_at(&buffer[..read], at).doing("writing", &aside)?;
        at += read as u64;
    }
    to.sync_all().doing("syncing", &aside)?;
    sync_dir(storage)?;
    Ok(aside)
}

/// Writes the records up to `to` of a segment into an unfinished file, synced, whose name it returns.
fn cut_segment(storage: &dyn Storage, part: Part, to: u64) -> Result<String, LogError> {
    let mut reader = SegmentReader::open(storage, part.index)?;
    let header = SegmentHeader { salt: storage.unique(), ..reader.header.clone() };
    let (bytes, chain) = header.encode();
    let unfinished = format!("{}{UNFINISHED}", reader.name);
    let file = storage.create(&unfinished).doing("making", &unfinished)?;
    file.write_all_at(&bytes, 0).doing("writing", &unfinished)?;
    let mut cut =
        Cut { file, salt: header.salt, at: header.len(), chain, last_seq: header.after_seq, unfinished };

    let mut group = Group::default();
    // The part was read before, up to a record that is not before `to`.
    while reader.last_seq < to
        && let Found::Group(found) = reader.next_or_end()?
    {
        cut.copy(&found, reader.payload(), to, &mut group)?;
    }
    cut.write(&mut group)?;
    let (bytes, _) = mark(Kind::Mark, cut.salt, cut.at, cut.chain, cut.last_seq);
    cut.file.write_all_at(&bytes, cut.at).doing("writing", &cut.unfinished)?;
    cut.file.sync_all().doing("syncing", &cut.unfinished)?;
    Ok(cut.unfinished)
}

/// The good beginning of a segment, while it is written.
struct Cut {
    file: Box<dyn StorageFile>,
    unfinished: String,
    salt: u64,
    at: u64,
    chain: u32,
    last_seq: u64,
}

impl Cut {
    fn copy(
        &mut self,
        header: &GroupHeader,
        payload: &[u8],
        to: u64,
        group: &mut Group,
    ) -> Result<(), LogError> {
        let mut records = Payload::new(header);
        while let Ok(Some((seq, body))) = records.next(payload) {
            if seq > to {
                break;
            }
            if !group.is_empty() && group.len_with(&payload[body.clone()]) > GROUP_BYTES_MAX {
                self.write(group)?;
            }
            group.push(seq, &payload[body]);
        }
        Ok(())
    }

    fn write(&mut self, group: &mut Group) -> Result<(), LogError> {
        if group.is_empty() {
            return Ok(());
        }
        let (bytes, chain) = group.seal_up(self.salt, self.at, self.chain);
        self.file.write_all_at(bytes, self.at).doing("writing", &self.unfinished)?;
        self.at += bytes.len() as u64;
        self.chain = chain;
        self.last_seq = group.last_seq;
        group.clear();
        Ok(())
    }
}
