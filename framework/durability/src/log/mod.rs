//! Segments, syncing, and what is found in them again. The format is in `docs/log.md`.

mod config;
mod damage;
mod error;
mod format;
mod names;
mod read;
mod stats;
mod thread;
mod write;

pub use config::LogConfig;
pub use damage::{Damage, DamageKind};
pub use error::LogError;
pub use read::{LogEnd, Record, Records, Scan, SegmentInfo, TornTail};
pub use stats::{LogStats, SyncTimes};
pub use thread::{Log, LogStatus};
