//! Recordings of a running server, asked for on its admin socket.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::admin::ask;
use crate::args::RecordCommand;
use crate::outcome::{Failure, Outcome};

/// Runs `evertick record …`.
pub(crate) fn run(command: &RecordCommand) -> Result<Outcome, Failure> {
    match command {
        RecordCommand::Start { to, data } => {
            // The server has a working directory of its own.
            let directory = absolute(to)?;
            let answer = ask(&data.directory, &json!({ "do": "record start", "directory": directory }))?;
            println!("recording to {}", directory.display());
            print_fields(&answer);
        }
        RecordCommand::Stop { data } => {
            let answer = ask(&data.directory, &json!({ "do": "record stop" }))?;
            println!("the recording has ended");
            print_fields(&answer);
        }
        RecordCommand::Status { data } => {
            print_fields(&ask(&data.directory, &json!({ "do": "record status" }))?);
        }
    }
    Ok(Outcome::Fine)
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|error| Failure::new(format!("{} is not a path: {error}", path.display())))
}

/// The answer's fields, a line each.
fn print_fields(answer: &Value) {
    for (name, value) in answer.as_object().into_iter().flatten().filter(|(name, _)| *name != "ok") {
        match value {
            Value::String(text) => println!("{name}: {text}"),
            Value::Null => println!("{name}: none"),
            other => println!("{name}: {other}"),
        }
    }
}
