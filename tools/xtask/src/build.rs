//! Building modules and native programs.

use std::path::PathBuf;
use std::process::Command;

use crate::Result;
use crate::shell::{command, root, run};

/// Cargo's arguments and folder for a build.
#[derive(Clone, Copy)]
pub(crate) enum Profile {
    Dev,
    Release,
}

impl Profile {
    fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }
}

/// Builds a module for WASM and returns where it lies.
pub(crate) fn module(package: &str) -> Result<PathBuf> {
    crate::setup::wasm_target()?;
    let mut build = cargo(&["build", "--package", package, "--profile", "module"]);
    build
        .args(["--target", "wasm32-unknown-unknown", "--target-dir", "target/guest"])
        .env("RUSTFLAGS", "-C target-feature=+simd128");
    run(build)?;
    let file = format!("target/guest/wasm32-unknown-unknown/module/{}.wasm", package.replace('-', "_"));
    Ok(root().join(file))
}

/// Builds native programs of the workspace and returns the folder they lie in. With the features that libraries have in a build of the whole
/// workspace, so that they are not built a second time.
pub(crate) fn programs(names: &[&str], profile: Profile) -> Result<PathBuf> {
    let mut build = cargo(&["build", "--workspace"]);
    for name in names {
        build.args(["--bin", name]);
    }
    if matches!(profile, Profile::Release) {
        build.arg("--release");
    }
    run(build)?;
    Ok(root().join("target").join(profile.folder()))
}

/// Cargo, with the target folder where the rest of xtask looks for it.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = command("cargo", arguments);
    cargo.env("CARGO_TARGET_DIR", root().join("target"));
    cargo
}
