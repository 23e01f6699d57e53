//! `evertick`; see the library of the same package.

use std::process::ExitCode;

fn main() -> ExitCode {
    evertick_cli::run(std::env::args_os())
}
