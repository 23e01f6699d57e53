//! How a journal behaves.

use std::time::Duration;

use crate::log::LogConfig;

/// How a journal behaves. Every bound is here or in [`LogConfig`].
#[derive(Clone, Debug)]
pub struct DurabilityConfig {
    /// The log's own settings.
    pub log: LogConfig,
    /// A snapshot begins when so many bytes of log were written since the last one began, or as many as that one
    /// has, whichever is more. So the disk holds at most two snapshots, and log for a few times the size of one.
    pub snapshot_log_bytes: u64,
    /// The most rows that one tick puts into a snapshot. A row costs some 50 ns.
    pub snapshot_rows_per_slice: usize,
    /// When a tick has spent so much on a snapshot it goes on with it in the next one.
    pub snapshot_slice_time: Duration,
    /// The most rows of checkpoint row types that one tick puts into the log; the rest follow in the next ticks.
    pub checkpoint_rows_per_slice: usize,
    /// A recording ends by itself when it has so many bytes.
    pub recording_bytes_max: u64,
}

impl Default for DurabilityConfig {
    fn default() -> Self {
        Self {
            log: LogConfig::default(),
            snapshot_log_bytes: 64 << 20,
            snapshot_rows_per_slice: 16_384,
            snapshot_slice_time: Duration::from_micros(500),
            checkpoint_rows_per_slice: 65_536,
            recording_bytes_max: 64 << 30,
        }
    }
}
