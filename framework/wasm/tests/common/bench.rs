//! A world with one guest in it, and no simulation around: calls are transactions made here.

use std::sync::{Arc, OnceLock};

use evertick_schema::{EntityId, Identity, ModuleDescription, SessionId, Timestamp};
use evertick_wasm::{Engine, EngineConfig, GuestLimits, LoadError, WasmGuest};
use evertick_world::{Caller, Cause, Config, Delta, Guest, GuestFault, Outcome, RowId, World};

/// One engine for all tests of a binary, as a server has.
pub fn engine() -> Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(EngineConfig::default(), None).unwrap()).clone()
}

pub fn load(wasm: &[u8]) -> Result<(ModuleDescription, WasmGuest), LoadError> {
    engine().load(wasm, GuestLimits::default())
}

pub const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

/// A world with a loaded guest.
pub struct Bench {
    pub world: World,
    pub rows: Vec<RowId>,
    pub guest: WasmGuest,
    pub caller: Caller,
}

impl Bench {
    pub fn new(wasm: &[u8]) -> Self {
        Self::with_limits(wasm, GuestLimits::default())
    }

    pub fn with_limits(wasm: &[u8], limits: GuestLimits) -> Self {
        let (description, guest) = engine().load(wasm, limits).unwrap();
        let mut world = World::new(Config::default());
        let rows = world.register(&description.name, &description.rows).unwrap();
        let identity = Identity([7; 32]);
        let caller = Caller { identity, session: SessionId(9), roles: Arc::new([]) };
        Self { world, rows, guest, caller }
    }

    /// Calls a reducer in a transaction of its own.
    pub fn call(&mut self, reducer: u32, args: &[u8]) -> Result<Outcome, GuestFault> {
        let mut tx = self.world.begin(Cause { caller: self.caller.clone(), now: NOW });
        let outcome = self.guest.call(&mut tx, &self.rows, reducer, args);
        match outcome {
            Ok(Outcome::Ok(_)) => tx.accept().unwrap(),
            Ok(Outcome::Refused { .. }) => tx.refuse(),
            Err(_) => tx.abort(),
        }
        outcome
    }

    pub fn commit(&mut self) -> Delta {
        self.world.commit(1, NOW)
    }

    /// An entity with a row, outside of the guest.
    pub fn spawn(&mut self, row: u32, bytes: &[u8]) -> EntityId {
        let mut tx = self.world.begin(Cause { caller: self.caller.clone(), now: NOW });
        let entity = tx.spawn();
        tx.set(self.rows[row as usize], entity, bytes).unwrap();
        tx.accept().unwrap();
        entity
    }

    pub fn insert(&mut self, row: u32, bytes: &[u8]) -> EntityId {
        let mut tx = self.world.begin(Cause { caller: self.caller.clone(), now: NOW });
        let entity = tx.insert_row(self.rows[row as usize], bytes).unwrap();
        tx.accept().unwrap();
        entity
    }
}
