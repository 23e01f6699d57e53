//! A guest's system as a system of bevy's.
//!
//! ```text
//!  run_unsafe       columns ──► guest ──► changed rows, commands     world shared: systems may run in parallel
//!  apply_deferred   changed rows ──► columns, indexes, grid, delta   world exclusive, in the order of systems
//!                   when no run is left to apply: commands ──► world
//! ```
//!
//! Row numbers of changed rows stay right until they are applied, because nothing structural happens before:
//! commands wait until the last run of a sync point is applied. Between two systems that conflict, or that are
//! ordered, there is a sync point; so a system sees all that such a one before it did.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bevy_ecs::change_detection::{CheckChangeTicks, Tick};
use bevy_ecs::resource::Resource;
use bevy_ecs::schedule::{InternedSystemSet, SystemSet};
use bevy_ecs::system::{RunSystemError, System, SystemAccess, SystemIn, SystemStateFlags};
use bevy_ecs::utils::prelude::DebugName;
use bevy_ecs::world::unsafe_world_cell::UnsafeWorldCell;
use bevy_ecs::world::{DeferredWorld, World as Ecs};
use evertick_schema::{Duration, Timestamp};

use crate::batch::Batch;
use crate::commands::CommandRules;
use crate::guest::GuestFault;
use crate::module::SharedGuest;
use crate::params::Params;
use crate::random::Stream;
use crate::reads::Reads;
use crate::row::RowId;
use crate::sweep::{RunOutput, Sweep};
use crate::trace::Trace;
use crate::view::SystemView;
use crate::world::World;

/// The name by which systems are ordered, guests' and native ones: `module.system`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, SystemSet)]
pub struct SystemName(pub Arc<str>);

/// The tick that runs, and what came of it so far.
#[derive(Debug, Default, Resource)]
pub(crate) struct Turn {
    pub(crate) tick: u64,
    pub(crate) now: Timestamp,
    /// Runs whose changed rows are not in the world yet.
    unapplied: AtomicU32,
    /// Command buffers that wait for that, in the order of systems.
    waiting: Vec<Batch>,
    pub(crate) run: u32,
    pub(crate) skipped: u64,
    pub(crate) faults: Vec<(String, GuestFault)>,
    /// What systems do, where that is wanted.
    pub(crate) trace: Option<Trace>,
}

impl Turn {
    pub(crate) fn new(tick: u64, now: Timestamp, trace: Option<Trace>) -> Self {
        Self { tick, now, trace, ..Self::default() }
    }
}

/// A system of a guest.
pub(crate) struct GuestSystem {
    pub(crate) name: SystemName,
    /// Its number in the module.
    pub(crate) number: u32,
    pub(crate) module: u16,
    pub(crate) guest: SharedGuest,
    pub(crate) rows: Arc<[RowId]>,
    pub(crate) rules: Arc<CommandRules>,
    pub(crate) params: Params,
    pub(crate) pace: SharedPace,
    /// A number of its own, which its random numbers start from together with the world's seed.
    pub(crate) stream: u64,
    pub(crate) state: RunState,
}

/// A system's pace, which is also reached from outside of bevy's schedule. Nobody ever waits for it.
#[derive(Clone, Debug)]
pub(crate) struct SharedPace(Arc<Mutex<Pace>>);

