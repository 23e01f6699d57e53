//! From a data directory to a simulation that goes on where it was.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use evertick_durability::{DirectoryStorage, DurabilityConfig, Journal, Opened, Progress, Storage};
use evertick_schema::Timestamp;
use evertick_world::Simulation;

use crate::error::{Error, Result};

/// The time between two lines about the progress of a long recovery.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// Where a world is kept.
pub(crate) enum Home {
    /// Nowhere: it ends with the server.
    Memory,
    Directory(PathBuf),
    Storage(Arc<dyn Storage>),
}

/// Brings the simulation to where the world was, or begins it. Without a home there is no journal.
pub(crate) fn open(
    home: &Home,
    config: DurabilityConfig,
    simulation: &mut Simulation,
    now: Timestamp,
    on_synced: Box<dyn FnMut(u64) + Send>,
) -> Result<Option<(Journal, Opened)>> {
    let storage: Arc<dyn Storage> = match home {
        Home::Memory => {
            tracing::warn!(
                "the world is in memory only and ends with the server; `.data_dir(path)` keeps it"
            );
            simulation.init(now)?;
            return Ok(None);
        }
        Home::Storage(storage) => Arc::clone(storage),
        Home::Directory(path) => {
            let storage = DirectoryStorage::open(path);
            Arc::new(storage.map_err(|error| Error::DataDir { path: path.clone(), error })?)
        }
    };
    let place = storage.describe();
    let (start, mut last) = (Instant::now(), Instant::now());
    let mut progress = |progress: Progress| {
        if last.elapsed() >= PROGRESS_INTERVAL {
            last = Instant::now();
            tracing::info!(%place, "the world is on its way: {}", Words(progress));
        }
    };
    let opened = evertick_durability::open(storage, config, simulation, now, &mut progress, on_synced)?;
    tell(&place, &opened.1, start.elapsed());
    Ok(Some(opened))
}

fn tell(place: &str, opened: &Opened, took: Duration) {
    if opened.fresh {
        tracing::info!(%place, "a new world is kept from now on");
        return;
    }
    tracing::info!(
        %place, rows = opened.recovered_rows, records = opened.records, sessions = opened.sessions.len(),
        "the world is recovered, in {took:.1?}"
    );
    if let Some(torn) = &opened.torn_tail {
        tracing::warn!(%place, "{torn}");
    }
    for migration in &opened.migrations {
        tracing::warn!(%place, "the module has changed, and the stored rows with it:\n{migration}");
    }
}

/// Progress for a person.
struct Words(Progress);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Progress::Snapshot { bytes, of_bytes, rows } => {
                let percent = 100 * bytes / of_bytes.max(1);
                write!(f, "{percent} % of the snapshot is read, {rows} rows")
            }
            Progress::Log { records, seq, last_seq } => {
                write!(f, "{records} records of the log are redone, up to {seq} of {last_seq}")
            }
            Progress::Building { rows } => write!(f, "indexes and grid of {rows} rows are built"),
            Progress::Migrating { rows } => write!(f, "{rows} rows are brought to their new shape"),
            Progress::Writing { rows } => write!(f, "{rows} rows are written to a snapshot"),
        }
    }
}
