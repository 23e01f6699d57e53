//! The systems of all modules in one of bevy's schedules.

use std::sync::Arc;

use bevy_ecs::query::FilteredAccessSet;
use bevy_ecs::schedule::{IntoScheduleConfigs, Schedule, SingleThreadedExecutor};
use evertick_schema::{Duration, ModuleDescription, SystemDef, Timestamp};

use crate::guest::GuestFault;
use crate::module::LoadedModule;
use crate::order::{Declared, order};
use crate::params::{Params, conflict};
use crate::simulation::SimulationError;
use crate::system::{GuestSystem, Pace, RunState, SharedPace, SystemName, Turn};
use crate::trace::Trace;
use crate::world::World;

/// All systems, in order.
pub(crate) struct Systems {
    schedule: Schedule,
    /// The systems' paces, by module, then as declared.
    pub(crate) paces: Vec<SharedPace>,
}

/// What one run of all systems did.
#[derive(Debug, Default)]
pub(crate) struct SystemsRun {
    pub(crate) run: u32,
    pub(crate) skipped: u64,
    pub(crate) faults: Vec<(String, GuestFault)>,
}

impl Systems {
    /// The systems of `modules`, whose descriptions are `descriptions`.
    pub(crate) fn new(
        world: &mut World,
        tick: Duration,
        modules: &[LoadedModule],
        descriptions: &[ModuleDescription],
    ) -> Result<Self, SimulationError> {
        let mut declared = Vec::new();
        let mut systems: Vec<GuestSystem> = Vec::new();
        for (module, (loaded, description)) in modules.iter().zip(descriptions).enumerate() {
            for (number, def) in description.systems.iter().enumerate() {
                let SystemDef { name, before, after, .. } = def;
                let declares = Declared { module: &loaded.name, name, before, after };
                let name = declares.qualified();
                declared.push(declares);
                let params = Params::new(&def.params, &loaded.rows, &world.store).map_err(|aliasing| {
                    let (first, second) = (aliasing.first + 1, aliasing.second + 1);
                    SimulationError::Aliasing { system: name.clone(), row: aliasing.rows, first, second }
                })?;
                systems.push(GuestSystem {
                    number: number as u32,
                    module: module as u16,
                    guest: loaded.guest.clone(),
                    rows: Arc::clone(&loaded.rows),
                    rules: Arc::clone(&loaded.rules),
                    params,
                    pace: SharedPace::new(Pace::new(tick, def.every_us.map(Duration))),
                    stream: hash(&name),
                    state: RunState::default(),
                    name: SystemName(name.into()),
                });
            }
        }
        let accesses: Vec<&FilteredAccessSet> = systems.iter().map(|system| &system.params.access).collect();
        let order = order(&declared, |a, b| conflict(accesses[a], accesses[b]))?;

        let paces = systems.iter().map(|system| system.pace.clone()).collect();
        let mut schedule = Schedule::default();
        schedule.set_executor(SingleThreadedExecutor::new());
        let names: Vec<SystemName> = systems.iter().map(|system| system.name.clone()).collect();
        for (system, before) in systems.into_iter().zip(order) {
            let boxed: bevy_ecs::system::BoxedSystem = Box::new(system);
            let start = boxed.into_configs();
            schedule
                .add_systems(before.iter().fold(start, |config, first| config.after(names[*first].clone())));
        }
        let built = schedule.initialize(&mut world.ecs);
        built.expect("systems whose order has no cycle can be scheduled");
        Ok(Self { schedule, paces })
    }

    /// Runs the systems that are due, and adds what they did to `trace`.
    pub(crate) fn run(
        &mut self,
        world: &mut World,
        tick: u64,
        now: Timestamp,
        trace: &mut Option<Trace>,
    ) -> SystemsRun {
        world.lend(|ecs| {
            ecs.insert_resource(Turn::new(tick, now, trace.take()));
            self.schedule.run(ecs);
            let turn: Turn = ecs.remove_resource().expect("it was inserted above");
            *trace = turn.trace;
            SystemsRun { run: turn.run, skipped: turn.skipped, faults: turn.faults }
        })
    }
}

/// FNV-1a: the same for the same name in every build, so that random numbers are.
fn hash(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
