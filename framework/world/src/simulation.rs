//! A world with modules in it: calls, timers and ticks, without clock or sockets.
//!
//! The same modules, settings and inputs, in the same order and with the same times, give the same deltas.

use std::collections::VecDeque;

use evertick_schema::{Duration, ModuleDescription, Problem, ReducerKind, Timestamp};
use thiserror::Error;

use crate::calls::{Call, CallError, CallResult};
use crate::cause::{Caller, Cause, QueuedCall};
use crate::fault::{Fault, FaultLog};
use crate::guest::{FaultKind, GuestFault, Outcome};
use crate::module::{LoadedModule, Module};
use crate::order::OrderError;
use crate::registry::RegisterError;
use crate::row::RowId;
use crate::schedule::Systems;
use crate::trace::Trace;
use crate::{Config, Delta, World, WriteError};

/// The most timers that run in one tick; the rest run in the next.
pub const TIMERS_PER_TICK_MAX: usize = 4096;

/// The most detached calls that run because of one call, timer or session event; further ones are dropped, with a fault.
pub const DETACHED_CHAIN_MAX: usize = 256;

/// Why a simulation can't be built or started.
#[derive(Debug, Error)]
pub enum SimulationError {
    /// A module's description is not one that a world can rely on.
    #[error("module {module} can't be loaded: {}", join(problems))]
    Description {
        /// The module.
        module: String,
        /// All that is wrong with it.
        problems: Vec<Problem>,
    },
    /// Two modules are called the same.
    #[error("two modules are called {module}; rename one")]
    Twice {
        /// The name.
        module: String,
    },
    /// A module's row types can't be registered.
    #[error("module {module} can't be loaded: {error}")]
    Rows {
        /// The module.
        module: String,
        /// Why not.
        error: RegisterError,
    },
    /// Systems can't be ordered.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// Two parameters of one system reach the same rows, and one of them writes.
    #[error(
        "system {system} reaches {row} by parameters {first} and {second}, and writes it; drop one or keep their entities apart with `Without`"
    )]
    Aliasing {
        /// The system.
        system: String,
        /// The row type, or several.
        row: String,
        /// One parameter, counted from 1.
        first: usize,
        /// The other.
        second: usize,
    },
    /// An init or upgrade reducer did not do its work.
    #[error("{reducer} failed, so the world can't start: {reason}")]
    Init {
        /// `module.reducer`.
        reducer: String,
        /// What it said.
        reason: String,
    },
}

fn over_limit(error: &WriteError) -> GuestFault {
    GuestFault::new(FaultKind::Memory, error.to_string())
}

fn join(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// What one tick did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TickReport {
    /// The tick's number, counting up from 1.
    pub tick: u64,
    /// Timers that ran.
    pub timers_fired: u32,
    /// Systems that ran, those that failed included.
    pub systems_run: u32,
    /// Commands and row writes that could not be applied: the entity was gone, a key was taken, a limit reached.
    pub commands_skipped: u64,
    /// Failures of guests, in systems, timers and what those detached.
    pub faults: u64,
}

/// A world and the modules that live in it.
pub struct Simulation {
    pub(crate) world: World,
    pub(crate) modules: Vec<LoadedModule>,
    descriptions: Vec<ModuleDescription>,
    pub(crate) systems: Systems,
    pub(crate) faults: FaultLog,
    /// Simulated time of one tick.
    pub(crate) tick_length: Duration,
    /// The number of the last tick.
    pub(crate) tick: u64,
    pub(crate) trace: Option<Trace>,
}

impl std::fmt::Debug for Simulation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let modules: Vec<&str> = self.modules.iter().map(|module| module.name.as_str()).collect();
        f.debug_struct("Simulation")
            .field("modules", &modules)
            .field("tick", &self.tick)
            .finish_non_exhaustive()
    }
}

impl Simulation {
    /// An empty world with these modules, which see each other's row types in the order given. A tick takes
    /// `tick` of simulated time.
    pub fn new(config: Config, tick: Duration, modules: Vec<Module>) -> Result<Self, SimulationError> {
        let mut world = World::new(config);
        let mut descriptions: Vec<ModuleDescription> = Vec::with_capacity(modules.len());
        let mut loaded = Vec::with_capacity(modules.len());
        for module in modules {
            let description = module.description.clone();
            let name = &description.name;
            if descriptions.iter().any(|other| other.name == *name) {
                return Err(SimulationError::Twice { module: name.clone() });
            }
            description
                .check()
                .map_err(|problems| SimulationError::Description { module: name.clone(), problems })?;
            let rows = world
                .register(name, &description.rows)
                .map_err(|error| SimulationError::Rows { module: name.clone(), error })?;
            loaded.push(LoadedModule::new(module, rows, &world));
            descriptions.push(description);
        }
        let systems = Systems::new(&mut world, tick, &loaded, &descriptions)?;
        Ok(Self {
            world,
            modules: loaded,
            descriptions,
            systems,
            faults: FaultLog::default(),
            tick_length: tick,
            tick: 0,
            trace: None,
        })
    }

