//! `evertick-codegen DESCRIPTION.json OUTPUT.ts`

use std::path::PathBuf;
use std::process::ExitCode;
use std::{fs, io};

use clap::Parser;
use evertick_schema::ModuleDescription;

/// Writes TypeScript bindings for `@evertick/client` from a module's description.
#[derive(Parser)]
#[command(name = "evertick-codegen")]
struct Arguments {
    /// The description: the JSON that the module's `evertick_describe` returns.
    description: PathBuf,
    /// The TypeScript file to write. It is left alone when it would not change.
    output: PathBuf,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("evertick-codegen: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let Arguments { description, output } = arguments;
    let json =
        fs::read(description).map_err(|error| format!("can't read {}: {error}", description.display()))?;
    let module = ModuleDescription::from_json(&json).map_err(|error| error.to_string())?;
    let source = evertick_codegen::typescript(&module).map_err(|error| error.to_string())?;
    write_if_changed(output, &source).map_err(|error| format!("can't write {}: {error}", output.display()))
}

/// An unchanged file keeps its time stamp, so nothing that watches it is built again.
fn write_if_changed(output: &PathBuf, source: &str) -> io::Result<()> {
    if fs::read_to_string(output).is_ok_and(|old| old == source) {
        return Ok(());
    }
    if let Some(folder) = output.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(output, source)
}
