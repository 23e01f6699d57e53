//! What can be wrong with what is stored.

use std::fmt;

use super::names;

/// Stored data that can't be trusted. Nothing is started on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub file: String,
    /// Where in it, in bytes from its beginning.
    pub offset: u64,
    /// What is wrong.
    pub kind: DamageKind,
    /// The last record before the damage that the log still holds in an unbroken row; 0 when there is none.
    pub good_to: u64,
    /// The first record behind the damage that was found whole, if one was looked for and found.
    pub next: Option<u64>,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DamageKind {
    /// A segment's header is not as it was written.
    Header(&'static str),
    /// A group of records is not as it was written, though it was synced.
    Group(&'static str),
    /// A record can't be told from its neighbours.
    Record(&'static str),
    /// A snapshot is not as it was written.
    Snapshot(&'static str),
    /// A segment is not there.
    MissingSegment(u64),
    /// Records are asked for that were before the first segment that is there.
    MissingRecords {
        /// The first one.
        from: u64,
        /// The last one.
        to: u64,
    },
    /// A snapshot needs records that the log does not have.
    SnapshotAhead {
        /// The last record that it needs.
        needs: u64,
    },
    /// Written by a version of Evertick that this one does not know.
    Version(u32),
    /// The operating system can't read it.
    Unreadable(String),
}

impl fmt::Display for DamageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(what) => write!(f, "its header is damaged ({what})"),
            Self::Group(what) => write!(f, "records that were synced are damaged ({what})"),
            Self::Record(what) => write!(f, "a record is malformed ({what})"),
            Self::Snapshot(what) => write!(f, "the snapshot is damaged ({what})"),
            Self::MissingSegment(index) => write!(f, "the log's segment {index} is missing"),
            Self::MissingRecords { from, to } => write!(f, "records {from} to {to} are missing before it"),
            Self::SnapshotAhead { needs } => {
                write!(f, "the snapshot needs the log up to record {needs}, which ends before")
            }
            Self::Version(version) => write!(
                f,
                "it has format version {version}, which this version of Evertick does not know; use the one that \
                 wrote it, or a later one"
            ),
            Self::Unreadable(error) => write!(f, "it can't be read: {error}"),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, offset, kind, good_to, next } = self;
        write!(f, "{file} at byte {offset}: {kind}. ")?;
        match (good_to, next) {
            _ if names::snapshot_seq(file).is_some() => write!(
                f,
                "Nothing is lost by it while the snapshot before and the log are good: `evertick log repair` puts it \
                 aside. "
            )?,
            (0, None) => write!(f, "No record before it is good. ")?,
            (0, Some(next)) => write!(f, "Records from {next} on are good, none before. ")?,
            (good, None) => write!(f, "Records up to {good} are good. ")?,
            (good, Some(next)) => write!(f, "Records up to {good} are good, and from {next} on again. ")?,
        }
        write!(
            f,
            "Nothing was changed. `evertick log verify --data DIR` shows all of it and which `evertick log repair --to \
             SEQ --data DIR` keeps most; or restore a back-up with `evertick restore`"
        )
    }
}

impl std::error::Error for Damage {}
