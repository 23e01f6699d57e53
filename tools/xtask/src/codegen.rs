//! What the web page has of the module that the server loads: its bindings, and the module itself, whose predictions the page runs.

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
    let wasm = without_custom_sections(&fs::read(&module)?)
        .ok_or_else(|| format!("{} is no WASM module", module.display()))?;
    fs::write(typescript.with_extension("wasm"), wasm)?;
    let codegen = programs.join("evertick-codegen");
    shell::run(command(&codegen.to_string_lossy(), &[&json.to_string_lossy(), &typescript.to_string_lossy()]))
}

/// The command.
pub(crate) fn run() -> Result {
    run_with(Profile::Dev)
}

/// A module without names and line tables, most of its bytes, which a page has no use for. `None` when it is none.
fn without_custom_sections(wasm: &[u8]) -> Option<Vec<u8>> {
    let (header, mut rest) = wasm.split_at_checked(8)?;
    let mut out = header.to_vec();
    while let [kind, sized @ ..] = rest {
        // The content's length, seven bits a byte, the lowest first.
        let bytes = sized.iter().position(|byte| byte & 0x80 == 0)? + 1;
        let length = sized[..bytes].iter().rev().fold(0, |sum, byte| sum << 7 | usize::from(byte & 0x7f));
        let (section, behind) = rest.split_at_checked(1 + bytes + length)?;
        if *kind != 0 {
            out.extend_from_slice(section);
        }
        rest = behind;
    }
    Some(out)
}
