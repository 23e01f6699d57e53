//! What can go wrong while writing.

use std::io;

use super::damage::Damage;

/// Why the log, a snapshot, a repair or a back-up could not go on.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The operating system refused something.
    #[error("{doing} {file}: {source}. Check the disk's free space, health and permissions")]
    Io {
        /// What was tried: "writing".
        doing: &'static str,
        /// The file it was tried on.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// Another process has the directory.
    #[error("{0} is in use by another server or tool. Stop that one first, or choose another directory")]
    Locked(String),
    /// What is stored is damaged.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// A record's number is not above the last one's.
    #[error("record {seq} comes after record {last}: numbers must rise. This is a defect of the caller")]
    Order {
        /// Its number.
        seq: u64,
        /// The last one's.
        last: u64,
    },
    /// A record is too large.
    #[error("record {seq} has {bytes} bytes, and the most is {max}. Write what it holds in several commits")]
    TooLarge {
        /// Its number.
        seq: u64,
        /// Its length in bytes.
        bytes: usize,
        /// The most that one may have.
        max: usize,
    },
    /// The queue is full and does not get emptier. The record was not taken.
    #[error(
        "{waiting_bytes} bytes wait for the disk, which is the most that may ({reason}). Nothing more is taken until \
         the disk works again"
    )]
    Full {
        /// How many bytes wait.
        waiting_bytes: usize,
        /// Why they still do.
        reason: String,
    },
    /// The log ended while records waited.
    #[error(
        "the log ended with {records} records that are not on the disk (the first is {first}): {reason}. What they \
         hold was not confirmed to anybody and is lost"
    )]
    Unsynced {
        /// How many.
        records: u64,
        /// The number of the first one.
        first: u64,
        /// What the disk said last.
        reason: String,
    },
    /// The thread that writes the log is gone.
    #[error("the log's thread ended unexpectedly. Restart the server: all that was confirmed is on the disk")]
    ThreadEnded,
    /// What a repair was asked for can't be done.
    #[error("the log can't be cut after record {to}: {reason}")]
    Repair {
        /// The last record that was to stay.
        to: u64,
        /// Why not.
        reason: String,
    },
    /// What a back-up was asked for can't be done.
    #[error("no back-up from {from} to {to}: {reason}")]
    BackUp {
        /// From where.
        from: String,
        /// To where.
        to: String,
        /// Why not.
        reason: String,
    },
}

/// Says what was done to which file when it failed.
pub(crate) trait Doing<T> {
    fn doing(self, doing: &'static str, file: &str) -> Result<T, LogError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, doing: &'static str, file: &str) -> Result<T, LogError> {
        self.map_err(|source| LogError::Io { doing, file: file.to_owned(), source })
    }
}
