//! A world of a million entities that is kept on disk: what a tick costs while a snapshot is taken (and beside it, as the limit,
//! how far ticks are apart without one), what moves cost in the log, how long it takes to come back.

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

    let (mut excess, mut usual, mut moves) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS.min(5) {
        let before = world.log_bytes()?;
        let ticks = (0..TICKS).map(|_| world.tick()).collect::<Result<Vec<_>>>()?;
        moves.push((world.log_bytes()? - before) as f64 / (TICKS * MOVERS as usize) as f64);
        let sliced = world.snapshot()?;
        let over_median = |times: &[f64]| (times.iter().copied().fold(0.0, f64::max) - median(&ticks)) * 1e3;
        eprintln!(
            "a tick takes {:.3} ms; one of {} with a snapshot {:.3}",
            median(&ticks) * 1e3,
            sliced.len(),
            median(&sliced) * 1e3
        );
        excess.push(over_median(&sliced));
        usual.push(over_median(&ticks));
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
        Measure::lower("snapshot.1m.tick_excess", "ms", &excess, Some(median(&usual))),
        Measure::lower("log.per_move", "bytes", &moves, None),
    ])
}
