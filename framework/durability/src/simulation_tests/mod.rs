//! The journal, the log and the snapshots on a disk that fails, in a world of one seed.
//!
//! A test plays a small game through many servers' lives. The disk writes short, fails to write and to sync, is full,
//! loses power at any operation; the server is killed or closed. After each, the world must be what it was after
//! some commit, and not before the last one that was confirmed.
//!
//! A failure prints its seed and the command that runs it again, step by step the same.

mod cuts;
mod driver;
mod game;
mod history;
#[path = "../../../world/tests/native/mod.rs"]
mod native;
mod ports;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use rand_core::Rng;
use rand_pcg::Pcg64;

use driver::Driver;

/// The environment variable that names the one seed to run.
const SEED: &str = "EVERTICK_SEED";

/// Seeds of each test below.
const SEEDS: u64 = 500;

/// Servers of one seed.
const LIVES: usize = 8;

fn chance(random: &mut Pcg64, part: f64) -> bool {
    f64::from(random.next_u32()) < part * f64::from(u32::MAX)
}

/// Runs the seeds of test number `part`.
fn run(part: u64) {
    if let Ok(seed) = std::env::var(SEED) {
        let seed = seed.parse().expect("EVERTICK_SEED is a number");
        return Driver::new(seed).run(LIVES);
    }
    for seed in part * SEEDS..(part + 1) * SEEDS {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| Driver::new(seed).run(LIVES))) {
            eprintln!(
                "seed {seed} fails; run it again with\n  {SEED}={seed} cargo nextest run -p evertick-durability \
                 crashes_part_{part}"
            );
            resume_unwind(panic);
        }
    }
}

#[test]
fn crashes_part_0() {
    run(0);
}

#[test]
fn crashes_part_1() {
    run(1);
}

#[test]
fn crashes_part_2() {
    run(2);
}

#[test]
fn crashes_part_3() {
    run(3);
}
