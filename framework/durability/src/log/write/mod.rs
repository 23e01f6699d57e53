//! Writing a log: without a thread or a clock of its own, so that tests can drive it step by step.
//!
//! # The order of things
//!
//! Each step below is safe before the next one begins, so a crash between any two leaves a log that reads well.
//!
//! 1. A segment's header is written into a file of another name, and synced.
//! 2. The file gets the segment's name; the directory is synced.
//! 3. A group is written; the file is synced. Only then is it confirmed, and only then comes the next group.
//! 4. After the first group of a segment: its predecessor gets a seal, so that nobody can lose the later one
//!    unnoticed; what failed attempts left is removed.
//!
//! # When the disk fails
//!
//! After a failed write or sync nothing is known about what the file holds behind its last synced group, and the
//! system may have forgotten that it has pages to write: a second `fsync` that says nothing proves nothing. So the
//! segment is given up there. The group, which is still in memory, goes into a new one, whose header says how far
//! its predecessor counts.

mod housekeeping;
mod shelf;
mod writer;

pub(crate) use housekeeping::{Housekeeping, Step};
pub(crate) use shelf::Shelf;
pub(crate) use writer::{Writer, lock};
