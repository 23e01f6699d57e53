//! From commits to records: the journal of a world, on the world's thread.
//!
//! ```text
//!  cause, cause, .. ─► commit(delta) ─► record ─► log              what happened, and why
//!  slice, once a tick ─► checkpoints of rows that keep changing ─► log
//!                     └► rows of a snapshot ─► snapshot file, once the log is synced up to its end
//! ```

mod checkpoints;
mod commit;
mod config;
mod entries;
pub(crate) mod port;
mod recording;
mod reservation;
mod sections;
mod snapshots;

use std::collections::BTreeMap;
use std::sync::Arc;

use evertick_schema::{SessionId, Timestamp};
use evertick_world::{Caller, RandomState, Simulation};

pub use commit::Commit;
pub use config::DurabilityConfig;
pub use recording::{RecordingError, RecordingStats};
pub(crate) use sections::{Contents, Sections};
pub use snapshots::SnapshotStats;

use crate::log::{LogEnd, LogError, LogStats, LogStatus};
use crate::record::{
    CauseBuffer, CauseRef, Header, Numbers, RecordKind, RecordWriter, SessionChange, Shapes, SnapshotHead,
};
use crate::storage::Storage;
use checkpoints::Checkpoints;
use entries::Entries;
use port::{OnSynced, Ports};
use recording::Recording;
use reservation::Reservation;
use snapshots::Snapshots;

/// The journal of a world: logs its commits, writes its snapshots, records it. See [`crate::open`].
///
/// It lives on the world's thread and waits for nothing but a full queue. Dropped without [`Journal::close`] it
/// leaves what a crash leaves; what was confirmed is there.
#[derive(Debug)]
pub struct Journal {
    config: DurabilityConfig,
    entries: Entries,
    shapes: Shapes,
    causes: CauseBuffer,
    /// Sessions that came or went since the last commit.
    changes: Vec<SessionChange>,
    /// Those that are open.
    sessions: BTreeMap<SessionId, Caller>,
    next_session: u64,
    reservation: Reservation,
    /// What the log says of random numbers.
    random: RandomState,
    /// The last commit.
    last: Header,
    checkpoints: Checkpoints,
    snapshots: Snapshots,
    recording: Option<Recording>,
    /// Why the last recording ended by itself.
    recording_error: Option<String>,
    /// Whether the simulation notes what it does.
    tracing: bool,
    record: Vec<u8>,
    spans: Vec<(usize, usize)>,
}

/// What a journal has done so far, and how it stands.
#[derive(Clone, Debug)]
pub struct JournalStats {
    /// The log.
    pub log: LogStats,
    /// The last entry of the log.
    pub last_seq: u64,
    /// Snapshots.
    pub snapshots: SnapshotStats,
    /// The recording, if one is under way.
    pub recording: Option<RecordingStats>,
}

/// What a journal begins with.
pub(crate) struct Beginning {
    pub(crate) config: DurabilityConfig,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) ports: Box<dyn Ports>,
    pub(crate) preamble: Vec<u8>,
    pub(crate) generation: u64,
    /// Where the log ends.
    pub(crate) end: LogEnd,
    /// Numbers that may be in use.
    pub(crate) numbers: Numbers,
    pub(crate) sessions: BTreeMap<SessionId, Caller>,
    pub(crate) now: Timestamp,
    /// Snapshots that are there, the bytes of the last one, and of the log since.
    pub(crate) kept: Vec<u64>,
    pub(crate) snapshot_bytes: u64,
    pub(crate) log_bytes: u64,
}

impl Journal {
    /// Starts the log of `simulation` and says in it that it was started.
    pub(crate) fn start(
        beginning: Beginning,
        simulation: &Simulation,
        on_synced: OnSynced,
    ) -> Result<Self, LogError> {
        let Beginning { config, storage, ports, preamble, generation, end, numbers, .. } = beginning;
        let world = simulation.world();
        let counters = world.counters();
        let last_seq = end.last_seq();
        let log = ports.log(Arc::clone(&storage), &config.log, end, preamble.clone(), on_synced)?;
        let shapes = Shapes::of(world.row_types());
        let mut snapshots =
            Snapshots::new(storage, ports, preamble, beginning.kept, beginning.snapshot_bytes);
        snapshots.schedule(&config, 0, beginning.log_bytes);
        let mut journal = Self {
            checkpoints: Checkpoints::new(&shapes, beginning.now),
            entries: Entries::new(log, last_seq),
            shapes,
            causes: CauseBuffer::default(),
            changes: Vec::new(),
            sessions: beginning.sessions,
            next_session: numbers.sessions,
            reservation: Reservation::new(numbers),
            random: counters.random,
            last: Header {
                kind: RecordKind::Commit,
                commit: counters.seq,
                tick: simulation.tick_number(),
                time: beginning.now,
            },
            snapshots,
            recording: None,
            recording_error: None,
            tracing: false,
            record: Vec::new(),
            spans: Vec::new(),
            config,
        };
        let next = Numbers { sessions: numbers.sessions, ..journal.next_numbers(simulation) };
        let reserved = journal.reservation.due(next).unwrap_or(numbers);
        let mut buffer = std::mem::take(&mut journal.record);
        let mut record = RecordWriter::start(&mut buffer, Header { kind: RecordKind::Start, ..journal.last });
        record.generation(generation);
        record.numbers(reserved);
        let seq = journal.entries.append(&buffer, true);
        journal.keep_buffer(buffer);
        journal.reservation.logged(seq, reserved);
        Ok(journal)
    }

