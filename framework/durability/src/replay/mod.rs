//! Running a recording again: the same causes on the same image, and every delta compared.

mod error;
mod run;

use evertick_world::Simulation;

pub use error::{Divergence, ReplayError};

use crate::log::{Scan, SnapshotReader};
use crate::record::{Parts, Preamble, Shapes, read};
use crate::recover::Stored;
use crate::storage::Storage;
use run::{ImageRead, Run, Stop};

/// How often progress is told: once for so many commits.
const PROGRESS_COMMITS: u64 = 1024;

/// What a replay has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplayReport {
    /// Commits that were compared.
    pub commits: u64,
    /// What the simulation was told to do: calls, ticks, sessions.
    pub causes: u64,
    /// Runs of reducers and systems that were compared.
    pub runs: u64,
    /// The last record, and the recording's last.
    pub seq: u64,
    /// The recording's last record.
    pub last_seq: u64,
    /// The tick it came to.
    pub tick: u64,
}

/// Runs the recording in `storage` on `simulation`, which is new and has the modules that it was made with, compiled
/// to WebAssembly or linked. Stops at the first difference.
///
/// Cost: what the recorded play cost, without waiting.
///
/// # Errors
/// [`ReplayError::Diverged`] names the first reducer or system that did something else. Anything else says why the
/// recording can't be run.
pub fn replay(
    storage: &dyn Storage,
    simulation: &mut Simulation,
    progress: &mut dyn FnMut(&ReplayReport),
) -> Result<ReplayReport, ReplayError> {
    if !SnapshotReader::list(storage)?.contains(&0) {
        return Err(ReplayError::NotARecording { directory: storage.describe() });
    }
    let stored = Stored::open(storage, 0)?;
    check_modules(&stored.preamble, simulation)?;
    simulation.read_image(&mut ImageRead::new(stored.reader))?;
    simulation.renew();
    simulation.trace(true);

    let shapes = Shapes::of(simulation.world().row_types());
    let scan = Scan::open(storage)?;
    let mut run = Run::new(simulation, scan.last_seq());
    let (mut records, mut parts) = (scan.records(1)?, Parts::default());
    while let Some(record) = records.next()? {
        let seq = record.seq;
        let malformed = |error| ReplayError::Record { seq, error };
        let Some(whole) = parts.push(seq, record.body).map_err(malformed)? else { continue };
        run.begin(seq);
        read(whole.bytes, &shapes, &mut run).map_err(|Stop(error)| malformed(error))?;
        run.commit().map_err(|divergence| ReplayError::Diverged(Box::new(divergence)))?;
        if run.report.commits.is_multiple_of(PROGRESS_COMMITS) {
            progress(&run.report);
        }
    }
    let report = run.report;
    simulation.trace(false);
    Ok(report)
}

fn check_modules(preamble: &Preamble, simulation: &Simulation) -> Result<(), ReplayError> {
    let (recorded, loaded) = (&preamble.modules, simulation.modules());
    let names = |modules: &[evertick_schema::ModuleDescription]| {
        modules.iter().map(|module| module.name.clone()).collect::<Vec<_>>().join(", ")
    };
    if recorded.len() != loaded.len() || recorded.iter().zip(loaded).any(|(a, b)| a.name != b.name) {
        return Err(ReplayError::Modules { recorded: names(recorded), loaded: names(loaded) });
    }
    match recorded.iter().zip(loaded).find(|(a, b)| a != b) {
        Some((module, _)) => Err(ReplayError::Description { module: module.name.clone() }),
        None => Ok(()),
    }
}
