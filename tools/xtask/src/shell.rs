//! Running other programs.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::Result;

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// `program` with `arguments`, to be run in the workspace's root.
pub(crate) fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    // Cargo sets these for us; a cargo that we start must find its own.
    for variable in ["CARGO", "RUSTUP_TOOLCHAIN", "RUSTFLAGS", "CARGO_MANIFEST_DIR", "CARGO_PKG_NAME"] {
        command.env_remove(variable);
    }
    command
}

/// Runs a command with its output shown. Not succeeding is an error that names it.
pub(crate) fn run(mut command: Command) -> Result {
    let line = describe(&command);
    println!("\x1b[1m$ {line}\x1b[0m");
    let status =
        command.stdin(Stdio::null()).status().map_err(|error| format!("can't start `{line}`: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{line}` failed: {status}").into()) }
}

/// Runs a command and returns what it printed.
pub(crate) fn output(mut command: Command) -> Result<String> {
    let line = describe(&command);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("can't start `{line}`: {error}"))?;
    if !output.status.success() {
        return Err(format!("`{line}` failed: {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// A program in the background that ends when this value is dropped, or when xtask dies: it watches its
/// standard input, which we hold.
pub(crate) struct Background {
    name: &'static str,
    child: Child,
}

impl Background {
    /// Starts it.
    pub(crate) fn start(name: &'static str, mut command: Command) -> Result<Self> {
        let line = describe(&command);
        println!("\x1b[1m$ {line} &\x1b[0m");
        let child = command
            .stdin(Stdio::piped())
            .spawn()
            .map_err(|error| format!("can't start `{line}`: {error}"))?;
        Ok(Self { name, child })
    }

    /// Whether it is still running.
    pub(crate) fn check(&mut self) -> Result {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(format!("{} stopped by itself: {status}", self.name).into()),
        }
    }

    /// Asks it to end by closing its standard input, and waits.
    pub(crate) fn stop(mut self) -> Result {
        drop(self.child.stdin.take());
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", self.name).into()) }
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(mut self) -> Result {
        // `Child::wait` would close it first, which means the end to the child.
        let _held = self.child.stdin.take();
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", self.name).into()) }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