impl SharedPace {
    pub(crate) fn new(pace: Pace) -> Self {
        Self(Arc::new(Mutex::new(pace)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Pace> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When a system runs.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Simulated time of one tick.
    pub(crate) tick: Duration,
    /// Between two runs; `None` is each tick.
    pub(crate) every: Option<Duration>,
    /// Since the last run, in microseconds.
    pub(crate) elapsed: i64,
    /// How much of `elapsed` the last runs were early or late.
    pub(crate) carried: i64,
}

impl Pace {
    pub(crate) fn new(tick: Duration, every: Option<Duration>) -> Self {
        Self { tick, every, elapsed: 0, carried: 0 }
    }

    /// One tick passes. If the system is due: the time since its last run.
    fn step(&mut self) -> Option<Duration> {
        let Some(every) = self.every else { return Some(self.tick) };
        self.elapsed += self.tick.0;
        let due = self.elapsed + self.carried - every.0;
        if due < 0 {
            return None;
        }
        // One run a tick is the most: what is shorter than a tick runs each tick.
        self.carried = due % self.tick.0.max(1);
        Some(Duration(std::mem::take(&mut self.elapsed)))
    }
}

/// What a system keeps between and during its runs.
#[derive(Debug, Default)]
pub(crate) struct RunState {
    /// How many tables there were when the parameters' were looked for.
    tables: usize,
    ran: bool,
    output: RunOutput,
    last_run: Tick,
}

impl GuestSystem {
    /// Runs the guest if the system is due, and keeps what it hands over.
    fn run_guest(&mut self, ecs: &Ecs) {
        let Some(delta_time) = self.pace.lock().step() else { return };
        let turn = ecs.resource::<Turn>();
        turn.unapplied.fetch_add(1, Ordering::Relaxed);
        self.state.ran = true;
        self.state.output.clear();

        let reads = Reads::lent(ecs);
        let tables = reads.store.tables.generation();
        if std::mem::replace(&mut self.state.tables, tables) != tables {
            self.params.refresh(reads.store);
        }
        let params = self.params.view(reads);
        let mut view = SystemView {
            now: turn.now,
            delta_time,
            tick: turn.tick,
            params: &params,
            rows: &self.rows,
            reads,
            rules: &self.rules,
            grants: &self.params.grants,
            random: Stream::new(reads.store.config.seed ^ self.stream, turn.tick),
            output: &mut self.state.output,
        };
        let result = self.guest.lock().run(self.number, &mut view);
        let output = &mut self.state.output;
        if let Some(fault) = result.err().or(output.fault.take()) {
            output.clear();
            output.fault = Some(fault);
        }
    }

    /// Takes the changed rows into the world; returns how many it refused.
    fn fold(&self, world: &mut World) -> u64 {
        let sweeps = self.state.output.sweeps.iter();
        let fold = |sweep: &Sweep| {
            let folded = world.fold(sweep.row, sweep.table, [sweep.structure, sweep.seen], &sweep.changed);
            folded.unwrap_or(sweep.changed.masks.len() as u64)
        };
        sweeps.map(fold).sum()
    }
}

impl System for GuestSystem {
    type In = ();
    type Out = ();

    fn name(&self) -> DebugName {
        DebugName::owned(self.name.0.to_string())
    }

    fn flags(&self) -> SystemStateFlags {
        SystemStateFlags::DEFERRED
    }

    unsafe fn run_unsafe(
        &mut self,
        (): SystemIn<'_, Self>,
        world: UnsafeWorldCell<'_>,
    ) -> Result<(), RunSystemError> {
        // SAFETY: nobody has any of the world mutably. The schedule runs one system at a time (see
        // `crate::schedule`), the caller lends the cell for it, and the system itself only reads: what it is to
        // write it does in `apply_deferred`. The reference does not outlive the call.
        self.run_guest(unsafe { world.world() });
        Ok(())
    }

    fn apply_deferred(&mut self, ecs: &mut Ecs) {
        if !std::mem::take(&mut self.state.ran) {
            return;
        }
        if let Some(trace) = &mut ecs.resource_mut::<Turn>().trace {
            trace.system(&self.name.0, &self.state.output);
        }
        let refused = if self.state.output.sweeps.is_empty() {
            0
        } else {
            World::within(ecs, |world| self.fold(world))
        };
        let output = &mut self.state.output;
        let turn = &mut *ecs.resource_mut::<Turn>();
        turn.run += 1;
        turn.skipped += refused;
        turn.faults.extend(output.fault.take().map(|fault| (self.name.0.to_string(), fault)));
        if !output.commands.is_empty() {
            let (bytes, rules) = (std::mem::take(&mut output.commands), Arc::clone(&self.rules));
            turn.waiting.push(Batch { module: self.module, rules, bytes });
        }
        let unapplied = turn.unapplied.get_mut();
        *unapplied = unapplied.saturating_sub(1);
        if *unapplied == 0 && !turn.waiting.is_empty() {
            let (batches, now) = (std::mem::take(&mut turn.waiting), turn.now);
            let apply = |world: &mut World| batches.iter().map(|batch| batch.apply(world, now)).sum::<u64>();
            let skipped = World::within(ecs, apply);
            ecs.resource_mut::<Turn>().skipped += skipped;
        }
    }

    fn queue_deferred(&mut self, _: DeferredWorld<'_>) {}

    fn initialize(&mut self, _: &mut Ecs) -> SystemAccess {
        SystemAccess::Shared(self.params.access.clone())
    }

    fn check_change_tick(&mut self, check: CheckChangeTicks) {
        self.state.last_run.check_tick(check);
    }

    fn default_system_sets(&self) -> Vec<InternedSystemSet> {
        vec![self.name.intern()]
    }

    fn get_last_run(&self) -> Tick {
        self.state.last_run
    }

    fn set_last_run(&mut self, last_run: Tick) {
        self.state.last_run = last_run;
    }
}
