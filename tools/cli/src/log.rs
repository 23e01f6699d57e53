//! The commit log: checked, cut, printed.

use evertick_durability::{repair, verify};

use crate::args::LogCommand;
use crate::directory;
use crate::outcome::{Failure, Outcome};

/// Runs `evertick log …`.
pub(crate) fn run(command: &LogCommand) -> Result<Outcome, Failure> {
    match command {
        LogCommand::Verify { data } => {
            let report = verify(&directory::existing(&data.directory)?);
            println!("{report}");
            Ok(if report.is_good() { Outcome::Fine } else { Outcome::Found })
        }
        LogCommand::Repair { to, data } => {
            println!("{}", repair(&directory::existing(&data.directory)?, *to)?);
            Ok(Outcome::Fine)
        }
        LogCommand::Inspect(inspect) => crate::inspect::run(inspect),
    }
}
