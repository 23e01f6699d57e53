//! All of a world but bevy's part: what rows mean, where they are found, and what has changed.

use evertick_schema::RowLayout;

use crate::cause::{QueuedCall, SessionOp};
use crate::columns::{Column, Scratch};
use crate::config::Config;
use crate::delta::{Delta, Event, RowDelta};
use crate::error::WriteError;
use crate::grid::Grid;
use crate::ids::Ids;
use crate::index::Index;
use crate::log::{Log, Mark};
use crate::place::PlaceField;
use crate::random::Stream;
use crate::registry::Registry;
use crate::row::{RowId, RowType};
use crate::swept::Swept;
use crate::tables::Tables;
use crate::timers::Timers;

/// The number of the world's own random stream.
const WORLD_STREAM: u64 = 0;

/// What a world keeps beside bevy's tables. It lives outside of bevy's world, but while a schedule runs, when
/// bevy's world is what everybody gets ([`crate::World::lend`]).
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) config: Config,
    pub(crate) registry: Registry,
    /// By [`RowId`].
    pub(crate) rows: Vec<RowState>,
    pub(crate) ids: Ids,
    pub(crate) tables: Tables,
    pub(crate) grid: Grid,
    pub(crate) timers: Timers,
    pub(crate) random: Stream,
    pub(crate) detached: Vec<QueuedCall>,
    /// What changed since the last commit.
    pub(crate) log: Log,
    /// Where the present transaction starts in it.
    pub(crate) start: Mark,
    pub(crate) events: Vec<Event>,
    pub(crate) sessions: Vec<SessionOp>,
    /// Where bevy's change tick stood at the last commit. A row whose tick is not older was touched since.
    pub(crate) period: u32,
    /// The first sequence number of entities that are new since the last commit.
    pub(crate) first_sequence: u64,
    pub(crate) seq: u64,
    /// Memory of a delta that is done with.
    pub(crate) spare: Delta,
    pub(crate) scratch: Scratch,
}

/// What the world keeps of one row type.
#[derive(Debug)]
pub(crate) struct RowState {
    pub(crate) column: Column,
    pub(crate) indexes: Vec<Index>,
    pub(crate) place: Option<PlaceField>,
    /// Bytes of a row, where all have the same.
    pub(crate) stride: Option<usize>,
    /// How many rows there are.
    pub(crate) count: usize,
    pub(crate) pending: Pending,
    /// Where a commit collects the type's changes.
    pub(crate) building: RowDelta,
}

/// What the log does not say of a row type's changes since the last commit.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// Rows that a system changed and that nobody had touched before: the new values.
    pub(crate) swept: Swept,
    /// Rows that a system changed and that a point write had touched before, with the fields it changed.
    pub(crate) again: Vec<(evertick_schema::EntityId, u64)>,
    /// Whether rows came or went.
    pub(crate) structural: bool,
}

impl Pending {
    /// Nothing, of rows of `stride` bytes or of variable length.
    pub(crate) fn new(stride: Option<usize>) -> Self {
        let mut pending = Self::default();
        pending.swept.reset(stride);
        pending
    }

    /// Whether point writes are all there is, so that the log says everything.
    pub(crate) fn is_plain(&self) -> bool {
        !self.structural && self.swept.is_empty() && self.again.is_empty()
    }
}

impl Store {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            registry: Registry::default(),
            rows: vec![],
            ids: Ids::new(config.region),
            tables: Tables::default(),
            grid: Grid::new(config.cell_size, config.cell_margin),
            timers: Timers::default(),
            random: Stream::new(config.seed, WORLD_STREAM),
            detached: vec![],
            log: Log::default(),
            start: Mark::default(),
            events: vec![],
            sessions: vec![],
            period: 0,
            first_sequence: 1,
            seq: 0,
            spare: Delta::default(),
            scratch: Scratch::default(),
            config,
        }
    }

    /// Whether the present transaction may make another change that keeps so many bytes.
    #[inline]
    pub(crate) fn check_room(&self, bytes: usize) -> Result<(), WriteError> {
        let end = self.log.mark();
        let limits = &self.config.limits;
        let checks = [
            (end.records - self.start.records + 1, limits.tx_changes, "changes in one transaction"),
            (end.bytes - self.start.bytes + bytes, limits.tx_bytes, "bytes of old rows in one transaction"),
            (end.records + 1, limits.commit_changes, "changes between two commits"),
            (end.bytes + bytes, limits.commit_bytes, "bytes of old rows between two commits"),
        ];
        match checks.into_iter().find(|(count, max, _)| count > max) {
            Some((_, max, what)) => Err(WriteError::Limit { what, max }),
            None => Ok(()),
        }
    }

    /// The row type and what is kept of it.
    #[inline]
    pub(crate) fn row(&self, row: RowId) -> Option<(&RowType, &RowState)> {
        Some((self.registry.get(row)?, self.rows.get(row.index())?))
    }
}

/// Bytes of a row where all have the same.
pub(crate) fn stride(layout: &RowLayout) -> Option<usize> {
    (layout.flat && layout.size > 0).then_some(layout.size as usize)
}
