//! A game of accounts, movers and timers, and a server that plays it.

use std::sync::Arc;

use evertick_durability::storage::simulated::SimulatedStorage;
use evertick_durability::{CauseRef, DurabilityConfig, Journal, LogConfig, OpenError, Opened, Storage, open};
use evertick_schema::{
    Access, EntityId, Identity, ReducerDef, ReducerKind, SessionId, StorageClass, Timestamp, Type,
};
use evertick_world::{Call, CallResult, Caller, Config, GuestFault, Module, Outcome, RowId, Simulation, Tx};

use crate::native::*;

pub(crate) const START: Timestamp = Timestamp(1_000_000);

pub(crate) const TRANSFER: u32 = 0;
pub(crate) const SPAWN: u32 = 1;
pub(crate) const LATER: u32 = 2;
pub(crate) const DRAW: u32 = 3;

fn number(args: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(args[at * 8..at * 8 + 8].try_into().unwrap())
}

fn transfer(tx: &mut Tx<'_>, rows: &[RowId], args: &[u8]) -> Result<Outcome, GuestFault> {
    for (id, amount) in [(number(args, 0), -1), (number(args, 1), 1)] {
        let entity = tx.find(rows[ACCOUNT], 0, &id.to_le_bytes()).unwrap();
        let balance = i64::from_le_bytes(tx.get(rows[ACCOUNT], entity).unwrap()[8..].try_into().unwrap());
        tx.set(rows[ACCOUNT], entity, &account(id, balance + amount)).unwrap();
    }
    done()
}

fn spawn(tx: &mut Tx<'_>, rows: &[RowId], args: &[u8]) -> Result<Outcome, GuestFault> {
    let entity = tx.spawn();
    tx.set(rows[POSITION], entity, &vec2(number(args, 0) as f32, 0.0)).unwrap();
    tx.set(rows[VELOCITY], entity, &vec2(1.0, 0.0)).unwrap();
    tx.set(rows[LABEL], entity, &label("mover")).unwrap();
    done()
}

fn later(tx: &mut Tx<'_>, _: &[RowId], args: &[u8]) -> Result<Outcome, GuestFault> {
    let at = Timestamp(tx.now().0 + number(args, 0) as i64);
    tx.after(at, 0, TRANSFER, &[0u64.to_le_bytes(), 1u64.to_le_bytes()].concat()).unwrap();
    done()
}

fn draw(tx: &mut Tx<'_>, rows: &[RowId], _: &[u8]) -> Result<Outcome, GuestFault> {
    let drawn = tx.random() as u32;
    tx.insert_row(rows[SEASON], &drawn.to_le_bytes()).unwrap();
    done()
}

fn init(tx: &mut Tx<'_>, rows: &[RowId], _: &[u8]) -> Result<Outcome, GuestFault> {
    for id in 0..4 {
        tx.insert_row(rows[ACCOUNT], &account(id, 100)).unwrap();
    }
    done()
}

/// A lifecycle reducer.
pub(crate) fn lifecycle(name: &str, kind: ReducerKind) -> ReducerDef {
    ReducerDef { kind, refusals: vec![], ..call(name, &[]) }
}

/// The game; `step` is what a mover's place changes by in a tick.
pub(crate) fn game(step: f32) -> Module {
    let two = [("a", Type::U64), ("b", Type::U64)];
    let game = Game::new("game")
        .reducer(call("transfer", &two), transfer)
        .reducer(call("spawn", &two[..1]), spawn)
        .reducer(call("later", &two[..1]), later)
        .reducer(call("draw", &[]), draw)
        .reducer(lifecycle("init", ReducerKind::Init), init);
    let params = vec![query(&[(POSITION, Access::Write), (VELOCITY, Access::Read)])];
    let game = game.system(system("movement", params), move |view| {
        let tables = view.params()[0].tables();
        for (number, table) in tables.iter().enumerate() {
            let places = table.columns()[0].as_ref().unwrap().flat().unwrap();
            let moved: Vec<u8> = places
                .chunks(8)
                .flat_map(|place| {
                    let (x, y) = read_vec2(place);
                    vec2(x + step, y)
                })
                .collect();
            view.write_back(0, number, 0, &moved)?;
        }
        Ok(())
    });
    let mut module = game.module();
    module.description.rows[POSITION].storage = StorageClass::Checkpoint { every_us: 200_000 };
    module.description.rows[VELOCITY].storage = StorageClass::Transient;
    module
}

