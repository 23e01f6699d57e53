//! The bench module in a world of its own.

use std::path::Path;
use std::time::Instant;

use evertick_schema::{Call as TypedCall, Duration, ModuleDescription, Timestamp};
use evertick_wasm::{Engine, EngineConfig, GuestLimits};
use evertick_world::{Call, CallResult, Caller, Config, Guest, Module, Simulation};

use crate::Result;

/// The time between two ticks of the benchmarks: 20 Hz.
pub(crate) const TICK: Duration = Duration::from_millis(50);

/// The world of the benchmarks.
pub(crate) fn config() -> Config {
    Config { seed: 1, ..Config::default() }
}

/// A simulation with the bench module, its guest wrapped by `wrap`.
pub(crate) fn simulation(
    module: &Path,
    wrap: impl FnOnce(Box<dyn Guest>) -> Box<dyn Guest>,
) -> Result<(Simulation, ModuleDescription)> {
    simulation_of(config(), module, wrap)
}

/// The same, in a world of its own settings.
pub(crate) fn simulation_of(
    config: Config,
    module: &Path,
    wrap: impl FnOnce(Box<dyn Guest>) -> Box<dyn Guest>,
) -> Result<(Simulation, ModuleDescription)> {
    let engine = Engine::new(EngineConfig::default(), None)?;
    let limits = GuestLimits { call_time_max: std::time::Duration::from_secs(10), ..GuestLimits::default() };
    let (description, guest) = engine.load(&std::fs::read(module)?, limits)?;
    let module = Module { description: description.clone(), guest: wrap(Box::new(guest)) };
    Ok((Simulation::new(config, TICK, vec![module])?, description))
}

/// The number and argument bytes of a typed call.
pub(crate) fn encode<C: TypedCall>(description: &ModuleDescription, call: &C) -> Result<(u32, Vec<u8>)> {
    let reducer = description.reducer(C::NAME).ok_or_else(|| format!("the module has no {}", C::NAME))?;
    let mut args = Vec::new();
    call.encode(&mut args);
    Ok((reducer as u32, args))
}

/// Calls once and commits. Anything but success is an error.
pub(crate) fn call<C: TypedCall>(
    simulation: &mut Simulation,
    description: &ModuleDescription,
    call: &C,
) -> Result {
    let (reducer, args) = encode(description, call)?;
    let caller = Caller::default();
    let result = simulation.call(&Call { module: 0, reducer, args: &args, caller: &caller }, Timestamp(0));
    let delta = simulation.commit(Timestamp(0));
    simulation.world_mut().recycle(delta);
    match result {
        CallResult::Ok(_) => Ok(()),
        other => Err(format!("{}: {other:?} {:?}", C::NAME, simulation.take_faults()).into()),
    }
}

/// The seconds that `work` takes.
pub(crate) fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}
