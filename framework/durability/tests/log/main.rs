//! The log with its threads, on real files and on a disk that fails.
#![allow(clippy::unwrap_used)]

mod back_pressure;
mod failing;
mod files;
mod latency;
mod snapshots;
mod support;
