//! Why a replay ends early.

use std::fmt;

use evertick_world::ImageError;
use thiserror::Error;

use crate::log::{Damage, LogError};
use crate::record::Malformed;
use crate::recover::OpenError;

/// Why a recording can't be run to its end.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// Something was done differently.
    #[error(transparent)]
    Diverged(Box<Divergence>),
    /// There is no recording.
    #[error("{directory} holds no recording; make one with `evertick record start DIR` on a running server")]
    NotARecording {
        /// The directory.
        directory: String,
    },
    /// Other modules are loaded.
    #[error(
        "the recording is of the modules {recorded}, and {loaded} are loaded; load the same ones in the same order"
    )]
    Modules {
        /// Those of the recording.
        recorded: String,
        /// Those that are loaded.
        loaded: String,
    },
    /// A module has other rows, reducers or systems than when it was recorded.
    #[error(
        "module {module} describes other rows, reducers or systems than when it was recorded; build it from the source that the server ran (code inside of reducers and systems may differ)"
    )]
    Description {
        /// The module.
        module: String,
    },
    /// The recording's beginning can't be read.
    #[error(transparent)]
    Stored(#[from] OpenError),
    /// The recording's image can't be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A record is none.
    #[error("record {seq} of the recording is malformed: {error}; use the version of Evertick that made it")]
    Record {
        /// Its number.
        seq: u64,
        /// What is wrong.
        error: Malformed,
    },
    /// The recording is damaged.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// The recording can't be read.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// The first difference between a recording and its replay.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct Divergence {
    /// The record.
    pub seq: u64,
    /// The tick that it belongs to.
    pub tick: u64,
    /// The run of a reducer or system that did something else, `module.name`; `None` when all did the same and the
    /// commit differs all the same.
    pub name: Option<String>,
    /// Which run of the record it is, counted from 0.
    pub run: usize,
    /// What was recorded: a checksum, or nothing where nothing more ran.
    pub expected: Option<u32>,
    /// What the replay came to, likewise.
    pub found: Option<u32>,
    /// What ran in the replay where something else was recorded.
    pub instead: Option<String>,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seq, tick, run, .. } = self;
        write!(f, "the replay differs at record {seq}, tick {tick}: ")?;
        match (&self.name, &self.instead) {
            (Some(name), None) => write!(f, "{name} (run {run} of the record) did something else"),
            (Some(name), Some(instead)) => {
                write!(f, "{instead} ran where {name} was recorded (run {run} of the record)")
            }
            (None, Some(instead)) => {
                write!(f, "{instead} ran (run {run} of the record), and nothing more was recorded")
            }
            (None, None) => write!(
                f,
                "every reducer and system did the same, and yet the commit differs; please report it"
            ),
        }?;
        let sum = |sum: Option<u32>| sum.map_or_else(|| "nothing".to_owned(), |sum| format!("{sum:08x}"));
        write!(f, " (recorded {}, replayed {})", sum(self.expected), sum(self.found))
    }
}
