//! What a simulation offers to those who stop it and let it go on, here or elsewhere: upgrade, resume, renew,
//! trace.

use evertick_schema::{Duration, ReducerKind, Timestamp};

use crate::simulation::{Simulation, SimulationError};
use crate::trace::{Trace, TraceEntry};

impl Simulation {
    /// The number of the last tick; 0 before the first.
    pub fn tick_number(&self) -> u64 {
        self.tick
    }

    /// Simulated time of one tick.
    pub fn tick_length(&self) -> Duration {
        self.tick_length
    }

    /// Runs the modules' upgrade reducers, each its own transaction. To be called once, on a world whose rows were
    /// stored by another version of the modules.
    pub fn upgrade(&mut self, now: Timestamp) -> Result<(), SimulationError> {
        self.prepare(ReducerKind::Upgrade, now)
    }

    /// Runs the init reducer of module number `module`, which is new in a world that is not.
    pub fn init_module(&mut self, module: u16, now: Timestamp) -> Result<(), SimulationError> {
        self.prepare_module(usize::from(module), ReducerKind::Init, now)
    }

    /// Runs the upgrade reducer of module number `module`, the only one whose stored rows were of another version.
    pub fn upgrade_module(&mut self, module: u16, now: Timestamp) -> Result<(), SimulationError> {
        self.prepare_module(usize::from(module), ReducerKind::Upgrade, now)
    }

    /// Goes on from tick number `tick`, after a restart; the next is the one behind it. Systems with a pace of
    /// their own start a new period.
    pub fn resume(&mut self, tick: u64) {
        self.tick = tick;
    }

    /// Makes guests forget what they remember by themselves, see [`crate::Guest::renew`]. The next calls cost as
    /// much as the first.
    pub fn renew(&mut self) {
        self.modules.iter().for_each(|module| module.guest.lock().renew());
    }

    /// Begins to note what reducers and systems do, or ends it. Cost: per run about 100 ns, and a checksum of what
    /// it changed.
    pub fn trace(&mut self, on: bool) {
        self.trace = on.then(Trace::default);
    }

    /// What ran since the last time this was asked: an entry per run of a reducer and of a system, in their order,
    /// at most [`crate::TRACE_ENTRIES_MAX`]. Nothing unless [`Simulation::trace`] is on.
    pub fn take_trace(&mut self) -> Vec<TraceEntry> {
        self.trace.as_mut().map(Trace::take).unwrap_or_default()
    }
}
