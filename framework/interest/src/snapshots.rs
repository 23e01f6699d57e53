//! Snapshots, kept for a while: who enters soon after another gets the same one, and what followed it. Once an entity or a row
//! has left the topic, another is made: the client may have the row from another topic by now, and newer.

use std::sync::Arc;

use bytes::Bytes;
use evertick_protocol::Snapshot;
use evertick_schema::{Duration, Timestamp};

/// A snapshot is handed out for so long.
pub(crate) const SNAPSHOT_AGE_MAX: Duration = Duration::from_millis(500);

/// The most blocks, and the most of their bytes, that may follow a snapshot before another is made.
const FOLLOWED_MAX: usize = 64;
const FOLLOWED_BYTES_MAX: usize = 32 << 10;

/// A topic's snapshot, and what was said in order since.
#[derive(Debug)]
pub(crate) struct Cache {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) made: Timestamp,
    pub(crate) followed: Vec<Bytes>,
    followed_bytes: usize,
}

impl Cache {
    pub(crate) fn new(block: Bytes, made: Timestamp) -> Self {
        Self { snapshot: Arc::new(Snapshot::new(block)), made, followed: Vec::new(), followed_bytes: 0 }
    }

    /// A block that those who have the snapshot are to get too. Returns whether it is still worth keeping.
    pub(crate) fn follow(&mut self, block: &Bytes) -> bool {
        self.followed_bytes += block.len();
        self.followed.push(block.clone());
        self.followed.len() < FOLLOWED_MAX && self.followed_bytes < FOLLOWED_BYTES_MAX
    }

    /// Whether it is too old to be handed out at `now`.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        now.0 - self.made.0 >= SNAPSHOT_AGE_MAX.0
    }
}
