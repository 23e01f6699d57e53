//! The web page's bindings, from the module that the server loads, and the module itself, whose predictions the page runs.

use std::fs;

use crate::Result;
use crate::build::{Profile, module, programs};
use crate::shell::{self, command, output, root};

/// Builds the module, asks the server what it says about itself, writes the TypeScript for it, and lays the module beside that.
pub(crate) fn run_with(profile: Profile) -> Result {
    let module = module("bitcraft-lite")?;
    let programs = programs(&["bitcraft-lite-server", "evertick-codegen"], profile)?;
    let server = programs.join("bitcraft-lite-server");
    let description =
        output(command(&server.to_string_lossy(), &["--module", &module.to_string_lossy(), "--describe"]))?;
    let json = root().join("target/bitcraft-lite.json");
    fs::write(&json, description)?;
    let typescript = root().join("examples/bitcraft-lite/web/src/generated/bitcraft.ts");
    fs::create_dir_all(typescript.parent().unwrap_or(&root()))?;
    fs::copy(&module, typescript.with_extension("wasm"))?;
    let codegen = programs.join("evertick-codegen");
    shell::run(command(&codegen.to_string_lossy(), &[&json.to_string_lossy(), &typescript.to_string_lossy()]))
}

/// The command.
pub(crate) fn run() -> Result {
    run_with(Profile::Dev)
}
