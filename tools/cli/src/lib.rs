//! `evertick`: looks into, repairs, backs up, records and replays the data of servers.
//!
//! A library so that tests have the program under a name of their own; all that is public is [`run`].

mod admin;
mod args;
mod backup;
mod directory;
mod inspect;
mod log;
mod metrics;
mod outcome;
mod record;
mod replay;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use args::{Arguments, Command};

/// Runs the program with these arguments, the first of which is its own name. Prints to standard output, and errors to standard
/// error. Exit codes: 0 all is well; 1 damage or a divergence was found; 2 wrong arguments or an I/O error.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let Arguments { command } = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help that was asked for is no error, and goes to standard output.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    let result = match &command {
        Command::Log(command) => log::run(command),
        Command::Backup { to, data } => backup::back_up(&data.directory, to),
        Command::Restore { from, data } => backup::restore(from, data),
        Command::Metrics { over, data } => metrics::run(&data.directory, over.map(Duration::from_secs)),
        Command::Record(command) => record::run(command),
        Command::Replay { recording, module } => replay::run(recording, module),
    };
    match result {
        Ok(outcome) => outcome.into(),
        Err(failure) => {
            eprintln!("evertick: {}", failure.message);
            failure.into()
        }
    }
}
