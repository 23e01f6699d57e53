//! Writing a log: without a thread or a clock of its own, so that tests can drive it step by step.
//!
//! # The order of things
//!
//! Each step below is safe before the next one begins, so a crash between any two leaves a log that reads well.
//!
//! 1. A segment's header and its first group are written into a file of another name, and synced.
//! 2. The file gets the segment's name; the directory is synced. Now the group is confirmed.
//! 3. Each further group is written; the file is synced; the group is confirmed. Only then comes the next one.
//! 4. After a new segment's first group: its predecessor gets a seal, so that nobody can lose the later one
//!    unnoticed; what failed attempts left is removed.
//!
//! # When the disk fails
//!
//! After a failed write or sync nothing is known about what the file holds behind its last synced group, and the
//! system may have forgotten that it has pages to write: a second `fsync` that says nothing proves nothing. So the
//! segment is given up there. The group, which is still in memory, goes into a new one, whose header says how far
//! its predecessor counts.
//!
//! # After a crash
//!
//! The last group that is found may have been written and never synced: a process that is killed leaves it in the
//! system's cache, where it can be read, and from where a power cut takes it after all. Unless something behind it
//! proves that it was synced, it is written again, into a new segment, before anything is built on it.

mod housekeeping;
mod shelf;
mod writer;

pub(crate) use housekeeping::{Housekeeping, Step};
pub(crate) use shelf::Shelf;
pub(crate) use writer::{Writer, lock};
