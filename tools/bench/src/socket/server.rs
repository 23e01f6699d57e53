//! The server's process: started by the benchmark as itself with `serve`.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use evertick::{GatewayConfig, GuestLimits, Server, SessionLimits};

use crate::Result;
use crate::socket::pin::{SERVER, pin};

/// Calls that a client of the benchmark may make in a second: more than any can.
const CALLS_PER_SECOND: u32 = 100_000_000;

/// How the process serves.
#[derive(clap::Args, Clone)]
pub(crate) struct Serve {
    /// The bench module's .wasm file.
    #[arg(long)]
    module: PathBuf,
}

/// Serves until standard input ends; says where on standard output.
pub(crate) fn serve(args: &Serve) -> Result {
    pin(SERVER)?;
    let limits = SessionLimits {
        calls_per_second: CALLS_PER_SECOND,
        calls_burst: CALLS_PER_SECOND,
        ..SessionLimits::default()
    };
    let server = Server::builder()
        .module("bench", &args.module)
        .websocket("127.0.0.1:0")
        .guest(GuestLimits { call_time_max: Duration::from_secs(10), ..GuestLimits::default() })
        .gateway(GatewayConfig { limits, ..GatewayConfig::default() })
        .start()?;
    println!("{}", server.urls()[0]);
    // The benchmark closes it, or is gone.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    eprintln!("{:#?}", server.snapshot().host);
    Ok(server.stop()?)
}

/// A running server process; stopped when dropped.
pub(crate) struct Process {
    child: Child,
    url: String,
}

impl Process {
    pub(crate) fn start(module: &Path) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("serve")
            .arg("--module")
            .arg(module)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut url = String::new();
        let stdout = child.stdout.take().ok_or("the server has no standard output")?;
        BufReader::new(stdout).read_line(&mut url)?;
        if url.is_empty() {
            return Err(format!("the server did not start: {}", child.wait()?).into());
        }
        Ok(Self { child, url: url.trim().to_owned() })
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The time that each of its threads has had on the core so far, by the thread's name.
    pub(crate) fn threads(&self) -> Result<Vec<(String, Duration)>> {
        let mut threads = Vec::new();
        for entry in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let thread = entry?.path();
            let name = std::fs::read_to_string(thread.join("comm"))?.trim().to_owned();
            let stat = std::fs::read_to_string(thread.join("schedstat"))?;
            let on_core = stat.split(' ').next().ok_or("an empty schedstat")?.parse()?;
            threads.push((name, Duration::from_nanos(on_core)));
        }
        threads.sort();
        Ok(threads)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // Whether it could be waited for changes nothing here.
        let _gone = self.child.wait();
    }
}