pub(crate) fn simulation(modules: Vec<Module>) -> Simulation {
    Simulation::new(Config::default(), TICK, modules).unwrap()
}

/// Small files, so that there are many.
pub(crate) fn config() -> DurabilityConfig {
    DurabilityConfig {
        log: LogConfig { segment_bytes: 64 << 10, ..LogConfig::default() },
        ..DurabilityConfig::default()
    }
}

/// A world with its journal.
pub(crate) struct Server {
    pub(crate) simulation: Simulation,
    pub(crate) journal: Journal,
    pub(crate) now: Timestamp,
}

pub(crate) fn disk() -> SimulatedStorage {
    SimulatedStorage::new(7)
}

/// Opens the world on `storage` as a new process.
pub(crate) fn boot(storage: &SimulatedStorage, modules: Vec<Module>) -> Result<(Server, Opened), OpenError> {
    boot_on(Arc::new(storage.another_process()), modules)
}

pub(crate) fn boot_on(
    storage: Arc<dyn Storage>,
    modules: Vec<Module>,
) -> Result<(Server, Opened), OpenError> {
    let mut simulation = simulation(modules);
    let opened = open(storage, config(), &mut simulation, START, &mut |_| {}, Box::new(|_| {}));
    opened.map(|(journal, opened)| (Server { simulation, journal, now: opened.time }, opened))
}

impl Server {
    pub(crate) fn call(&mut self, reducer: u32, args: &[u64]) -> Option<u64> {
        let args: Vec<u8> = args.iter().flat_map(|arg| arg.to_le_bytes()).collect();
        let caller = somebody(3);
        let call = Call { module: 0, reducer, args: &args, caller: &caller };
        self.journal.cause(self.now, CauseRef::Call(call));
        assert_eq!(self.simulation.call(&call, self.now), CallResult::Ok(vec![]));
        self.commit()
    }

    pub(crate) fn tick(&mut self) -> Option<u64> {
        self.now.0 += TICK.0;
        self.journal.cause(self.now, CauseRef::Tick);
        self.simulation.tick(self.now);
        let commit = self.commit();
        self.journal.slice(&self.simulation);
        commit
    }

    /// Commits, and returns what it waits for.
    pub(crate) fn commit(&mut self) -> Option<u64> {
        let delta = self.simulation.commit(self.now);
        let commit = self.journal.commit(&mut self.simulation, &delta);
        self.simulation.world_mut().recycle(delta);
        commit.synced_at
    }

    /// Waits until what was committed is safe.
    pub(crate) fn wait(&self, synced_at: Option<u64>) {
        let seq = synced_at.expect("there is something to wait for");
        while self.journal.synced() < seq {
            std::thread::yield_now();
        }
    }

    pub(crate) fn close(self) {
        self.journal.close(&self.simulation).unwrap();
    }

    pub(crate) fn balances(&self) -> Vec<i64> {
        let row = row(&self.simulation, ACCOUNT);
        let mut all: Vec<(EntityId, i64)> = self
            .simulation
            .world()
            .scan(row)
            .map(|(entity, row)| (entity, i64::from_le_bytes(row[8..16].try_into().unwrap())))
            .collect();
        all.sort();
        all.into_iter().map(|(_, balance)| balance).collect()
    }
}

pub(crate) fn somebody(number: u8) -> Caller {
    Caller { identity: Identity([number; 32]), session: SessionId(u64::from(number)), roles: Arc::new([]) }
}

/// All files of a disk, to see whether anything was changed.
pub(crate) fn files(storage: &SimulatedStorage) -> Vec<(String, Vec<u8>)> {
    let files = storage.list().unwrap().into_iter().filter(|(name, _)| name != "lock");
    files
        .filter_map(|(name, len)| {
            let mut bytes = vec![0; len as usize];
            // One may be removed meanwhile.
            storage.open(&name).ok()?.read_up_to(&mut bytes, 0).unwrap();
            Some((name, bytes))
        })
        .collect()
}

/// A disk with these files, all safe.
pub(crate) fn disk_with(files: &[(String, Vec<u8>)]) -> SimulatedStorage {
    let disk = disk();
    for (name, bytes) in files {
        let file = disk.create(name).unwrap();
        file.write_all_at(bytes, 0).unwrap();
        file.sync_all().unwrap();
    }
    disk.sync_dir().unwrap();
    disk
}