    fn next_numbers(&self, simulation: &Simulation) -> Numbers {
        let counters = simulation.world().counters();
        Numbers {
            commit: counters.seq + 1,
            tick: simulation.tick_number() + 1,
            entities: counters.entities,
            timers: counters.timers,
            sessions: self.next_session,
        }
    }

    /// Notes something that the simulation is told to do, at `time`, as part of the coming commit. Cost: some 20 ns
    /// and the arguments' bytes.
    pub fn cause(&mut self, time: Timestamp, cause: CauseRef<'_>) {
        self.causes.push(time, cause);
    }

    /// What is to be done from time to time: checkpoints that are due, a slice of a snapshot, what waits for a disk
    /// that failed. To be called once a tick, and between commits: right after [`Journal::commit`].
    pub fn slice(&mut self, simulation: &Simulation) {
        self.entries.retry();
        self.watch_recording();
        self.reservation.synced(self.entries.log().synced());
        if self.entries.is_failing() {
            return;
        }
        self.checkpoint(simulation, Some(self.last.time), self.config.checkpoint_rows_per_slice);
        let head = self.head(simulation);
        let contents = Contents {
            world: simulation.world(),
            shapes: &self.shapes,
            sessions: &self.sessions,
            last_seq: self.entries.last(),
        };
        self.snapshots.step(&self.config, &mut self.entries, &contents, head);
    }

    fn head(&self, simulation: &Simulation) -> SnapshotHead {
        SnapshotHead {
            numbers: self.reservation.latest(),
            commit: self.last.commit,
            tick: self.last.tick,
            time: self.last.time,
            random: simulation.world().counters().random,
        }
    }

    fn checkpoint(&mut self, simulation: &Simulation, now: Option<Timestamp>, rows_max: usize) {
        let Self { checkpoints, shapes, entries, record, last, .. } = self;
        checkpoints.sweep(simulation.world(), shapes, now, rows_max, |row, puts| {
            let checkpoint = RecordWriter::start(record, Header { kind: RecordKind::Checkpoint, ..*last });
            puts.write(checkpoint.out, row);
            entries.append(record, false);
        });
    }

    /// The last entry of the log that is safe.
    pub fn synced(&self) -> u64 {
        self.entries.log().synced()
    }

    /// Whether the disk fails, or can't keep up: then no calls should be taken and no ticks run, until it works
    /// again. Cost: an atomic load.
    pub fn is_failing(&self) -> bool {
        self.entries.is_failing()
    }

    /// Whether records reach the disk, and why not.
    pub fn status(&self) -> LogStatus {
        self.entries.status()
    }

    /// Begins a snapshot with the next [`Journal::slice`], unless one is being written.
    pub fn snapshot(&mut self) {
        self.snapshots.want();
    }

    /// How it stands. Cost: below a microsecond.
    pub fn stats(&self) -> JournalStats {
        JournalStats {
            log: self.entries.log().stats(),
            last_seq: self.entries.last(),
            snapshots: self.snapshots.stats.clone(),
            recording: self.recording(),
        }
    }

    /// Ends it: writes the rows of checkpoint row types as they are, says exactly where numbers go on, and syncs all.
    /// Sessions that are open stay so in the log; close them before.
    ///
    /// # Errors
    /// What did not reach the disk. None of it was confirmed.
    pub fn close(mut self, simulation: &Simulation) -> Result<(), LogError> {
        if let Some(recording) = self.recording.take()
            && let Err(error) = recording.stop()
        {
            tracing::warn!("the recording did not end well: {error}");
        }
        self.checkpoint(simulation, None, usize::MAX);
        let numbers = self.next_numbers(simulation);
        let mut buffer = std::mem::take(&mut self.record);
        RecordWriter::start(&mut buffer, Header { kind: RecordKind::Close, ..self.last }).numbers(numbers);
        self.entries.append(&buffer, true);
        self.entries.close()
    }
}
