//! Recordings of servers, run natively.

use std::path::{Path, PathBuf};

use evertick_durability::{DirectoryStorage, ReplayError, ReplayReport, describe, replay};
use evertick_module::Module;
use evertick_world::Simulation;
use thiserror::Error;

use crate::guest::NativeGuest;
use crate::world::MODULE;

/// A recording that `evertick record start` made of a running server. Replayed with the module linked natively, every call, timer
/// and system of it runs again with the rows that it had then, under a debugger if one likes.
///
/// ```no_run,test_harness
/// # mod game {
/// #     use evertick_module::prelude::*;
/// #     #[reducer] fn wait(_ctx: &mut Ctx) -> Result<(), NoRefusal> { Ok(()) }
/// #     pub const PLUGIN: Plugin = plugin! { reducers: [wait] };
/// #     export_module! { name: "game", plugins: [PLUGIN] }
/// # }
/// #[test]
/// fn what_happened_on_tuesday() {
///     let recording = evertick_testing::Recording::open("recordings/tuesday").unwrap();
///     recording.replay(game::module()).unwrap();
/// }
/// ```
#[derive(Debug)]
pub struct Recording {
    storage: DirectoryStorage,
}

/// Why a recording can't be replayed.
#[derive(Debug, Error)]
pub enum RecordingError {
    /// The directory can't be opened.
    #[error("can't open {}: {error}; give the directory that `evertick record start` was given", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The module can't run.
    #[error("the module can't run:\n{}", .0.join("\n"))]
    Module(Vec<String>),
    /// The replay differs, or the recording can't be read.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

impl Recording {
    /// Opens the directory of a recording.
    ///
    /// # Errors
    ///
    /// When there is no such directory.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, RecordingError> {
        let path = path.as_ref();
        let storage = DirectoryStorage::existing(path)
            .map_err(|error| RecordingError::Directory { path: path.to_path_buf(), error })?;
        Ok(Self { storage })
    }

    /// Runs all of it with `module` and compares every commit, reducer and system run with what was recorded. Takes as long as they
    /// do, without the waiting in between. Changes nothing of the recording.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Diverged`] names the first record, and the reducer or system, that did something else:
    /// the module is not the one that was recorded.
    pub fn replay(&self, module: Module) -> Result<ReplayReport, RecordingError> {
        let described = describe(&self.storage).map_err(ReplayError::from)?;
        let guest = NativeGuest::new(&module, MODULE).map_err(RecordingError::Module)?;
        let description = guest.instance().description().clone();
        let modules = vec![evertick_world::Module { description, guest: Box::new(guest) }];
        let mut simulation = Simulation::new(described.config, described.tick, modules)
            .map_err(|error| RecordingError::Module(vec![error.to_string()]))?;
        Ok(replay(&self.storage, &mut simulation, &mut |_| {})?)
    }
}
