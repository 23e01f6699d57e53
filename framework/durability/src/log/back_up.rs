//! Copying what is stored while a server writes.
//!
//! A snapshot is never changed under its name, and a segment is only written behind what a scan has found. So both can
//! be copied as they are. Meanwhile old segments may be removed, or become the file of a new one; then the copy does
//! not pass its checks, and is begun anew with what is newer.

use super::damage::DamageKind;
use super::error::{Doing, LogError};
use super::names::{self, UNFINISHED};
use super::read::{Scan, SegmentInfo};
use super::snapshot::SnapshotReader;
use super::verify::verify;
use super::write::lock;
use crate::storage::Storage;

/// How often a copy is begun.
const ATTEMPTS_MAX: u32 = 5;
/// How much is copied and synced at once: so little that the server's log hardly waits for it.
const COPY_BYTES: usize = 1 << 20;

/// How far a back-up is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackUpProgress {
    /// The file that is copied.
    pub file: String,
    /// Bytes of this attempt so far.
    pub done_bytes: u64,
    /// Bytes of this attempt in all.
    pub total_bytes: u64,
    /// Which attempt it is, from 1 on.
    pub attempt: u32,
}

/// What a back-up holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackUpReport {
    /// The snapshot in it; none when the log goes back to the beginning.
    pub snapshot: Option<u64>,
    /// The last record in it.
    pub last_seq: u64,
    /// Its files' bytes.
    pub bytes: u64,
    /// How often it was begun.
    pub attempts: u32,
}

impl std::fmt::Display for BackUpReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { snapshot, last_seq, bytes, .. } = self;
        match snapshot {
            Some(seq) => {
                write!(f, "snapshot {seq} and the log up to record {last_seq}, {bytes} bytes, checked")
            }
            None => write!(f, "the whole log up to record {last_seq}, {bytes} bytes, checked"),
        }
    }
}

/// Copies the newest snapshot and the log from there on to another, empty directory, and checks the copy. The server
/// goes on writing meanwhile; the copy holds all that was confirmed before it began. A restore is the same in the
/// other direction.
///
/// # Errors
/// When the source is damaged, the target is not empty, or a disk fails. The target is empty again then, if its disk
/// still works.
pub fn back_up(
    from: &dyn Storage,
    to: &dyn Storage,
    progress: &mut dyn FnMut(&BackUpProgress),
) -> Result<BackUpReport, LogError> {
    lock(to)?;
    let refuse = |reason| LogError::BackUp { from: from.describe(), to: to.describe(), reason };
    if !files(to)?.is_empty() {
        return Err(refuse("the target is not empty; choose a new directory".to_owned()));
    }
    let mut attempt = 1;
    loop {
        let copied = copy(from, to, attempt, progress);
        let error = match copied {
            Ok(Some(report)) => return Ok(report),
            Ok(None) => refuse("there is nothing in the source".to_owned()),
            Err(error) => error,
        };
        for name in files(to)? {
            to.remove(&name).doing("removing", &name)?;
        }
        to.sync_dir().doing("syncing", &to.describe())?;
        if attempt == ATTEMPTS_MAX || !is_worth_another(&error) {
            return Err(error);
        }
        attempt += 1;
    }
}

/// What a back-up's target must not have.
fn files(to: &dyn Storage) -> Result<Vec<String>, LogError> {
    let files = to.list().doing("listing", &to.describe())?;
    Ok(files.into_iter().map(|(name, _)| name).filter(|name| name != names::LOCK).collect())
}

/// Whether an error may come from a file that was removed or used anew while it was read.
fn is_worth_another(error: &LogError) -> bool {
    match error {
        LogError::Damaged(damage) => !matches!(damage.kind, DamageKind::Version(_)),
        LogError::Io { source, .. } => source.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

fn copy(
    from: &dyn Storage,
    to: &dyn Storage,
    attempt: u32,
    progress: &mut dyn FnMut(&BackUpProgress),
) -> Result<Option<BackUpReport>, LogError> {
    let snapshot = match SnapshotReader::list(from)?.last() {
        Some(&seq) => Some(SnapshotReader::open(from, seq)?.info().clone()),
        None => None,
    };
    let scan = Scan::open(from)?;
    if snapshot.is_none() && scan.segments().is_empty() {
        return Ok(None);
    }
    let mut parts = Vec::new();
    if let Some(snapshot) = &snapshot {
        // Refuses when the log does not go back so far.
        scan.records(snapshot.seq + 1)?;
        parts.push((names::snapshot(snapshot.seq), snapshot.file_bytes));
    }
    let first = snapshot.as_ref().map_or(1, |snapshot| snapshot.seq + 1);
    parts.extend(needed(scan.segments(), first).iter().map(|part| (names::segment(part.index), part.end)));

    let total_bytes = parts.iter().map(|(_, len)| len).sum();
    let mut state = BackUpProgress { file: String::new(), done_bytes: 0, total_bytes, attempt };
    for (name, len) in &parts {
        state.file.clone_from(name);
        copy_file(from, to, name, *len, &mut |bytes| {
            state.done_bytes += bytes;
            progress(&state);
        })?;
    }
    // The snapshot last: without it what is there is no back-up, and says so.
    for (name, _) in parts.iter().rev() {
        let unfinished = format!("{name}{UNFINISHED}");
        to.rename(&unfinished, name).doing("renaming", &unfinished)?;
    }
    to.sync_dir().doing("syncing", &to.describe())?;

    let report = verify(to);
    if let Some(damage) = report.damage.into_iter().next() {
        return Err(damage.into());
    }
    Ok(Some(BackUpReport {
        snapshot: snapshot.map(|snapshot| snapshot.seq),
        last_seq: report.good_to,
        bytes: total_bytes,
        attempts: attempt,
    }))
}

/// The segments with records from `first` on.
fn needed(segments: &[SegmentInfo], first: u64) -> &[SegmentInfo] {
    let before = segments.iter().take_while(|segment| segment.after_seq < first).count();
    &segments[before.saturating_sub(1)..]
}

fn copy_file(
    from: &dyn Storage,
    to: &dyn Storage,
    name: &str,
    len: u64,
    copied: &mut dyn FnMut(u64),
) -> Result<(), LogError> {
    let unfinished = format!("{name}{UNFINISHED}");
    let source = from.open(name).doing("opening", name)?;
    let target = to.create(&unfinished).doing("making", &unfinished)?;
    let mut buffer = vec![0; COPY_BYTES];
    let mut at = 0;
    while at < len {
        let wanted = COPY_BYTES.min((len - at) as usize);
        let read = source.read_up_to(&mut buffer[..wanted], at).doing("reading", name)?;
        if read == 0 {
            return Err(std::io::Error::from(std::io::ErrorKind::NotFound)).doing("reading", name);
        }
        target.write_all_at(&buffer[..read], at).doing("writing", &unfinished)?;
        target.sync_data().doing("syncing", &unfinished)?;
        at += read as u64;
        copied(read as u64);
    }
    target.sync_all().doing("syncing", &unfinished)
}
