//! `evertick` under another name: Cargo tells tests only of programs of their own package.

use std::process::ExitCode;

fn main() -> ExitCode {
    evertick_cli::run(std::env::args_os())
}