    /// The world, to read.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The world, to change from outside: recovery, tools, tests. Not while a call or tick runs, which borrow it.
    pub fn world_mut(&mut self) -> &mut World {
        &mut self.world
    }

    /// The world's numbers of the row types of module number `module`, in the order of its description.
    pub fn rows(&self, module: u16) -> &[RowId] {
        self.modules.get(usize::from(module)).map_or(&[], |module| &module.rows)
    }

    /// What the modules say about themselves, in their order: module numbers are positions in it.
    pub fn modules(&self) -> &[ModuleDescription] {
        &self.descriptions
    }

    /// Runs the modules' init reducers, each its own transaction. To be called once, on a new world.
    pub fn init(&mut self, now: Timestamp) -> Result<(), SimulationError> {
        self.prepare(ReducerKind::Init, now)
    }

    /// Runs the modules' reducers of this kind, each its own transaction; the first that fails ends it.
    pub(crate) fn prepare(&mut self, kind: ReducerKind, now: Timestamp) -> Result<(), SimulationError> {
        (0..self.modules.len()).try_for_each(|module| self.prepare_module(module, kind, now))
    }

    /// Runs the module's reducer of this kind, if it has one.
    pub(crate) fn prepare_module(
        &mut self,
        module: usize,
        kind: ReducerKind,
        now: Timestamp,
    ) -> Result<(), SimulationError> {
        let Some(reducer) = self.modules.get(module).and_then(|module| module.lifecycle(kind)) else {
            return Ok(());
        };
        let reason = match self.transact(module, reducer, &[], &Caller::default(), now) {
            Ok(Outcome::Ok(_)) => {
                self.run_detached(now);
                return Ok(());
            }
            Ok(Outcome::Refused { message, .. }) => message,
            Err(fault) if fault.backtrace.is_empty() => fault.to_string(),
            Err(fault) => format!("{fault}\n{}", fault.backtrace),
        };
        Err(SimulationError::Init { reducer: self.modules[module].qualified(reducer), reason })
    }

    /// Calls a reducer in a transaction of its own, and then what it detached. Cost beside the guest's own:
    /// below 150 ns and no allocation.
    pub fn call(&mut self, call: &Call<'_>, now: Timestamp) -> CallResult {
        self.call_kind(call, ReducerKind::Call, now)
    }

    /// Runs an input reducer, as [`Simulation::call`] runs others. To be called right before the tick that the input is for, in an
    /// order that does not depend on how inputs arrived; which of them run is the caller's to decide.
    pub fn input(&mut self, call: &Call<'_>, now: Timestamp) -> CallResult {
        self.call_kind(call, ReducerKind::Input, now)
    }

    fn call_kind(&mut self, call: &Call<'_>, kind: ReducerKind, now: Timestamp) -> CallResult {
        let module = usize::from(call.module);
        let admitted =
            match self.modules.get(module).and_then(|module| module.reducers.get(call.reducer as usize)) {
                Some(reducer) => {
                    reducer.admit(call.caller, kind).and_then(|()| reducer.check_args(call.args))
                }
                None => Err(CallError::UnknownReducer),
            };
        if let Err(error) = admitted {
            return CallResult::Failed(error);
        }
        let result = self.call_unchecked(module, call.reducer, call.args, call.caller, now);
        self.run_detached(now);
        result
    }

    /// Runs the modules' connect reducers for a session that opens, all in one transaction: one that refuses or
    /// fails turns the session away, and nothing of any of them remains. `Ok` carries no bytes.
    pub fn connect(&mut self, caller: &Caller, now: Timestamp) -> CallResult {
        let mut tx = self.world.begin(Cause { caller: caller.clone(), now });
        let mut result = CallResult::Ok(Vec::new());
        for module in &self.modules {
            let Some(reducer) = module.lifecycle(ReducerKind::Connect) else { continue };
            let outcome = module.run(&mut tx, reducer, &[]);
            if let Some(trace) = &mut self.trace {
                trace.reducer(&module.names[reducer as usize], &tx, &outcome);
            }
            match outcome {
                Ok(Outcome::Ok(_)) => continue,
                Ok(Outcome::Refused { variant, message, fields }) => {
                    result = CallResult::Refused { variant, message, fields };
                }
                Err(fault) => {
                    let id = self.faults.add(module.qualified(reducer), fault);
                    result = CallResult::Failed(CallError::Internal { id });
                }
            }
            break;
        }
        match result {
            CallResult::Ok(_) => {
                if let Err(error) = tx.accept() {
                    let id = self.faults.add("connect".to_owned(), over_limit(&error));
                    result = CallResult::Failed(CallError::Internal { id });
                }
            }
            CallResult::Refused { .. } => tx.refuse(),
            CallResult::Failed(_) => tx.abort(),
        }
        self.run_detached(now);
        result
    }

