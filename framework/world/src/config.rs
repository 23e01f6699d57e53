//! A world's settings and limits.

/// The most rows of one type: 16 Mi.
pub const ROWS_PER_TYPE_MAX: usize = 1 << 24;
/// The most changes that one transaction may make: 4 Mi.
pub const TX_CHANGES_MAX: usize = 1 << 22;
/// The most bytes of old rows that one transaction may make the world remember: 256 MiB.
pub const TX_BYTES_MAX: usize = 256 << 20;
/// The most changes between two commits: 32 Mi.
pub const COMMIT_CHANGES_MAX: usize = 1 << 25;
/// The most bytes of old rows between two commits: 1 GiB.
pub const COMMIT_BYTES_MAX: usize = 1 << 30;
/// The most events between two commits.
pub const EVENTS_MAX: usize = 1 << 20;
/// The most session operations between two commits.
pub const SESSION_OPS_MAX: usize = 1 << 20;
/// The most timers that wait.
pub const TIMERS_MAX: usize = 1 << 20;
/// The most detached calls that wait.
pub const DETACHED_MAX: usize = 1 << 16;

/// A world's settings. Two worlds with the same settings and the same inputs give the same deltas.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The region: the top 16 bits of the ids of entities made here.
    pub region: u16,
    /// The side of a cell of the space grid, in metres; above 0.
    pub cell_size: f32,
    /// How far beyond its cell's border an entity goes before it changes cell, in metres; 0 or more.
    pub cell_margin: f32,
    /// Where random numbers start from.
    pub seed: u64,
    /// What the world may take on.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self { region: 0, cell_size: 64.0, cell_margin: 4.0, seed: 0, limits: Limits::default() }
    }
}

/// Bounds on what is stored and queued. Reaching one is a [`crate::WriteError::Limit`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rows of one type.
    pub rows_per_type: usize,
    /// Bytes of one row, at most [`evertick_schema::ROW_BYTES_MAX`].
    pub row_bytes: usize,
    /// Changes of one transaction.
    pub tx_changes: usize,
    /// Bytes of old rows that one transaction makes the world remember.
    pub tx_bytes: usize,
    /// Changes between two commits, at most [`COMMIT_CHANGES_MAX`].
    pub commit_changes: usize,
    /// Bytes of old rows between two commits, at most [`COMMIT_BYTES_MAX`].
    pub commit_bytes: usize,
    /// Events between two commits.
    pub events: usize,
    /// Session operations between two commits.
    pub session_ops: usize,
    /// Timers that wait.
    pub timers: usize,
    /// Detached calls that wait.
    pub detached: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rows_per_type: ROWS_PER_TYPE_MAX,
            row_bytes: evertick_schema::ROW_BYTES_MAX,
            tx_changes: TX_CHANGES_MAX,
            tx_bytes: TX_BYTES_MAX,
            commit_changes: COMMIT_CHANGES_MAX,
            commit_bytes: COMMIT_BYTES_MAX,
            events: EVENTS_MAX,
            session_ops: SESSION_OPS_MAX,
            timers: TIMERS_MAX,
            detached: DETACHED_MAX,
        }
    }
}
