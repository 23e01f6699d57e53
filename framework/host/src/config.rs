//! The loop's settings and bounds.

use std::time::Duration;

/// How a [`Host`](crate::Host) runs. Every bound of the loop is here.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// The time between two ticks.
    pub tick: Duration,
    /// The most frames in a second while the loop is busy.
    pub frame_hz: u32,
    /// Batches that may wait in the inbox: each is what one of the gateway's shards took in at once, at most
    /// `GatewayConfig::batch_len_max` calls. Beyond that, clients are told to come back.
    pub inbox_batches_max: usize,
    /// Messages taken from the inbox before the loop looks at the clock and commits.
    pub batch_len_max: usize,
    /// Ticks that are run at once to catch up; what is missing beyond that is dropped and counted.
    pub catch_up_ticks_max: u32,
    /// A tick that starts this long after its deadline is counted as late.
    pub late_after: Duration,
    /// The longest that a frame waits for the disk before the world stands still, as when the disk fails. It bounds what is gathered
    /// for the frames that follow.
    pub sync_wait_max: Duration,
    /// Sessions that may be open.
    pub sessions_max: usize,
}

impl Default for HostConfig {
    /// 20 ticks and up to 60 frames a second.
    fn default() -> Self {
        Self {
            tick: Duration::from_millis(50),
            frame_hz: 60,
            inbox_batches_max: 64,
            batch_len_max: 4_096,
            catch_up_ticks_max: 5,
            late_after: Duration::from_millis(25),
            sync_wait_max: Duration::from_secs(2),
            sessions_max: 100_000,
        }
    }
}

impl HostConfig {
    /// The shortest time between two frames while the loop is busy.
    pub fn frame_interval(&self) -> Duration {
        Duration::from_secs(1) / self.frame_hz.max(1)
    }
}
