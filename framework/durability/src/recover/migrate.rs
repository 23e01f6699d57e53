//! From a world of the modules that were stored to one of the modules that are loaded.
//!
//! Nothing on the disk is touched: the old world is restored as it was, its rows are converted one by one, and what
//! comes of it becomes durable with one snapshot. So a refusal leaves everything to the modules that were stored.

use std::collections::BTreeMap;

use evertick_schema::{EntityId, Migration, ModuleDescription, RowMigration, StorageClass};
use evertick_world::{DueTimer, RowId, Simulation, TimedCall, TimerOp, World};

use super::Progress;
use super::error::OpenError;

/// Entities that are converted between two messages of progress.
const PROGRESS_ROWS: u64 = 200_000;

/// What becomes of what is stored.
pub(super) struct Plan {
    /// By the new module's number; `None` where the module was not stored.
    modules: Vec<Option<Change>>,
    /// By the old row type's number: the new one, and how its rows get there. `None` drops them.
    rows: Vec<Option<(RowId, RowMigration)>>,
    /// By the old module's number: the new one.
    numbers: Vec<u16>,
}

/// What becomes of one module.
struct Change {
    migration: Migration,
    /// Whether the description is another, even if all stored bytes may stay as they are.
    differs: bool,
}

impl Plan {
    /// Plans for all modules, or says what can't be done.
    pub(super) fn new(
        old: &[ModuleDescription],
        old_world: &World,
        simulation: &Simulation,
    ) -> Result<Self, OpenError> {
        let new = simulation.modules();
        let mut numbers = Vec::with_capacity(old.len());
        for module in old {
            let Some(number) = new.iter().position(|other| other.name == module.name) else {
                return Err(OpenError::ModuleGone { module: module.name.clone() });
            };
            numbers.push(number as u16);
        }
        // Row types that every world has are the first, and the same.
        let builtin = |row: usize| old_world.row_types()[row].name.starts_with("evertick.");
        let mut rows: Vec<Option<(RowId, RowMigration)>> = (0..old_world.row_types().len())
            .map(|row| builtin(row).then_some((RowId(row as u16), RowMigration::Keep { from: row as u32 })))
            .collect();
        let mut modules = Vec::with_capacity(new.len());
        for (number, module) in new.iter().enumerate() {
            let Some(old) = old.iter().find(|old| old.name == module.name) else {
                modules.push(None);
                continue;
            };
            let plan = Migration::plan(old, module)?;
            let own = module.rows.iter().zip(&plan.rows).zip(simulation.rows(number as u16));
            for ((def, migration), row) in own.filter(|((def, _), _)| !def.name.contains('.')) {
                let Some(from) = migration.from() else { continue };
                let name = format!("{}.{}", old.name, old.rows[from as usize].name);
                // Of what is not stored any more nothing is kept: a restart would lose it anyway.
                if let Some(from) = old_world.row_named(&name)
                    && def.storage != StorageClass::Transient
                {
                    rows[from.index()] = Some((*row, migration.clone()));
                }
            }
            modules.push(Some(Change { migration: plan, differs: old != module }));
        }
        let plan = Self { modules, rows, numbers };
        plan.check_timers(old, old_world)?;
        Ok(plan)
    }

    /// Whether every waiting timer still has something to call.
    fn check_timers(&self, old: &[ModuleDescription], old_world: &World) -> Result<(), OpenError> {
        let mut lost: BTreeMap<(u16, u32), u64> = BTreeMap::new();
        for (_, _, call) in old_world.timers() {
            if self.call(call).is_none() {
                *lost.entry((call.module, call.reducer)).or_default() += 1;
            }
        }
        let Some((&(module, _), _)) = lost.first_key_value() else { return Ok(()) };
        let description = old.get(usize::from(module));
        let name = |reducer: u32| {
            let found = description.and_then(|module| module.reducers.get(reducer as usize));
            found.map_or_else(|| format!("reducer {reducer}"), |reducer| reducer.name.clone())
        };
        Err(OpenError::Timers {
            module: description.map_or_else(|| format!("number {module}"), |module| module.name.clone()),
            reducers: lost
                .iter()
                .filter(|((of, _), _)| *of == module)
                .map(|((_, reducer), timers)| (name(*reducer), *timers))
                .collect(),
        })
    }

