//! What a crash and a restart leave of a test's world, under the same module or another version of it.

use std::collections::HashMap;

use evertick_module::Module;
use evertick_schema::{EntityId, Migration, MigrationRefused, ModuleDescription, RowMigration};
use evertick_world::{DueTimer, Guest, RestoreError, RowId, Simulation, TimerOp, World};

use crate::world::{MODULE, TestWorld, in_words, simulation};

impl TestWorld {
    /// Kills the server and starts it again. Rows of transient row types are gone, and so are entities that had
    /// nothing else; everything else goes on: rows, timers, time, random numbers. Whoever was connected no longer is,
    /// and the module's `disconnect` reducer has run for them. Events that nobody has asked for are gone.
    ///
    /// Of checkpointed rows this keeps the last values, as if the server died right after a checkpoint; a real one may
    /// go back to values that are as old as the row type's period says.
    ///
    /// # Panics
    ///
    /// When a `disconnect` reducer does, or the world was made by [`TestWorld::over`]: use [`TestWorld::restart_over`].
    #[track_caller]
    pub fn restart(&mut self) {
        let Some(module) = self.module else {
            panic!("this world's guest can't be started again: use `restart_over` with a new one");
        };
        if let Err(refused) = self.upgrade_to(module) {
            panic!("{refused}");
        }
    }

    /// Restarts, as [`TestWorld::restart`] does, with another version of the module: rows are brought to its shape, and
    /// its `upgrade` reducer runs if its description is another.
    ///
    /// # Errors
    ///
    /// When rows can't be brought over automatically. The world is then as it was.
    ///
    /// # Panics
    ///
    /// When anything is wrong with the module, its `upgrade` or `disconnect` reducer fails, a timer waits for a reducer that
    /// is gone or takes other arguments, or a row does not fit what
    /// the new version asks of it, as when two rows have the same value in a field that is now unique.
    #[track_caller]
    pub fn upgrade_to(&mut self, module: Module) -> Result<Migration, MigrationRefused> {
        let (description, guest) = Self::guest(&module);
        let plan = self.restart_over(description, Box::new(guest))?;
        self.module = Some(module);
        Ok(plan)
    }

    /// Restarts with the module that `guest` runs, as [`TestWorld::upgrade_to`] does: for tests of modules as they ship, in
    /// WASM.
    ///
    /// # Errors
    ///
    /// As [`TestWorld::upgrade_to`].
    ///
    /// # Panics
    ///
    /// As [`TestWorld::upgrade_to`].
    #[track_caller]
    pub fn restart_over(
        &mut self,
        description: ModuleDescription,
        guest: Box<dyn Guest>,
    ) -> Result<Migration, MigrationRefused> {
        let plan = Migration::plan(&self.description, &description)?;
        let mut new = simulation(&description, guest, &self.settings);
        if let Err(error) = carry_over(&self.simulation, &mut new, &plan) {
            panic!("module {}: {error}", description.name);
        }
        new.resume(self.simulation.tick_number());
        if description != self.description
            && let Err(error) = new.upgrade(self.now())
        {
            panic!("{error}");
        }
        self.simulation = new;
        self.description = description;
        self.module = None;
        self.events.clear();
        self.commit();
        for (_, session) in std::mem::take(&mut self.sessions) {
            self.simulation.disconnect(&session.caller, self.now());
            self.commit();
        }
        let faults = self.simulation.take_faults();
        assert!(faults.is_empty(), "{}", in_words(&faults));
        Ok(plan)
    }
}

/// Brings what is stored of one world into another.
fn carry_over(old: &Simulation, new: &mut Simulation, plan: &Migration) -> Result<(), RestoreError> {
    let ways: HashMap<RowId, (RowId, &RowMigration)> = new
        .rows(MODULE)
        .iter()
        .zip(&plan.rows)
        .filter_map(|(to, way)| Some((old.rows(MODULE)[way.from()? as usize], (*to, way))))
        .collect();
    let mut restore = new.world_mut().restore()?;
    for (entity, row, bytes) in stored_rows(old.world()) {
        let Some((to, way)) = ways.get(&row) else { continue };
        let mut converted = Vec::new();
        way.convert(&bytes, &mut converted).unwrap_or_else(|error| {
            panic!("the {} of {entity} can't be brought over: {error}", old.world().row(row).name)
        });
        restore.put(*to, entity, &converted)?;
    }
    for (id, at, call) in old.world().timers() {
        let Some(reducer) = plan.reducers[call.reducer as usize] else {
            panic!(
                "a timer waits for reducer {}, which the new version does not have with the same parameters",
                old.modules()[usize::from(MODULE)].reducers[call.reducer as usize].name
            );
        };
        let mut call = call.clone();
        call.reducer = reducer;
        restore.timer(&TimerOp::Set(DueTimer { id, at, call }));
    }
    restore.counters(old.world().counters());
    restore.finish()
}

fn stored_rows(world: &World) -> Vec<(EntityId, RowId, Vec<u8>)> {
    let mut rows = Vec::new();
    let mut cursor = world.snapshot_cursor();
    while !world.snapshot_slice(&mut cursor, usize::MAX, |entity, row, bytes| {
        rows.push((entity, row, bytes.to_vec()));
    }) {}
    rows
}
