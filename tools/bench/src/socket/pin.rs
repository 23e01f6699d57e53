//! Which core does what.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Result;

/// The place of the server among the cores that this process may use.
pub(crate) const SERVER: usize = 0;
/// The place of its clients.
pub(crate) const CLIENTS: usize = 1;

/// Keeps this thread, and those it will start, on the `place`th of the cores it may use; on a machine with fewer, on the
/// last one.
pub(crate) fn pin(place: usize) -> Result {
    let allowed = sched_getaffinity(None)?;
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
    let core = cores.get(place).or(cores.last()).ok_or("this process may use no core")?;
    let mut only = CpuSet::new();
    only.set(*core);
    Ok(sched_setaffinity(None, &only)?)
}
