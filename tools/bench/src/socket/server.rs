//! The server's process: started by the benchmark as itself with `serve`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
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
    /// Keeps the world in this directory.
    #[arg(long)]
    data: Option<PathBuf>,
}

/// Serves until standard input ends. Says where on standard output, and for each line of input the bytes and records of the
/// log so far.
pub(crate) fn serve(args: &Serve) -> Result {
    pin(SERVER)?;
    let limits = SessionLimits {
        calls_per_second: CALLS_PER_SECOND,
        calls_burst: CALLS_PER_SECOND,
        ..SessionLimits::default()
    };
    let mut server = Server::builder()
        .module("bench", &args.module)
        .websocket("127.0.0.1:0")
        .guest(GuestLimits { call_time_max: Duration::from_secs(10), ..GuestLimits::default() })
        .gateway(GatewayConfig { limits, ..GatewayConfig::default() });
    if let Some(data) = &args.data {
        server = server.data_dir(data);
    }
    let server = server.start()?;
    println!("{}", server.urls()[0]);
    // The benchmark closes it, or is gone.
    for line in std::io::stdin().lines() {
        line?;
        let storage = server.snapshot().host.storage;
        println!("{} {}", storage.log_bytes, storage.log_records);
    }
    Ok(server.stop()?)
}

/// A running server process; stopped when dropped.
pub(crate) struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
    url: String,
}

/// How old the log's counters may be that a server shows.
const COUNTERS_AGE_MAX: Duration = Duration::from_millis(1500);

impl Process {
    pub(crate) fn start(module: &Path, data: Option<&Path>) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve").arg("--module").arg(module);
        if let Some(data) = data {
            command.arg("--data").arg(data);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut url = String::new();
        let stdout = child.stdout.take().ok_or("the server has no standard output")?;
        let mut output = BufReader::new(stdout);
        output.read_line(&mut url)?;
        if url.is_empty() {
            return Err(format!("the server did not start: {}", child.wait()?).into());
        }
        Ok(Self { child, output, url: url.trim().to_owned() })
    }

    /// The bytes and records that its log has so far. To be asked when nothing has happened for a while.
    pub(crate) fn log(&mut self) -> Result<(u64, u64)> {
        std::thread::sleep(COUNTERS_AGE_MAX);
        let mut input = self.child.stdin.as_ref().ok_or("the server has no standard input")?;
        input.write_all(b"log\n")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let (bytes, records) = line.trim().split_once(' ').ok_or("the server said nothing of its log")?;
        Ok((bytes.parse()?, records.parse()?))
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The time that each of its threads has had on the core so far, by the thread's name.
    pub(crate) fn threads(&self) -> Result<BTreeMap<String, Duration>> {
        let mut threads = BTreeMap::new();
        for entry in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let thread = entry?.path();
            let name = std::fs::read_to_string(thread.join("comm"))?.trim().to_owned();
            let stat = std::fs::read_to_string(thread.join("schedstat"))?;
            let on_core = stat.split(' ').next().ok_or("an empty schedstat")?.parse()?;
            *threads.entry(name).or_default() += Duration::from_nanos(on_core);
        }
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
