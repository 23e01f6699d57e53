//! Which core does what.

use std::sync::OnceLock;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Result;

/// The place of the server among the cores that this process may use.
pub(crate) const SERVER: usize = 0;
/// The place of its clients.
pub(crate) const CLIENTS: usize = 1;

/// The cores that this process may use; found before any of its threads is pinned, which finds only its own then.
static CORES: OnceLock<Vec<usize>> = OnceLock::new();

/// Keeps this thread, and those it will start, on the `place`th of the cores this process may use; on a machine with fewer, on the last
/// one.
pub(crate) fn pin(place: usize) -> Result {
    pin_to(core(place)?)
}

/// The `place`th of the cores this process may use, or the last one. A process that a pinned thread starts may use that thread's alone: it
/// must be told which is its.
pub(crate) fn core(place: usize) -> Result<usize> {
    let cores = match CORES.get() {
        Some(cores) => cores,
        None => {
            let allowed = sched_getaffinity(None)?;
            CORES.get_or_init(|| (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect())
        }
    };
    Ok(*cores.get(place).or(cores.last()).ok_or("this process may use no core")?)
}

/// Keeps this thread, and those it will start, on a core.
pub(crate) fn pin_to(core: usize) -> Result {
    let mut only = CpuSet::new();
    only.set(core);
    Ok(sched_setaffinity(None, &only)?)
}
