//! Opening a world: making it, bringing it back, or bringing it to another version of its modules.

mod error;
mod full;
mod migrate;
mod redo;
mod stored;

use std::collections::BTreeMap;
use std::sync::Arc;

use evertick_schema::{Migration, Timestamp};
use evertick_world::{Caller, Simulation};

pub use error::OpenError;
pub(crate) use redo::{Known, redo};
pub(crate) use stored::Stored;

use crate::journal::port::{OnSynced, Ports, Threads};
use crate::journal::{Beginning, DurabilityConfig, Journal};
use crate::log::{LogEnd, Scan, SnapshotReader, TornTail};
use crate::record::{Numbers, Preamble, Shapes, SnapshotHead};
use crate::storage::Storage;

/// How far an [`open`] is. Told every few hundred milliseconds or so, as fast as it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say what the numbers are")]
pub enum Progress {
    /// Rows of the snapshot are read.
    Snapshot { bytes: u64, of_bytes: u64, rows: u64 },
    /// The log since the snapshot is read.
    Log { records: u64, seq: u64, last_seq: u64 },
    /// Indexes and the grid are built.
    Building { rows: u64 },
    /// Rows are brought to their new shape.
    Migrating { rows: u64 },
    /// A full snapshot is written.
    Writing { rows: u64 },
}

/// What [`open`] found and did.
#[derive(Debug)]
pub struct Opened {
    /// Nothing was stored, and the init reducers made the world.
    pub fresh: bool,
    /// Rows that came from the snapshot.
    pub recovered_rows: u64,
    /// Records of the log that were redone on them.
    pub records: u64,
    /// The write that was under way when the last server ended without closing: cut off, and nothing that was
    /// confirmed.
    pub torn_tail: Option<TornTail>,
    /// What became of the rows of modules that are of another version than those stored. Print them.
    pub migrations: Vec<Migration>,
    /// Modules that were not stored, and whose init reducers ran.
    pub added: Vec<String>,
    /// Sessions that were open when the last server ended. Their disconnect reducers are still to run: for each,
    /// [`Simulation::disconnect`], the cause and [`Journal::closed`], and then a commit.
    pub sessions: Vec<Caller>,
    /// The next session's number.
    pub next_session: u64,
    /// The world's time: that of the call, or where the clock was set back since, the last that is stored. The clock
    /// goes on from it.
    pub time: Timestamp,
}

/// Opens the world that is stored in `storage` for `simulation`, which is new, and its journal.
///
/// * Nothing stored: runs the init reducers and stores what they made.
/// * Stored with the same modules: brings back what the log has, which is all that was ever confirmed.
/// * Stored with other versions of them: plans what becomes of each row type ([`Migration`]), converts the rows,
///   runs the upgrade reducers, and makes all that durable at once. Needs memory for both worlds.
///
/// The rows of the world are not in any delta: whoever keeps something about them builds it from the world.
///
/// `on_synced` is called on the log's thread whenever records are safe, with the number of the last one.
///
/// Cost: about a second for a million entities.
///
/// # Errors
/// When something is damaged, or can't be brought to the modules' versions. What is stored is then as it was; the
/// simulation is of no use.
pub fn open(
    storage: Arc<dyn Storage>,
    config: DurabilityConfig,
    simulation: &mut Simulation,
    now: Timestamp,
    progress: &mut dyn FnMut(Progress),
    on_synced: OnSynced,
) -> Result<(Journal, Opened), OpenError> {
    open_with(Box::new(Threads), storage, config, simulation, now, progress, on_synced)
}

/// [`open`] with something else than threads to write.
pub(crate) fn open_with(
    ports: Box<dyn Ports>,
    storage: Arc<dyn Storage>,
    config: DurabilityConfig,
    simulation: &mut Simulation,
    now: Timestamp,
    progress: &mut dyn FnMut(Progress),
    on_synced: OnSynced,
) -> Result<(Journal, Opened), OpenError> {
    stored::lock(&storage)?;
    let scan = Scan::open(&*storage)?;
    let end = scan.end().clone();
    let opening = match Stored::last(&*storage, &scan)? {
        None => fresh(&storage, simulation, now, progress)?,
        Some(stored) => recover(&storage, stored, &scan, simulation, now, progress)?,
    };
    drop(scan);
    let Opening { generation, known, snapshot_bytes, opened } = opening;
    let kept = SnapshotReader::list(&*storage)?;
    let beginning = Beginning {
        config,
        storage: Arc::clone(&storage),
        ports,
        preamble: Preamble::of(generation, simulation).to_bytes(),
        generation,
        end: if kept.is_empty() { LogEnd::empty_after(0) } else { end },
        numbers: known.numbers,
        sessions: known.sessions,
        now: opened.time,
        kept,
        snapshot_bytes,
        log_bytes: known.log_bytes,
    };
    let journal = Journal::start(beginning, simulation, on_synced)?;
    Ok((journal, opened))
}

/// A world that is there, and not yet journaled.
struct Opening {
    generation: u64,
    known: Known,
    snapshot_bytes: u64,
    opened: Opened,
}

