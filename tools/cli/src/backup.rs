//! Copies of data directories.

use std::path::Path;
use std::time::{Duration, Instant};

use evertick_durability::{BackUpProgress, BackUpReport, DirectoryStorage, Scan, TornTail, back_up as copy};

use crate::directory;
use crate::outcome::{Failure, Outcome};

/// How often the progress of a long copy is told.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// Runs `evertick backup`.
pub(crate) fn back_up(data: &Path, to: &Path) -> Result<Outcome, Failure> {
    let report = run(data, to)?;
    println!("{} is backed up and verified: {report}", data.display());
    println!("restore it with `evertick restore {} --data DIR`", to.display());
    Ok(Outcome::Fine)
}

/// Runs `evertick restore`.
pub(crate) fn restore(from: &Path, data: &Path) -> Result<Outcome, Failure> {
    refuse_torn(from)?;
    let report = run(from, data)?;
    println!("{} is restored and verified: {report}", data.display());
    Ok(Outcome::Fine)
}

/// A server's directory may end within a write that was under way; a backup never does, so one that does has lost what was
/// confirmed.
fn refuse_torn(from: &Path) -> Result<(), Failure> {
    let source = directory::existing(from)?;
    let scan = Scan::open(&source).map_err(Failure::damage)?;
    match scan.torn_tail() {
        None => Ok(()),
        Some(TornTail { file, offset, .. }) => Err(Failure::damage(format!(
            "the backup {} is damaged: {file} is not whole from byte {offset} on, and `evertick backup` verifies what it \
             writes. Restore another backup; or, if this is a copy of a server's directory made by other means, copy it back by \
             the same means",
            from.display()
        ))),
    }
}

fn run(from: &Path, to: &Path) -> Result<BackUpReport, Failure> {
    let source = directory::existing(from)?;
    let target = DirectoryStorage::open(to).map_err(|error| {
        Failure::new(format!("can't open {}: {error}; check the path and its permissions", to.display()))
    })?;
    let mut told = Instant::now();
    let mut progress = |progress: &BackUpProgress| {
        if told.elapsed() >= PROGRESS_INTERVAL {
            told = Instant::now();
            let BackUpProgress { file, done_bytes, total_bytes, attempt } = progress;
            let again = if *attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
            eprintln!("{done_bytes} of {total_bytes} bytes: {file}{again}");
        }
    };
    Ok(copy(&source, &target, &mut progress)?)
}
