//! The real writer, housekeeping and reader on a disk that takes every liberty, under one seed.
//!
//! `EVERTICK_SEED=n cargo nextest run -p evertick-durability log::simulation` runs one seed; `EVERTICK_SEEDS=n` so many.
#![allow(clippy::unwrap_used, clippy::dbg_macro)]

mod back_ups;
mod crashes;
mod damage;
mod repairs;
mod run;
mod snapshots;

use run::Run;

/// Runs `test` for many seeds, or the one that is asked for, and says which one failed.
fn seeds(count: u64, test: impl Fn(u64) + std::panic::RefUnwindSafe) {
    let asked = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    if let Some(seed) = asked("EVERTICK_SEED") {
        return test(seed);
    }
    for seed in 0..asked("EVERTICK_SEEDS").unwrap_or(count) {
        if let Err(panic) = std::panic::catch_unwind(|| test(seed)) {
            eprintln!(
                "seed {seed} failed: EVERTICK_SEED={seed} cargo nextest run -p evertick-durability log::simulation"
            );
            std::panic::resume_unwind(panic);
        }
    }
}
