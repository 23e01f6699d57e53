//! A guest in a simulation: reducers and systems on a real schedule.

use evertick_schema::{Duration, EntityId, ModuleDescription, Timestamp};
use evertick_wasm::GuestLimits;
use evertick_world::{Call, CallResult, Caller, Config, Fault, Module, RowId, Simulation, TickReport};

use super::bench::{NOW, engine};

/// A simulation with one module, and the time.
pub struct Sim {
    pub simulation: Simulation,
    pub description: ModuleDescription,
    pub now: Timestamp,
}

impl Sim {
    pub fn new(wasm: &[u8]) -> Self {
        Self::with_limits(wasm, GuestLimits::default())
    }

    pub fn with_limits(wasm: &[u8], limits: GuestLimits) -> Self {
        let (description, guest) = engine().load(wasm, limits).unwrap();
        let module = Module { description: description.clone(), guest: Box::new(guest) };
        let mut simulation =
            Simulation::new(Config::default(), Duration::from_millis(50), vec![module]).unwrap();
        simulation.init(NOW).unwrap();
        Self { simulation, description, now: NOW }
    }

    pub fn call(&mut self, reducer: u32, args: &[u8]) -> CallResult {
        let caller = Caller::default();
        self.simulation.call(&Call { module: 0, reducer, args, caller: &caller }, self.now)
    }

    /// One tick that must go well.
    pub fn tick(&mut self) -> TickReport {
        let report = self.tick_with_faults();
        assert_eq!(report.1, []);
        report.0
    }

    pub fn tick_with_faults(&mut self) -> (TickReport, Vec<Fault>) {
        self.now += Duration::from_millis(50);
        let report = self.simulation.tick(self.now);
        let faults = self.simulation.take_faults();
        self.simulation.world().check().unwrap();
        (report, faults)
    }

    pub fn row(&self, row: u32) -> RowId {
        let name = &self.description.rows[row as usize].name;
        self.simulation.world().row_named(&format!("{}.{name}", self.description.name)).unwrap()
    }

    /// All rows of a type, by entity.
    pub fn rows(&self, row: u32) -> Vec<(EntityId, Vec<u8>)> {
        let rows = self.simulation.world().scan(self.row(row));
        let mut rows: Vec<_> = rows.map(|(entity, bytes)| (entity, bytes.to_vec())).collect();
        rows.sort();
        rows
    }
}
