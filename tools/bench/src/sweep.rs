//! A tick over 100k rows.

use std::hint::black_box;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bench_module::movers::populate;
use evertick_schema::Timestamp;
use evertick_world::{Guest, GuestFault, Outcome, RowId, SystemView, Tx};
use glam::Vec2;

use crate::fixture::{TICK, call, seconds, simulation};
use crate::report::{Measure, median};
use crate::{RUNS, Result};

const MOVERS: u32 = 100_000;
/// Ticks of one run; their median is the run's value.
const TICKS: usize = 40;
/// Ticks before the first run, for caches and buffers.
const WARM_UP: usize = 20;

/// `position += velocity` over all movers: from the schedule's start to the Delta, with the grid updated; and
/// the part of it that is the guest's round trip (copy in, run, compare and copy back), against the same loop
/// on two `Vec`s. The native loop runs once after each tick, so that both find the caches as a tick leaves them.
pub(crate) fn run(module: &Path) -> Result<Vec<Measure>> {
    let round_trips = Arc::new(Mutex::new(Vec::new()));
    let recorder = Arc::clone(&round_trips);
    let (mut simulation, description) = simulation(module, |guest| Box::new(Timed { guest, recorder }))?;
    for _ in 0..MOVERS / 10_000 {
        call(&mut simulation, &description, &populate::call(10_000))?;
    }
    let mut now = Timestamp(0);
    let mut tick = || {
        now += TICK;
        let start = Instant::now();
        let report = simulation.tick(now);
        let delta = simulation.commit(now);
        let took = start.elapsed().as_secs_f64();
        let rows = delta.rows.iter().map(|rows| rows.updated.len()).sum::<usize>();
        simulation.world_mut().recycle(delta);
        if report.faults == 0 && rows == MOVERS as usize {
            Ok(took)
        } else {
            Err(format!("{rows} rows changed, faults: {:?}", simulation.take_faults()))
        }
    };
    for _ in 0..WARM_UP {
        tick()?;
    }
    let mut native = Native::new();
    let (mut ticks, mut trips, mut natives) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        round_trips.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let (mut took, mut took_natively) = (Vec::new(), Vec::new());
        for _ in 0..TICKS {
            took.push(tick()?);
            took_natively.push(native.step());
        }
        ticks.push(median(&took) * 1e3);
        trips.push(median(&round_trips.lock().unwrap_or_else(PoisonError::into_inner)));
        natives.push(median(&took_natively));
    }
    let native = median(&natives);
    let ratios: Vec<f64> = trips.iter().map(|trip| trip / native).collect();
    Ok(vec![
        Measure::lower("sweep.100k", "ms", &ticks, Some(native * 1e3)),
        Measure::lower("sweep.100k.vs_native", "times", &ratios, Some(1.0)),
    ])
}

/// A guest whose system runs are timed.
struct Timed {
    guest: Box<dyn Guest>,
    recorder: Arc<Mutex<Vec<f64>>>,
}

impl Guest for Timed {
    fn call(
        &mut self,
        tx: &mut Tx<'_>,
        rows: &[RowId],
        reducer: u32,
        args: &[u8],
    ) -> Result<Outcome, GuestFault> {
        self.guest.call(tx, rows, reducer, args)
    }

    fn run(&mut self, system: u32, view: &mut SystemView<'_>) -> Result<(), GuestFault> {
        let start = Instant::now();
        let done = self.guest.run(system, view);
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner).push(start.elapsed().as_secs_f64());
        done
    }
}

/// The same work on two `Vec`s.
struct Native {
    positions: Vec<Vec2>,
    velocities: Vec<Vec2>,
}

impl Native {
    fn new() -> Self {
        let velocity = Vec2::new(0.25, -0.5);
        Self { positions: vec![Vec2::ZERO; MOVERS as usize], velocities: vec![velocity; MOVERS as usize] }
    }

    /// One pass; returns the seconds it took.
    fn step(&mut self) -> f64 {
        seconds(|| {
            let (positions, velocities) = (black_box(&mut self.positions), black_box(&self.velocities));
            for (position, velocity) in positions.iter_mut().zip(velocities) {
                *position += *velocity;
            }
        })
    }
}
