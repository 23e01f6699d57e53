//! The server's process: started by the benchmark as itself with `serve`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use evertick::{GatewayConfig, GuestLimits, Server, SessionLimits};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::socket::pin::{SERVER, core, pin_to};

/// Calls that a client of the benchmark may make in a second: more than any can.
const CALLS_PER_SECOND: u32 = 1_000_000;

/// How the process serves.
#[derive(clap::Args, Clone)]
pub(crate) struct Serve {
    /// The bench module's .wasm file.
    #[arg(long)]
    module: PathBuf,
    /// Keeps the world in this directory.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Listens for QUIC too.
    #[arg(long)]
    quic: bool,
    /// The core that it keeps to.
    #[arg(long)]
    core: usize,
}

/// What its clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    WebSocket,
    Quic,
}

impl Transport {
    fn scheme(self) -> &'static str {
        match self {
            Self::WebSocket => "ws",
            Self::Quic => "quic",
        }
    }
}

/// What a server of a benchmark offers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Serving<'a> {
    /// QUIC, besides WebSockets.
    pub(crate) quic: bool,
    /// A directory to keep the world in.
    pub(crate) data: Option<&'a Path>,
}

/// Serves until standard input ends. Says where on standard output, on one line, and answers each line of input with its numbers
/// as JSON.
pub(crate) fn serve(args: &Serve) -> Result {
    pin_to(args.core)?;
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
    if args.quic {
        server = server.quic("127.0.0.1:0");
    }
    let server = server.start()?;
    println!("{}", server.urls().join(" "));
    // The benchmark closes it, or is gone.
    for line in std::io::stdin().lines() {
        line?;
        let host = server.snapshot().host;
        let numbers = Numbers {
            log_bytes: host.storage.log_bytes,
            log_records: host.storage.log_records,
            tick_ms_p99: host.tick_ms_p99,
        };
        println!("{}", serde_json::to_string(&numbers)?);
    }
    Ok(server.stop()?)
}

/// What a server tells of itself.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Numbers {
    /// What its log has so far.
    pub(crate) log_bytes: u64,
    pub(crate) log_records: u64,
    /// Of the last few seconds.
    pub(crate) tick_ms_p99: f64,
}

/// A running server process; stopped when dropped.
pub(crate) struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
    urls: Vec<String>,
}

/// How old the log's counters may be that a server shows.
pub(crate) const COUNTERS_AGE_MAX: Duration = Duration::from_millis(1500);

impl Process {
    pub(crate) fn start(module: &Path, serving: &Serving<'_>) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve").arg("--module").arg(module).arg("--core").arg(core(SERVER)?.to_string());
        if let Some(data) = serving.data {
            command.arg("--data").arg(data);
        }
        if serving.quic {
            command.arg("--quic");
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut urls = String::new();
        let stdout = child.stdout.take().ok_or("the server has no standard output")?;
        let mut output = BufReader::new(stdout);
        output.read_line(&mut urls)?;
        if urls.is_empty() {
            return Err(format!("the server did not start: {}", child.wait()?).into());
        }
        Ok(Self { child, output, urls: urls.split_whitespace().map(str::to_owned).collect() })
    }

    /// What it tells of itself. Of its log that may be as old as [`COUNTERS_AGE_MAX`].
    pub(crate) fn numbers(&mut self) -> Result<Numbers> {
        let mut input = self.child.stdin.as_ref().ok_or("the server has no standard input")?;
        input.write_all(b"\n")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }

    /// Where it listens for that.
    pub(crate) fn url(&self, transport: Transport) -> Result<&str> {
        let fits = |url: &&String| url.split(':').next() == Some(transport.scheme());
        let url = self.urls.iter().find(fits).ok_or("the server does not listen for that")?;
        Ok(url.as_str())
    }

    /// The time that it has had on its core so far.
    pub(crate) fn time_on_core(&self) -> Result<Duration> {
        Ok(self.threads()?.values().sum())
    }

    /// Its memory that is not swapped out.
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()).ok_or("no resident memory is told")?;
        Ok(kib.parse::<u64>()? * 1024)
    }

    /// The time that each of its threads has had on the core so far, by the thread's name.
    pub(crate) fn threads(&self) -> Result<BTreeMap<String, Duration>> {
        threads(self.child.id())
    }
}

/// The time that each thread of a process has had on a core so far, by the thread's name.
pub(crate) fn threads(process: u32) -> Result<BTreeMap<String, Duration>> {
    let mut threads = BTreeMap::new();
    for entry in std::fs::read_dir(format!("/proc/{process}/task"))? {
        let thread = entry?.path();
        let name = std::fs::read_to_string(thread.join("comm"))?.trim().to_owned();
        let stat = std::fs::read_to_string(thread.join("schedstat"))?;
        let on_core = stat.split(' ').next().ok_or("an empty schedstat")?.parse()?;
        *threads.entry(name).or_default() += Duration::from_nanos(on_core);
    }
    Ok(threads)
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // Whether it could be waited for changes nothing here.
        let _gone = self.child.wait();
    }
}
