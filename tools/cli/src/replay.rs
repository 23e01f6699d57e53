//! A recording, run again.

use std::path::Path;
use std::time::{Duration, Instant};

use evertick_durability::{OpenError, ReplayError, ReplayReport, describe, replay};
use evertick_wasm::{Engine, EngineConfig, GuestLimits};
use evertick_world::{Module, Simulation};

use crate::directory;
use crate::outcome::{Failure, Outcome};

/// How often the progress of a long replay is told.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// How much slower this machine may be than the one that recorded: what was in time there must be in time here.
const SLOWER_MAX: u32 = 20;

/// Runs `evertick replay`.
pub(crate) fn run(recording: &Path, module: &Path) -> Result<Outcome, Failure> {
    let storage = directory::existing(recording)?;
    let described = describe(&storage).map_err(|error| match error {
        OpenError::NoSnapshot { directory, .. } => Failure::new(ReplayError::NotARecording { directory }),
        error => crate::inspect::unusable(error),
    })?;
    let modules = vec![load(module)?];
    let mut simulation = Simulation::new(described.config, described.tick, modules)
        .map_err(|error| Failure::new(format!("{} can't run: {error}", module.display())))?;

    let (start, mut told) = (Instant::now(), Instant::now());
    let result = replay(&storage, &mut simulation, &mut |report: &ReplayReport| {
        if told.elapsed() >= PROGRESS_INTERVAL {
            told = Instant::now();
            eprintln!("record {} of {}, tick {}", report.seq, report.last_seq, report.tick);
        }
    });
    match result {
        Ok(report) => {
            let ReplayReport { commits, causes, runs, .. } = report;
            println!(
                "equal: {commits} commits, {causes} causes and {runs} runs of reducers and systems did what was recorded, in {:.1?}",
                start.elapsed()
            );
            Ok(Outcome::Fine)
        }
        Err(ReplayError::Diverged(divergence)) => {
            println!("{divergence}");
            Ok(Outcome::Found)
        }
        Err(ReplayError::Stored(error)) => Err(crate::inspect::unusable(error)),
        Err(error @ (ReplayError::Damaged(_) | ReplayError::Record { .. })) => Err(Failure::damage(error)),
        Err(error) => Err(Failure::new(error)),
    }
}

fn load(path: &Path) -> Result<Module, Failure> {
    let wasm = std::fs::read(path)
        .map_err(|error| Failure::new(format!("can't read the module {}: {error}", path.display())))?;
    let limits = GuestLimits::default();
    let limits = GuestLimits {
        call_time_max: limits.call_time_max * SLOWER_MAX,
        run_time_max: limits.run_time_max * SLOWER_MAX,
        ..limits
    };
    let engine = Engine::new(EngineConfig::default(), None).map_err(Failure::new)?;
    let (description, guest) = engine
        .load(&wasm, limits)
        .map_err(|error| Failure::new(format!("can't load the module {}: {error}", path.display())))?;
    Ok(Module { description, guest: Box::new(guest) })
}
