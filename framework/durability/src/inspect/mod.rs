//! Looking into what is stored, for people.

mod lines;
mod show;

use evertick_schema::{Duration, EntityId, ModuleDescription, Timestamp};
use evertick_world::{Config, World};

use crate::log::{Records, Scan, SnapshotReader};
use crate::record::{Parts, Preamble, RecordKind, Shapes, read};
use crate::recover::{OpenError, Stored};
use crate::storage::Storage;
use lines::Lines;

/// The most lines that one record is shown with; how many more there are is said.
const LINES_MAX: usize = 10_000;

/// What a directory, with a world or a recording, was written with.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    /// The modules in the order they are loaded in.
    pub modules: Vec<ModuleDescription>,
    /// Counts up with each change of a module's description.
    pub generation: u64,
    /// The world's settings, with the usual limits.
    pub config: Config,
    /// Simulated time of one tick.
    pub tick: Duration,
}

/// What is stored, without reading it all. A server may be writing.
///
/// # Errors
/// When nothing is stored ([`OpenError::NoSnapshot`]), or it is damaged.
pub fn describe(storage: &dyn Storage) -> Result<Described, OpenError> {
    let Some(seq) = SnapshotReader::list(storage)?.last().copied() else {
        return Err(OpenError::NoSnapshot { directory: storage.describe(), last_seq: 0 });
    };
    let preamble = Stored::open(storage, seq)?.preamble;
    let config = preamble.config();
    let Preamble { modules, generation, tick, .. } = preamble;
    Ok(Described { modules, generation, config, tick })
}

/// What is to be shown. Of what is `None` everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InspectFilter {
    /// Changes of this row type, `module.Row`.
    pub row: Option<String>,
    /// Changes of this entity.
    pub entity: Option<EntityId>,
    /// Calls of this reducer, `module.reducer`.
    pub reducer: Option<String>,
}

impl InspectFilter {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// A record as a person reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectedRecord {
    /// Its number; of one in several parts, the last part's.
    pub seq: u64,
    /// What it is about: `start`, `commit`, `checkpoint`, `reserve`, `close`.
    pub kind: &'static str,
    /// The number of the commit, or of the last one before.
    pub commit: u64,
    /// The tick.
    pub tick: u64,
    /// The world's time.
    pub time: Timestamp,
    /// Its length.
    pub bytes: usize,
    /// What it holds, a line for each thing; at most 10,000.
    pub lines: Vec<String>,
}

impl std::fmt::Display for InspectedRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seq, kind, commit, tick, time, bytes, lines } = self;
        write!(f, "{seq} {kind} {commit} tick {tick} time {} µs, {bytes} bytes", time.0)?;
        lines.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

/// The records of a log, one after the other. See [`inspect`].
pub struct Inspection<'a> {
    records: Records<'a>,
    parts: Parts,
    to: u64,
    filter: InspectFilter,
    /// The preamble of the segment that is read, and what follows from it.
    preamble: Vec<u8>,
    known: Option<(World, Shapes, Vec<ModuleDescription>)>,
}

impl std::fmt::Debug for Inspection<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inspection").field("to", &self.to).finish_non_exhaustive()
    }
}

/// The records from `from` to `to`, both included, that have something of what `filter` wants. A server may be
/// writing; what it writes from now on is not seen. `from` 0 is the first one that there is.
///
/// # Errors
/// What is damaged.
pub fn inspect(
    storage: &dyn Storage,
    from: u64,
    to: u64,
    filter: InspectFilter,
) -> Result<Inspection<'_>, OpenError> {
    let scan = Scan::open(storage)?;
    let from = if from == 0 { scan.after_seq() + 1 } else { from };
    Ok(Inspection {
        records: scan.records(from)?,
        parts: Parts::default(),
        to,
        filter,
        preamble: Vec::new(),
        known: None,
    })
}

impl Inspection<'_> {
    /// The next record; none at the end.
    ///
    /// # Errors
    /// What is damaged. What was given out before is good.
    #[allow(clippy::should_implement_trait, reason = "an iterator would go on after an error")]
    pub fn next(&mut self) -> Result<Option<InspectedRecord>, OpenError> {
        loop {
            let Some(record) = self.records.next()? else { return Ok(None) };
            let seq = record.seq;
            if seq > self.to {
                return Ok(None);
            }
            let malformed = |error| OpenError::Record { seq, error };
            let Some(whole) = self.parts.push(seq, record.body).map_err(malformed)? else { continue };
            let bytes = whole.bytes.to_vec();
            if self.known.is_none() || self.records.preamble() != self.preamble {
                self.preamble = self.records.preamble().to_vec();
                let preamble = Preamble::from_bytes(&self.preamble).map_err(malformed)?;
                let world = preamble.world()?;
                let shapes = Shapes::of(world.row_types());
                self.known = Some((world, shapes, preamble.modules));
            }
            let Some((world, shapes, modules)) = &self.known else { return Ok(None) };
            let mut lines = Lines::new(world, modules, &self.filter);
            read(&bytes, shapes, &mut lines).map_err(malformed)?;
            let Some((header, lines)) = lines.finish() else { continue };
            if lines.is_empty() && !self.filter.is_none() {
                continue;
            }
            let kind = match header.kind {
                RecordKind::Start => "start",
                RecordKind::Commit => "commit",
                RecordKind::Checkpoint => "checkpoint",
                RecordKind::Reserve => "reserve",
                RecordKind::Close => "close",
            };
            let (commit, tick, time) = (header.commit, header.tick, header.time);
            return Ok(Some(InspectedRecord { seq, kind, commit, tick, time, bytes: bytes.len(), lines }));
        }
    }
}
