//! A simulation with its journal, driven as a host does.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bench_module::movers::{populate, settle};
use evertick_durability::{CauseRef, DirectoryStorage, DurabilityConfig, Journal, open};
use evertick_schema::{Call as TypedCall, ModuleDescription, Timestamp};
use evertick_world::{Call, CallResult, Caller, Simulation};

use crate::Result;
use crate::fixture::{TICK, encode, simulation};

/// Entities that move in every tick.
pub(crate) const MOVERS: u32 = 100_000;
/// Entities in all.
const ENTITIES: u32 = 1_000_000;
/// Entities made by one call.
const BATCH: u32 = 10_000;
/// The pause between two ticks: shorter than a server's, so that this ends soon, but the disk has time.
const PAUSE: Duration = Duration::from_millis(5);
/// The most ticks that a snapshot may take.
const SNAPSHOT_TICKS_MAX: usize = 10_000;

pub(crate) struct World {
    simulation: Simulation,
    description: ModuleDescription,
    journal: Option<Journal>,
    now: Timestamp,
}

impl World {
    /// A world that is not on disk yet.
    pub(crate) fn load(module: &Path) -> Result<Self> {
        let (simulation, description) = simulation(module, |guest| guest)?;
        Ok(Self { simulation, description, journal: None, now: Timestamp(0) })
    }

    /// A world in this directory, which is made.
    pub(crate) fn open(module: &Path, data: &Path) -> Result<Self> {
        let mut world = Self::load(module)?;
        world.attach(data)?;
        Ok(world)
    }

    /// Brings the world in this directory back, and makes sure that it is all there.
    pub(crate) fn recover(&mut self, data: &Path) -> Result {
        let rows = self.attach(data)?;
        if rows < u64::from(2 * ENTITIES) {
            return Err(format!("only {rows} rows came back").into());
        }
        Ok(())
    }

    fn attach(&mut self, data: &Path) -> Result<u64> {
        let storage = Arc::new(DirectoryStorage::open(data)?);
        let config = DurabilityConfig::default();
        let (journal, opened) =
            open(storage, config, &mut self.simulation, self.now, &mut |_| {}, Box::new(|_| {}))?;
        self.journal = Some(journal);
        self.now = opened.time;
        Ok(opened.recovered_rows)
    }

    /// Makes the entities.
    pub(crate) fn populate(&mut self) -> Result {
        for _ in 0..MOVERS / BATCH {
            self.call(&populate::call(BATCH))?;
        }
        for _ in 0..(ENTITIES - MOVERS) / BATCH {
            self.call(&settle::call(BATCH))?;
        }
        Ok(())
    }

    fn call<C: TypedCall>(&mut self, call: &C) -> Result {
        let (reducer, args) = encode(&self.description, call)?;
        let caller = Caller::default();
        let call = Call { module: 0, reducer, args: &args, caller: &caller };
        let journal = self.journal.as_mut().ok_or("the world is not on disk")?;
        journal.cause(self.now, CauseRef::Call(call));
        match self.simulation.call(&call, self.now) {
            CallResult::Ok(_) => Ok(self.commit()?),
            other => Err(format!("{}: {other:?} {:?}", C::NAME, self.simulation.take_faults()).into()),
        }
    }

    fn commit(&mut self) -> Result {
        let journal = self.journal.as_mut().ok_or("the world is not on disk")?;
        let delta = self.simulation.commit(self.now);
        // Nobody is shown anything here.
        let _unwatched = journal.commit(&mut self.simulation, &delta);
        self.simulation.world_mut().recycle(delta);
        Ok(())
    }

    /// A tick with its share of checkpoints and snapshots; the seconds that it took.
    pub(crate) fn tick(&mut self) -> Result<f64> {
        std::thread::sleep(PAUSE);
        self.now += TICK;
        let start = Instant::now();
        let journal = self.journal.as_mut().ok_or("the world is not on disk")?;
        journal.cause(self.now, CauseRef::Tick);
        let report = self.simulation.tick(self.now);
        self.commit()?;
        let journal = self.journal.as_mut().ok_or("the world is not on disk")?;
        journal.slice(&self.simulation);
        let took = start.elapsed().as_secs_f64();
        if report.faults > 0 {
            return Err(format!("faults: {:?}", self.simulation.take_faults()).into());
        }
        Ok(took)
    }

    /// Takes a snapshot; the seconds of each tick meanwhile.
    pub(crate) fn snapshot(&mut self) -> Result<Vec<f64>> {
        let journal = self.journal.as_mut().ok_or("the world is not on disk")?;
        let finished = journal.stats().snapshots.finished;
        journal.snapshot();
        let mut ticks = Vec::new();
        for _ in 0..SNAPSHOT_TICKS_MAX {
            ticks.push(self.tick()?);
            let stats = self.journal.as_ref().ok_or("the world is not on disk")?.stats().snapshots;
            if stats.finished > finished {
                return Ok(ticks);
            }
            if let Some(error) = stats.error {
                return Err(error.into());
            }
        }
        Err("the snapshot does not end".into())
    }

    /// Bytes of the log so far, once it is quiet.
    pub(crate) fn log_bytes(&self) -> Result<u64> {
        self.until_synced()?;
        Ok(self.journal.as_ref().ok_or("the world is not on disk")?.stats().log.bytes)
    }

    /// Waits until the disk has everything.
    pub(crate) fn until_synced(&self) -> Result {
        let journal = self.journal.as_ref().ok_or("the world is not on disk")?;
        while journal.synced() < journal.stats().last_seq {
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }
}
