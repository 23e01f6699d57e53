//! Records, printed.

use std::io::{BufWriter, ErrorKind, Write, stdout};

use evertick_durability::{InspectFilter, OpenError, inspect};

use crate::args::Inspect;
use crate::directory;
use crate::outcome::{Failure, Outcome};

/// Runs `evertick log inspect`.
pub(crate) fn run(arguments: &Inspect) -> Result<Outcome, Failure> {
    let Inspect { data, from, to, row, entity, reducer, limit } = arguments;
    let storage = directory::existing(&data.directory)?;
    let filter = InspectFilter { row: row.clone(), entity: *entity, reducer: reducer.clone() };
    let mut records = inspect(&storage, *from, *to, filter).map_err(unusable)?;
    let mut out = BufWriter::new(stdout().lock());
    for _ in 0..*limit {
        match records.next().map_err(unusable)? {
            Some(record) => match writeln!(out, "{record}") {
                Ok(()) => {}
                // Whoever reads has seen enough: `evertick log inspect | head`.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(Outcome::Fine),
                Err(error) => return Err(Failure::new(format!("can't print: {error}"))),
            },
            None => return flush(out),
        }
    }
    if records.next().map_err(unusable)?.is_some() {
        writeln!(out, "there is more; see it with --from, or with a --limit above {limit}")
            .map_err(Failure::new)?;
    }
    flush(out)
}

fn flush(mut out: impl Write) -> Result<Outcome, Failure> {
    out.flush().map_err(|error| Failure::new(format!("can't print: {error}")))?;
    Ok(Outcome::Fine)
}

/// Damage is what one may be looking for; the rest are troubles of this command.
pub(crate) fn unusable(error: OpenError) -> Failure {
    match error {
        OpenError::Damaged(_) | OpenError::Record { .. } | OpenError::Snapshot { .. } => {
            Failure::damage(error)
        }
        error => Failure::new(error),
    }
}
