//! Real processes: servers that are killed, tools that are run as a user runs them.

use std::collections::{HashMap, VecDeque};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The lines of a server's log that are kept.
const LOG_LINES_MAX: usize = 400;

/// The longest that a server may take to end or to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server in a process of its own, killed when this is dropped; it also ends with the test's process.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    log: Arc<Mutex<VecDeque<String>>>,
    log_reader: Option<JoinHandle<()>>,
    urls: Option<BufReader<std::process::ChildStdout>>,
}

impl ServerProcess {
    /// Starts the test server `program` with these arguments. Its address comes when it is up: [`Self::url`].
    ///
    /// # Panics
    ///
    /// When the program can't be started.
    pub fn spawn<S: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = S>) -> Self {
        // A file size limit, by which tests fill the disk, kills unless its signal is ignored.
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", program]).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("can't start {program}: {error}"));
        let log = Arc::new(Mutex::new(VecDeque::new()));
        let lines = child.stderr.take().expect("it is piped");
        let kept = Arc::clone(&log);
        let log_reader = std::thread::spawn(move || {
            for line in BufReader::new(lines).lines().map_while(Result::ok) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() == LOG_LINES_MAX {
                    kept.pop_front();
                }
                kept.push_back(line);
            }
        });
        let urls = child.stdout.take().map(BufReader::new);
        Self { child, log, log_reader: Some(log_reader), urls }
    }

    /// Waits until the server is up. Its address, or what it said before it ended.
    ///
    /// # Errors
    ///
    /// The server's log, when it ends instead of listening.
    pub fn url(&mut self) -> Result<String, String> {
        let mut line = String::new();
        let read = self.urls.as_mut().map(|urls| urls.read_line(&mut line));
        match read {
            Some(Ok(length)) if length > 0 => Ok(line.trim().to_owned()),
            _ => {
                let _ = self.child.wait();
                Err(self.log())
            }
        }
    }

    /// Starts it and waits until it is up.
    ///
    /// # Panics
    ///
    /// With the server's log, when it does not come up.
    pub fn start<S: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = S>) -> (Self, String) {
        let mut server = Self::spawn(program, arguments);
        match server.url() {
            Ok(url) => (server, url),
            Err(log) => panic!("the server did not start:\n{log}"),
        }
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The counters of its gateway, by name.
    ///
    /// # Panics
    ///
    /// With the server's log, when it does not answer.
    pub fn counters(&mut self) -> HashMap<String, u64> {
        let asked = self.child.stdin.as_mut().is_some_and(|stdin| stdin.write_all(b"\n").is_ok());
        let line = if asked { self.url() } else { Err(self.log()) };
        let line = line.unwrap_or_else(|log| panic!("the server does not answer:\n{log}"));
        let counters = line.split_whitespace().filter_map(|word| word.split_once('='));
        counters.map(|(name, value)| (name.to_owned(), value.parse().expect("it is a number"))).collect()
    }

    /// The bytes of memory that it has now.
    ///
    /// # Panics
    ///
    /// When it has ended.
    pub fn memory_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("it runs");
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix("kB"));
        kib.and_then(|kib| kib.trim().parse::<u64>().ok()).expect("it has memory") * 1024
    }

    /// The last lines of its log.
    pub fn log(&mut self) -> String {
        // When it has ended, all of its log will be there soon.
        if let Ok(Some(_)) = self.child.try_wait()
            && let Some(reader) = self.log_reader.take()
        {
            let _ = reader.join();
        }
        let lines = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    /// Waits until the server's log has a text.
    ///
    /// # Panics
    ///
    /// When that does not happen in a minute.
    pub fn until_logged(&mut self, text: &str) {
        let start = Instant::now();
        while !self.log().contains(text) {
            assert!(start.elapsed() < PATIENCE, "no `{text}` in the server's log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// `kill -9`. The process is gone when this returns.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end, waits, and says how it ended.
    ///
    /// # Panics
    ///
    /// When it does not end in a minute.
    pub fn stop(&mut self) -> ExitStatus {
        drop(self.child.stdin.take());
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "the server does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("the server's log:\n{}", self.log());
        }
    }
}

/// What a tool printed, and with what it ended.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Runs a tool to its end.
///
/// # Panics
///
/// When it can't be started.
pub fn run<S: AsRef<OsStr>>(program: impl AsRef<Path>, arguments: impl IntoIterator<Item = S>) -> Ran {
    let program = program.as_ref();
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let Output { status, stdout, stderr } =
        output.unwrap_or_else(|error| panic!("can't start {}: {error}", program.display()));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
}
