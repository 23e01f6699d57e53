//! A world of a million entities that is kept on disk: what a tick costs while a snapshot is taken, what moves cost in the log,
//! how long it takes to come back.

mod world;

use std::path::Path;
use std::time::Instant;

use crate::disk::Directory;
use crate::report::{Measure, median};
use crate::stored::world::{MOVERS, World};
use crate::{RUNS, Result};

/// Ticks before a snapshot, for the median, and of a run that counts moves: as many as lie between two checkpoints.
const TICKS: usize = 100;

pub(crate) fn run(module: &Path) -> Result<Vec<Measure>> {
    let directory = Directory::new("stored")?;
    let data = directory.path().join("data");
    let mut world = World::open(module, &data)?;
    world.populate()?;
    world.snapshot()?;
    for _ in 0..2 * TICKS {
        world.tick()?;
    }

    let (mut excess, mut moves) = (Vec::new(), Vec::new());
    for _ in 0..RUNS.min(5) {
        let before = world.log_bytes()?;
        let ticks = (0..TICKS).map(|_| world.tick()).collect::<Result<Vec<_>>>()?;
        moves.push((world.log_bytes()? - before) as f64 / (TICKS * MOVERS as usize) as f64);
        let sliced = world.snapshot()?;
        let longest = sliced.iter().copied().fold(0.0, f64::max);
        eprintln!(
            "tick {:.3} ms (longest {:.3}); in {} ticks with a snapshot {:.3} (longest {:.3})",
            median(&ticks) * 1e3,
            ticks.iter().copied().fold(0.0, f64::max) * 1e3,
            sliced.len(),
            median(&sliced) * 1e3,
            longest * 1e3
        );
        excess.push((longest - median(&ticks)) * 1e3);
    }

    world.until_synced()?;
    drop(world); // as a crash leaves it
    let mut recoveries = Vec::new();
    for _ in 0..RUNS.min(5) {
        let mut world = World::load(module)?;
        let start = Instant::now();
        world.recover(&data)?;
        recoveries.push(start.elapsed().as_secs_f64());
    }
    Ok(vec![
        Measure::lower("recovery.1m", "s", &recoveries, None),
        Measure::lower("snapshot.1m.tick_excess", "ms", &excess, None),
        Measure::lower("log.per_move", "bytes", &moves, None),
    ])
}