    /// Runs the modules' disconnect reducers for a session that has closed, each its own transaction. What they
    /// refuse changes nothing: the session is gone.
    pub fn disconnect(&mut self, caller: &Caller, now: Timestamp) {
        for module in 0..self.modules.len() {
            if let Some(reducer) = self.modules[module].lifecycle(ReducerKind::Disconnect) {
                let _ = self.call_unchecked(module, reducer, &[], caller, now);
                self.run_detached(now);
            }
        }
    }

    /// One tick: timers that are due, then the systems. Commit it with [`Simulation::commit`].
    pub fn tick(&mut self, now: Timestamp) -> TickReport {
        self.tick += 1;
        let faults_before = self.faults.count();
        let timers_fired = self.run_timers(now);
        let systems = self.systems.run(&mut self.world, self.tick, now, &mut self.trace);
        for (name, fault) in systems.faults {
            self.faults.add(name, fault);
        }
        self.run_detached(now);
        TickReport {
            tick: self.tick,
            timers_fired,
            systems_run: systems.run,
            commands_skipped: systems.skipped,
            faults: self.faults.count() - faults_before,
        }
    }

    /// Everything that calls and ticks have changed since the last commit.
    pub fn commit(&mut self, now: Timestamp) -> Delta {
        self.world.commit(self.tick, now)
    }

    /// Failures since the last time this was asked, for the log; at most [`crate::FAULTS_MAX`].
    pub fn take_faults(&mut self) -> Vec<Fault> {
        self.faults.take()
    }

    fn run_timers(&mut self, now: Timestamp) -> u32 {
        let due = self.world.due_timers(now, TIMERS_PER_TICK_MAX);
        let fired = due.len() as u32;
        for timer in due {
            let call = timer.call;
            self.call_queued(
                &QueuedCall {
                    module: call.module,
                    reducer: call.reducer,
                    args: call.args,
                    caller: Caller::default(),
                },
                now,
            );
            self.run_detached(now);
        }
        fired
    }

    /// Runs what calls detached, and what that detaches, up to a bound.
    fn run_detached(&mut self, now: Timestamp) {
        let mut queue: VecDeque<QueuedCall> = self.world.take_detached().into();
        let mut runs = 0;
        while let Some(call) = queue.pop_front() {
            if runs == DETACHED_CHAIN_MAX {
                let message = format!(
                    "more than {DETACHED_CHAIN_MAX} detached calls in one go: this and {} more are dropped",
                    queue.len()
                );
                self.faults.add(self.name_of(&call), GuestFault::new(FaultKind::Deadline, message));
                return;
            }
            runs += 1;
            self.call_queued(&call, now);
            queue.extend(self.world.take_detached());
        }
    }

    /// Runs a call that a module left to be done later: whoever may call it, its arguments are checked.
    fn call_queued(&mut self, call: &QueuedCall, now: Timestamp) {
        let module = usize::from(call.module);
        let reducer = self.modules.get(module).and_then(|module| module.reducers.get(call.reducer as usize));
        let fits = reducer.map_or(Err(CallError::UnknownReducer), |reducer| reducer.check_args(&call.args));
        match fits {
            Ok(()) => drop(self.call_unchecked(module, call.reducer, &call.args, &call.caller, now)),
            Err(error) => {
                self.faults
                    .add(self.name_of(call), GuestFault::bad_output(format!("a call for later: {error}")));
            }
        }
    }

    fn call_unchecked(
        &mut self,
        module: usize,
        reducer: u32,
        args: &[u8],
        caller: &Caller,
        now: Timestamp,
    ) -> CallResult {
        match self.transact(module, reducer, args, caller, now) {
            Ok(Outcome::Ok(bytes)) => CallResult::Ok(bytes),
            Ok(Outcome::Refused { variant, message, fields }) => {
                CallResult::Refused { variant, message, fields }
            }
            Err(fault) => {
                let id = self.faults.add(self.modules[module].qualified(reducer), fault);
                CallResult::Failed(CallError::Internal { id })
            }
        }
    }

    /// One reducer, one transaction.
    #[inline]
    fn transact(
        &mut self,
        module: usize,
        reducer: u32,
        args: &[u8],
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Outcome, GuestFault> {
        let mut tx = self.world.begin(Cause { caller: caller.clone(), now });
        let module = &self.modules[module];
        let outcome = module.run(&mut tx, reducer, args);
        if let Some(trace) = &mut self.trace {
            trace.reducer(&module.names[reducer as usize], &tx, &outcome);
        }
        match outcome {
            Ok(Outcome::Ok(_)) => tx.accept().map_err(|error| over_limit(&error))?,
            Ok(Outcome::Refused { .. }) => tx.refuse(),
            Err(_) => tx.abort(),
        }
        outcome
    }

    fn name_of(&self, call: &QueuedCall) -> String {
        match self.modules.get(usize::from(call.module)) {
            Some(module) if (call.reducer as usize) < module.reducers.len() => module.qualified(call.reducer),
            _ => format!("module {} reducer {}", call.module, call.reducer),
        }
    }
}
