//! What a move costs on the wire.

use std::path::Path;

use bench_module::movers::{Position, Velocity};
use evertick_interest::{Interest, InterestConfig};
use evertick_schema::{EntityId, Identity, Row, SessionId, Timestamp};
use evertick_world::{Cause, Focus, Place, RowId, Simulation, Tx};
use glam::Vec2;
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::fixture::{TICK, simulation};
use crate::report::Measure;
use crate::{RUNS, Result};

/// Movers in the block.
const MOVERS: usize = 50;
/// Ticks of one run.
const TICKS: usize = 8;
/// Raw: an 8-byte position without any naming of who moved.
const RAW_BYTES: f64 = 8.0;

/// The bytes of a cell's block in which 50 entities moved, for each of them, everything in the block included.
pub(crate) fn run(module: &Path) -> Result<Vec<Measure>> {
    let mut dice = Pcg64Mcg::seed_from_u64(3);
    let mut unit = || (dice.next_u64() >> 40) as f32 / (1u64 << 24) as f32;
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        let (mut simulation, _) = simulation(module, |guest| guest)?;
        let rows = simulation.rows(0).to_vec();
        let mut interest = Interest::new(simulation.world(), &rows, InterestConfig::default());
        let session = SessionId(1);
        interest.open(session, Identity([1; 32]));
        transact(&mut simulation, |tx| {
            for _ in 0..MOVERS {
                let entity = tx.spawn();
                // Well inside the cell, so that nobody leaves it.
                let at = Vec2::new(16.0 + 32.0 * unit(), 16.0 + 32.0 * unit());
                put(tx, entity, &Position { at })?;
                put(tx, entity, &Velocity { by: Vec2::new(unit() - 0.5, unit() - 0.5) })?;
            }
            tx.focus(session, Focus::Point { place: Place { space: 0, at: [32.0, 32.0] }, radius: 10.0 });
            Ok(())
        })?;
        let mut now = Timestamp(0);
        let mut bytes = 0;
        for tick in 0..=TICKS {
            let delta = simulation.commit(now);
            interest.absorb(simulation.world(), &delta);
            let frame = interest.frame(simulation.world(), now, 0);
            // The first is the snapshot.
            if tick > 0 {
                if frame.topics.all_states().count() != 1 {
                    return Err("not one topic moves".into());
                }
                bytes += frame.topics.bytes();
            }
            simulation.world_mut().recycle(delta);
            now += TICK;
            simulation.tick(now);
        }
        runs.push(bytes as f64 / (TICKS * MOVERS) as f64);
    }
    Ok(vec![Measure::lower("wire.per_move", "bytes", &runs, Some(RAW_BYTES))])
}

fn transact(simulation: &mut Simulation, work: impl FnOnce(&mut Tx<'_>) -> Result) -> Result {
    let mut tx = simulation.world_mut().begin(Cause::default());
    work(&mut tx)?;
    Ok(tx.accept()?)
}

fn put<T: Row>(tx: &mut Tx<'_>, entity: EntityId, row: &T) -> Result {
    let id: RowId = tx.row_named(&format!("bench.{}", T::NAME)).ok_or("the module has no such row")?;
    let mut bytes = Vec::new();
    row.encode(&mut bytes);
    Ok(tx.set(id, entity, &bytes)?)
}
