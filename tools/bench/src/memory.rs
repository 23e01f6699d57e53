//! What an entity takes.

use std::path::Path;
use std::process::Command;

use bench_module::movers::populate;
use evertick_interest::{Interest, InterestConfig};
use evertick_schema::Timestamp;
use evertick_world::{Call, CallResult, Caller};

use crate::fixture::{encode, simulation};
use crate::report::Measure;
use crate::{RUNS, Result};

const ENTITIES: usize = 1_000_000;
/// Entities made by one call.
const BATCH: u32 = 10_000;
/// The payload: two components of 8 bytes.
const PAYLOAD_BYTES: f64 = 16.0;

/// Resident bytes of a million entities with two 8-byte components, one of them spatial, over the same
/// simulation without entities. Each run is a process of its own.
pub(crate) fn run(module: &Path) -> Result<Vec<Measure>> {
    let mut runs = Vec::new();
    for _ in 0..RUNS.min(5) {
        let probe = Command::new(std::env::current_exe()?)
            .arg("--memory-probe")
            .arg("--module")
            .arg(module)
            .output()?;
        if !probe.status.success() {
            return Err(String::from_utf8_lossy(&probe.stderr).into_owned().into());
        }
        runs.push(String::from_utf8(probe.stdout)?.trim().parse()?);
    }
    Ok(vec![Measure::lower("memory.per_entity", "bytes", &runs, Some(PAYLOAD_BYTES))])
}

/// One run, in this process.
pub(crate) fn probe(module: &Path) -> Result<f64> {
    let (mut simulation, description) = simulation(module, |guest| guest)?;
    let mut interest = Interest::new(simulation.world(), simulation.rows(0), InterestConfig::default());
    let (reducer, args) = encode(&description, &populate::call(BATCH))?;
    let caller = Caller::default();
    let empty = resident_bytes()?;
    for _ in 0..ENTITIES / BATCH as usize {
        let call = Call { module: 0, reducer, args: &args, caller: &caller };
        let result = simulation.call(&call, Timestamp(0));
        if !matches!(result, CallResult::Ok(_)) {
            return Err(format!("{result:?} {:?}", simulation.take_faults()).into());
        }
        let delta = simulation.commit(Timestamp(0));
        interest.absorb(simulation.world(), &delta);
        simulation.world_mut().recycle(delta);
    }
    Ok((resident_bytes()? - empty) / ENTITIES as f64)
}

fn resident_bytes() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS in /proc/self/status")?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes * 1024.0)
}
