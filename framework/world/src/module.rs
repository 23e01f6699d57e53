//! A module in a simulation: its description, its guest, and the calls of its reducers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use evertick_schema::{ModuleDescription, ReducerKind};

use crate::calls::Reducer;
use crate::commands::{CommandRules, RowRule};
use crate::guest::{Guest, GuestFault, Outcome};
use crate::row::RowId;
use crate::{Tx, World};

/// A module to run: what it says about itself and what runs it.
pub struct Module {
    /// The description, of which row, reducer and system numbers are positions.
    pub description: ModuleDescription,
    /// What runs it.
    pub guest: Box<dyn Guest>,
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module").field("name", &self.description.name).finish_non_exhaustive()
    }
}

/// A guest that reducers and systems share. Both run on the world's thread or wait for each other.
#[derive(Clone)]
pub(crate) struct SharedGuest(Arc<Mutex<Box<dyn Guest>>>);

impl SharedGuest {
    fn new(guest: Box<dyn Guest>) -> Self {
        Self(Arc::new(Mutex::new(guest)))
    }

    /// A guest that panicked while it was locked is as good as one that trapped: it may be called again.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Box<dyn Guest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A module that is loaded.
pub(crate) struct LoadedModule {
    pub(crate) name: String,
    /// The world's numbers of the module's row types.
    pub(crate) rows: Arc<[RowId]>,
    pub(crate) reducers: Vec<Reducer>,
    /// The reducers' names, `module.reducer`.
    pub(crate) names: Vec<Arc<str>>,
    pub(crate) rules: Arc<CommandRules>,
    pub(crate) guest: SharedGuest,
}

impl LoadedModule {
    /// `rows` are the world's numbers of the row types in `module`'s description.
    pub(crate) fn new(module: Module, rows: Vec<RowId>, world: &World) -> Self {
        let description = module.description;
        let rule = |row: &RowId| {
            let row = world.row(*row);
            RowRule { id: row.id, name: row.name.clone(), kind: row.def.kind, layout: row.layout.clone() }
        };
        let rules = CommandRules {
            rows: rows.iter().map(rule).collect(),
            reducers: description.reducers.iter().map(|def| (def.name.clone(), def.params.clone())).collect(),
        };
        let names =
            description.reducers.iter().map(|def| format!("{}.{}", description.name, def.name).into());
        Self {
            names: names.collect(),
            name: description.name,
            rows: rows.into(),
            reducers: description.reducers.into_iter().map(Reducer::new).collect(),
            rules: Arc::new(rules),
            guest: SharedGuest::new(module.guest),
        }
    }

    /// The number of the reducer of this kind; there is at most one.
    pub(crate) fn lifecycle(&self, kind: ReducerKind) -> Option<u32> {
        let found = self.reducers.iter().position(|reducer| reducer.kind() == kind)?;
        Some(found as u32)
    }

    /// Runs a reducer in `tx` and checks its outcome. What is to become of `tx` is the caller's to decide.
    pub(crate) fn run(&self, tx: &mut Tx<'_>, reducer: u32, args: &[u8]) -> Result<Outcome, GuestFault> {
        // Passed on where it is: taking an outcome apart and putting it together again costs a tenth of a short call.
        let outcome = self.guest.lock().call(tx, &self.rows, reducer, args);
        if let Ok(good) = &outcome
            && let Err(fault) = self.reducers[reducer as usize].check_outcome(good)
        {
            return Err(fault);
        }
        outcome
    }

    /// `module.reducer`.
    pub(crate) fn qualified(&self, reducer: u32) -> String {
        self.names[reducer as usize].to_string()
    }
}