fn fresh(
    storage: &Arc<dyn Storage>,
    simulation: &mut Simulation,
    now: Timestamp,
    progress: &mut dyn FnMut(Progress),
) -> Result<Opening, OpenError> {
    simulation.init(now)?;
    let delta = simulation.commit(now);
    simulation.world_mut().recycle(delta);
    let numbers = next_numbers(simulation, 1);
    let known = Known::of(simulation, numbers, now, BTreeMap::new());
    let preamble = Preamble::of(0, simulation).to_bytes();
    let contents = (known.head(), simulation.world(), &known.sessions);
    let snapshot_bytes = full::write_full(storage, 0, &preamble, contents, progress)?;
    let opened = Opened {
        fresh: true,
        recovered_rows: 0,
        records: 0,
        torn_tail: None,
        migrations: Vec::new(),
        added: Vec::new(),
        sessions: Vec::new(),
        next_session: 1,
        time: now,
    };
    Ok(Opening { generation: 0, known, snapshot_bytes, opened })
}

fn recover(
    storage: &Arc<dyn Storage>,
    stored: Stored,
    scan: &Scan<'_>,
    simulation: &mut Simulation,
    now: Timestamp,
    progress: &mut dyn FnMut(Progress),
) -> Result<Opening, OpenError> {
    let (preamble, snapshot_bytes) = (stored.preamble.clone(), stored.reader.info().file_bytes);
    let configured = simulation.world().config().region;
    if preamble.region != configured {
        return Err(OpenError::Region { stored: preamble.region, configured });
    }
    let same = preamble.modules == simulation.modules();
    let mut opening = if same {
        let shapes = Shapes::of(simulation.world().row_types());
        let restore = simulation.world_mut().restore()?;
        let known = redo(restore, &shapes, stored, scan, u64::MAX, progress)?;
        simulation.resume(known.numbers.tick.saturating_sub(1));
        let opened = Opened::of(&known, scan, now);
        Opening { generation: preamble.generation, known, snapshot_bytes, opened }
    } else {
        migrate(storage, stored, scan, simulation, now, progress)?
    };
    opening.opened.sessions = opening.known.sessions.values().cloned().collect();
    Ok(opening)
}

fn migrate(
    storage: &Arc<dyn Storage>,
    stored: Stored,
    scan: &Scan<'_>,
    simulation: &mut Simulation,
    now: Timestamp,
    progress: &mut dyn FnMut(Progress),
) -> Result<Opening, OpenError> {
    let preamble = stored.preamble.clone();
    let mut old = preamble.world()?;
    // What can't be done is said before anything is read.
    migrate::Plan::new(&preamble.modules, &old, simulation)?;
    let shapes = Shapes::of(old.row_types());
    let known = redo(old.restore()?, &shapes, stored, scan, u64::MAX, progress)?;
    let plan = migrate::Plan::new(&preamble.modules, &old, simulation)?;
    plan.convert(&old, simulation, progress)?;
    drop(old);
    simulation.resume(known.numbers.tick.saturating_sub(1));

    let mut opened = Opened::of(&known, scan, now);
    let (migrations, added) = plan.finish(simulation, opened.time)?;
    opened.migrations = migrations;
    opened.added =
        added.iter().map(|module| simulation.modules()[usize::from(*module)].name.clone()).collect();
    let delta = simulation.commit(opened.time);
    simulation.world_mut().recycle(delta);

    let generation = preamble.generation + 1;
    let numbers = known.numbers.max(next_numbers(simulation, known.numbers.sessions));
    let known = Known { log_bytes: 0, ..Known::of(simulation, numbers, opened.time, known.sessions) };
    let bytes = Preamble::of(generation, simulation).to_bytes();
    let contents = (known.head(), simulation.world(), &known.sessions);
    let snapshot_bytes = full::write_full(storage, scan.last_seq(), &bytes, contents, progress)?;
    Ok(Opening { generation, known, snapshot_bytes, opened })
}

fn next_numbers(simulation: &Simulation, sessions: u64) -> Numbers {
    let counters = simulation.world().counters();
    Numbers {
        commit: counters.seq + 1,
        tick: simulation.tick_number() + 1,
        entities: counters.entities,
        timers: counters.timers,
        sessions,
    }
}

impl Known {
    fn of(
        simulation: &Simulation,
        numbers: Numbers,
        time: Timestamp,
        sessions: BTreeMap<evertick_schema::SessionId, Caller>,
    ) -> Self {
        let counters = simulation.world().counters();
        Self {
            numbers,
            commit: counters.seq,
            tick: simulation.tick_number(),
            time,
            random: counters.random,
            sessions,
            rows: 0,
            records: 0,
            log_bytes: 0,
        }
    }

    fn head(&self) -> SnapshotHead {
        let Self { numbers, commit, tick, time, random, .. } = *self;
        SnapshotHead { numbers, commit, tick, time, random }
    }
}

impl Opened {
    fn of(known: &Known, scan: &Scan<'_>, now: Timestamp) -> Self {
        Self {
            fresh: false,
            recovered_rows: known.rows,
            records: known.records,
            torn_tail: scan.torn_tail().cloned(),
            migrations: Vec::new(),
            added: Vec::new(),
            sessions: Vec::new(),
            next_session: known.numbers.sessions,
            time: now.max(known.time),
        }
    }
}
