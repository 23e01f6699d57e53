//! `cargo xtask`: the project's own commands. Each does all set-up it needs and may be run again at any time.

mod bench;
mod build;
mod codegen;
mod demo;
mod licences;
mod setup;
mod shell;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What every command returns: the error is shown to the person who typed it.
type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Build, show, test and measure Evertick")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs bitcraft-lite with bots: module, server and web page.
    Demo(demo::Args),
    /// Checks everything: format, lints, docs, licences, tests, the browser.
    Test,
    /// Runs the benchmarks.
    Bench(bench::Args),
    /// Generates the web page's bindings from the module's schema.
    Codegen,
    /// Installs what the other commands need.
    Setup,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Test => test::run(),
        Command::Bench(args) => bench::run(&args),
        Command::Codegen => codegen::run(),
        Command::Setup => setup::all(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
