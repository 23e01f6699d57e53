//! What can be asked for.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use evertick_schema::EntityId;

/// Looks into, repairs, backs up, records and replays the data of Evertick servers.
#[derive(Debug, Parser)]
#[command(
    name = "evertick",
    bin_name = "evertick",
    version,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 all is well; 1 damage, a divergence or a refusal was found; 2 wrong arguments, or the \
                  system did not let us read or write."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Checks, repairs and prints a server's commit log
    #[command(subcommand)]
    Log(LogCommand),
    /// Copies a server's data while it runs, and verifies the copy
    ///
    /// The copy has everything that was confirmed when the command began, and starts a server as the original does. Nothing that
    /// the server does meanwhile is held up.
    Backup {
        /// Where to: a directory that is empty or not there yet
        to: PathBuf,
        #[command(flatten)]
        data: Data,
    },
    /// Makes a data directory of a backup, and verifies it
    Restore {
        /// The backup; it stays as it is
        from: PathBuf,
        /// The data directory to make: empty or not there yet
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// Prints what a running server counts
    ///
    /// A line for each number: its name and its value. The guide for studios says what each means.
    Metrics {
        /// Watch for so long, and print by how much each number has changed a second
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
        over: Option<u64>,
        #[command(flatten)]
        data: Data,
    },
    /// Starts, ends and shows exact recordings of a running server
    #[command(subcommand)]
    Record(RecordCommand),
    /// Runs a recording again and compares every commit with what was recorded
    ///
    /// The module must be the one that was recorded; with another, the first difference is told: the record, and the reducer or
    /// system.
    Replay {
        /// The recording's directory
        recording: PathBuf,
        /// The module's .wasm file
        #[arg(long, value_name = "FILE")]
        module: PathBuf,
    },
}

/// The data directory of a server.
#[derive(Args, Debug)]
pub(crate) struct Data {
    /// The server's data directory
    #[arg(long = "data", value_name = "DIR")]
    pub(crate) directory: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Reads every record and snapshot, and says what is there and what is damaged
    ///
    /// Changes nothing. May be used while the server runs.
    Verify {
        #[command(flatten)]
        data: Data,
    },
    /// Cuts the log behind record SEQ, so that a server starts again on damaged data
    ///
    /// What comes after SEQ is lost to the world, but kept beside it, in files that end in .cut. Needs a server that is stopped.
    Repair {
        /// The last record to keep; `evertick log verify` says which one can be
        #[arg(long, value_name = "SEQ")]
        to: u64,
        #[command(flatten)]
        data: Data,
    },
    /// Prints records: who did what, and what it changed
    ///
    /// Changes nothing. May be used while the server runs.
    Inspect(Inspect),
}

#[derive(Args, Debug)]
pub(crate) struct Inspect {
    #[command(flatten)]
    pub(crate) data: Data,
    /// The first record to print
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    pub(crate) from: u64,
    /// The last record to print
    #[arg(long, value_name = "SEQ", default_value_t = u64::MAX, hide_default_value = true)]
    pub(crate) to: u64,
    /// Only changes of this row type, as `bitcraft.Bag`
    #[arg(long, value_name = "MODULE.ROW")]
    pub(crate) row: Option<String>,
    /// Only changes of this entity, as `e:0:1234`
    #[arg(long, value_name = "ENTITY", value_parser = entity)]
    pub(crate) entity: Option<EntityId>,
    /// Only calls of this reducer, as `bitcraft.gather`
    #[arg(long, value_name = "MODULE.REDUCER")]
    pub(crate) reducer: Option<String>,
    /// Stop after so many records
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    pub(crate) limit: usize,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RecordCommand {
    /// Begins a recording: an exact image of the world, then every call, tick and change
    Start {
        /// Where to: a directory that is empty or not there yet, on the server's machine
        to: PathBuf,
        #[command(flatten)]
        data: Data,
    },
    /// Ends the recording
    Stop {
        #[command(flatten)]
        data: Data,
    },
    /// Says whether a recording runs, where, and how much it has
    Status {
        #[command(flatten)]
        data: Data,
    },
}

/// Reads an entity's id as it is printed.
fn entity(text: &str) -> Result<EntityId, String> {
    let parts = text.strip_prefix("e:").and_then(|rest| rest.split_once(':'));
    let id = parts.and_then(|(region, sequence)| Some((region.parse().ok()?, sequence.parse::<u64>().ok()?)));
    match id {
        Some((region, sequence)) if sequence < 1 << 48 => Ok(EntityId::new(region, sequence)),
        _ => Err("an entity is e:REGION:NUMBER, such as e:0:1234".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_make_sense() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn entities_are_read_as_they_are_printed() {
        let id = EntityId::new(3, 77);
        assert_eq!(entity(&id.to_string()), Ok(id));
        for wrong in ["77", "e:77", "e:0:", "e:70000:1", "e:0:281474976710656"] {
            assert!(entity(wrong).is_err(), "{wrong}");
        }
    }
}
