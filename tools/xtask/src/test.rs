//! Everything that must hold, in the order of what fails fastest.

use crate::build::{Profile, cargo};
use crate::setup::{BROWSER, CLIENT, WEB};
use crate::shell::{command, run as start};
use crate::{Result, codegen, demo, licences, setup};

pub(crate) fn run() -> Result {
    setup::all()?;
    start(cargo(&["fmt", "--all", "--check"]))?;
    licences::check()?;
    start(cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))?;

    codegen::run_with(Profile::Dev)?;
    npm(CLIENT, "test")?;
    npm(WEB, "build")?;

    let mut doc = cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    start(doc)?;
    start(cargo(&["test", "--workspace", "--doc", "--locked", "--quiet"]))?;

    demo::check()?;
    demo::with_page(|address, server| {
        let mut browser = command("npm", &["test", "--silent"]);
        browser
            .current_dir(crate::shell::root().join(BROWSER))
            .env("EVERTICK_PAGE", address)
            .env("EVERTICK_SERVER", server)
            .env("EVERTICK_CHROMIUM", setup::CHROMIUM);
        start(browser)
    })?;

    start(cargo(&["nextest", "run", "--workspace", "--locked", "--no-fail-fast"]))
}

fn npm(folder: &str, script: &str) -> Result {
    let mut npm = command("npm", &["run", "--silent", script]);
    npm.current_dir(crate::shell::root().join(folder));
    start(npm)
}