    /// The new numbers of a call for later.
    fn call(&self, old: &TimedCall) -> Option<TimedCall> {
        let module = *self.numbers.get(usize::from(old.module))?;
        let plan = self.modules.get(usize::from(module))?.as_ref()?;
        let reducer = (*plan.migration.reducers.get(old.reducer as usize)?)?;
        Some(TimedCall { module, reducer, args: old.args.clone() })
    }

    /// Converts all rows and timers of `old` into the world of `simulation`.
    pub(super) fn convert(
        &self,
        old: &World,
        simulation: &mut Simulation,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), OpenError> {
        let mut restore = simulation.world_mut().restore()?;
        let mut entity = Converted::default();
        let (mut cursor, mut rows, mut told) = (old.snapshot_cursor(), 0u64, 0);
        loop {
            let mut failed = None;
            let done = old.snapshot_slice(&mut cursor, 4096, |id, row, bytes| {
                if failed.is_some() {
                    return;
                }
                rows += 1;
                if id != entity.id {
                    failed = entity.put(&mut restore).err();
                    entity.id = id;
                }
                if let Some((to, migration)) = &self.rows[row.index()]
                    && let Err(error) = entity.push(*to, migration, bytes)
                {
                    failed = Some(OpenError::Convert { row: old.row(row).name.clone(), error });
                }
            });
            if let Some(error) = failed {
                return Err(error);
            }
            if rows - told >= PROGRESS_ROWS {
                told = rows;
                progress(Progress::Migrating { rows });
            }
            if done {
                break;
            }
        }
        entity.put(&mut restore)?;
        for (id, at, call) in old.timers() {
            if let Some(call) = self.call(call) {
                restore.timer(&TimerOp::Set(DueTimer { id, at, call }));
            }
        }
        restore.counters(old.counters());
        progress(Progress::Building { rows });
        restore.finish()?;
        Ok(())
    }

    /// Runs the upgrade reducers of modules whose description is another now, and the init reducers of modules that
    /// are new. Returns the migrations of the former, and the numbers of the latter.
    pub(super) fn finish(
        self,
        simulation: &mut Simulation,
        now: evertick_schema::Timestamp,
    ) -> Result<(Vec<Migration>, Vec<u16>), OpenError> {
        let (mut done, mut added) = (Vec::new(), Vec::new());
        for (number, change) in self.modules.into_iter().enumerate() {
            match change {
                Some(Change { differs: false, .. }) => {}
                Some(Change { migration, .. }) => {
                    simulation.upgrade_module(number as u16, now)?;
                    done.push(migration);
                }
                None => {
                    simulation.init_module(number as u16, now)?;
                    added.push(number as u16);
                }
            }
        }
        Ok((done, added))
    }
}

/// One entity's new rows.
#[derive(Default)]
struct Converted {
    id: EntityId,
    rows: Vec<(RowId, std::ops::Range<usize>)>,
    bytes: Vec<u8>,
}

impl Converted {
    fn push(
        &mut self,
        row: RowId,
        migration: &RowMigration,
        old: &[u8],
    ) -> Result<(), evertick_schema::RowError> {
        let start = self.bytes.len();
        migration.convert(old, &mut self.bytes)?;
        self.rows.push((row, start..self.bytes.len()));
        Ok(())
    }

    /// Puts the rows and forgets them.
    fn put(&mut self, restore: &mut evertick_world::Restore<'_>) -> Result<(), OpenError> {
        self.rows.sort_unstable_by_key(|(row, _)| *row);
        let rows: Vec<(RowId, &[u8])> =
            self.rows.iter().map(|(row, range)| (*row, &self.bytes[range.clone()])).collect();
        restore.put_all(self.id, &rows)?;
        self.rows.clear();
        self.bytes.clear();
        Ok(())
    }
}
