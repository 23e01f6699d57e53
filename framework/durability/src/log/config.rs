//! How the log behaves.

use std::time::Duration;

/// How the log behaves. Every number is a bound.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// Size of a segment's file in bytes. A group of records that is larger gets a file of its own. Rounded up to
    /// whole blocks of 4096 bytes.
    pub segment_bytes: u64,
    /// A group takes no further record beyond so many bytes. One group is one write and one sync.
    pub group_bytes_max: usize,
    /// While so many bytes wait to be synced, [`Log::append`](super::Log::append) blocks. A larger record is taken
    /// when nothing else waits.
    pub queue_bytes_max: usize,
    /// While so many records wait to be synced, [`Log::append`](super::Log::append) blocks.
    pub queue_records_max: usize,
    /// How long [`Log::append`](super::Log::append) blocks before it gives up.
    pub append_wait_max: Duration,
    /// The longest time for which a record that nobody waits for stays in memory.
    pub sync_interval: Duration,
    /// How long to wait before the disk is tried again after a failure.
    pub retry_interval: Duration,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            group_bytes_max: 1 << 20,
            queue_bytes_max: 64 << 20,
            queue_records_max: 1 << 20,
            append_wait_max: Duration::from_secs(10),
            sync_interval: Duration::from_millis(200),
            retry_interval: Duration::from_secs(1),
        }
    }
}
