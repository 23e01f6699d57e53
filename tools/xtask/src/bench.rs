//! The benchmarks: release build, one program, JSON on request.

use crate::Result;
use crate::build::{Profile, module, programs};
use crate::shell::{command, run as start};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only benchmarks whose name starts with one of these.
    #[arg(long, num_args = 1..)]
    only: Vec<String>,
    /// Also write the results here, as a JSON array.
    #[arg(long)]
    json: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result {
    let guest = module("bench-module")?;
    let programs = programs(&["evertick-bench"], Profile::Release)?;
    let mut bench = command(&programs.join("evertick-bench").to_string_lossy(), &[]);
    bench.arg("--module").arg(guest);
    if !args.only.is_empty() {
        bench.arg("--only").args(&args.only);
    }
    if let Some(json) = &args.json {
        bench.arg("--json").arg(std::path::absolute(json)?);
    }
    start(bench)
}
