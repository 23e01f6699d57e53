//! What a fresh machine lacks. Every step first looks whether it is needed.

use std::fs;
use std::path::Path;

use crate::Result;
use crate::shell::{command, output, root, run};

/// Where the browser tests expect it.
pub(crate) const CHROMIUM: &str = "/usr/bin/chromium";

/// Folders with a package.json, in the order in which they build on each other.
pub(crate) const CLIENT: &str = "netcode/client-ts";
pub(crate) const WEB: &str = "examples/bitcraft-lite/web";
pub(crate) const BROWSER: &str = "tests/browser";

/// Everything that any command needs.
pub(crate) fn all() -> Result {
    wasm_target()?;
    chromium()?;
    network_tools()?;
    [CLIENT, WEB, BROWSER].iter().try_for_each(|folder| npm(folder))
}

/// The Rust target that modules are built for.
pub(crate) fn wasm_target() -> Result {
    let installed = output(command("rustup", &["target", "list", "--installed"]))?;
    if installed.lines().any(|line| line == "wasm32-unknown-unknown") {
        return Ok(());
    }
    run(command("rustup", &["target", "add", "wasm32-unknown-unknown"]))
}

/// Debian's Chromium.
pub(crate) fn chromium() -> Result {
    debian(&[CHROMIUM], &["chromium"], "the browser test needs it")
}

/// What makes networks with loss of their own for tests.
pub(crate) fn network_tools() -> Result {
    debian(
        &["/usr/sbin/ip", "/usr/sbin/nft"],
        &["iproute2", "nftables"],
        "the tests of real networks need them",
    )
}

/// Debian packages, when one of the programs in them is missing.
fn debian(programs: &[&str], packages: &[&str], why: &str) -> Result {
    if programs.iter().all(|program| Path::new(program).exists()) {
        return Ok(());
    }
    let mut install = command("apt-get", &["install", "-y", "-q", "--no-install-recommends"]);
    install.args(packages).env("DEBIAN_FRONTEND", "noninteractive");
    run(command("apt-get", &["update", "-q"]))?;
    run(install).map_err(|error| {
        let (programs, packages) = (programs.join(" and "), packages.join(" and "));
        format!("{error}; there is no {programs}, and {why}: install {packages} as root, or by hand").into()
    })
}

/// The npm packages of `folder`, as its lock file has them.
pub(crate) fn npm(folder: &str) -> Result {
    let folder = root().join(folder);
    let lock = fs::read(folder.join("package-lock.json"))?;
    let stamp = folder.join("node_modules/.evertick-lock");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    let mut install = command("npm", &["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
    install.current_dir(&folder);
    run(install)?;
    fs::create_dir_all(folder.join("node_modules"))?;
    Ok(fs::write(stamp, lock)?)
}
