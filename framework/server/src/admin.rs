//! The admin socket: how an operator's tools talk to a running server.
//!
//! A Unix socket in the data directory, for the server's own user only. A connection is one request and one answer, each a line of
//! JSON; `docs/studios.md` lists them. Connections are served one after the other: it is for a person and their scripts.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use evertick_durability::{DirectoryStorage, RecordingStats};
use evertick_host::{Control, ControlError, Status};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;

use crate::metrics::ServerMetrics;

/// The socket's name in the data directory.
pub(crate) const ADMIN_SOCKET: &str = "admin.sock";

/// The longest request, in bytes.
const REQUEST_BYTES_MAX: u64 = 4096;

/// How long a client has for its request, and then for taking its answer.
const CLIENT_TIME_MAX: Duration = Duration::from_secs(5);

/// A request: one line of JSON.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase", deny_unknown_fields)]
enum Request {
    Status,
    #[serde(rename = "record start")]
    RecordStart {
        directory: PathBuf,
    },
    #[serde(rename = "record stop")]
    RecordStop,
    #[serde(rename = "record status")]
    RecordStatus,
    Snapshot,
    Metrics,
}

/// The socket's thread. Dropping it ends the thread and removes the socket.
#[derive(Debug)]
pub(crate) struct Admin {
    path: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Admin {
    /// Listens in `data_dir`, which must be ours alone: a socket that an earlier server left is replaced.
    pub(crate) fn start(data_dir: &Path, control: Control, metrics: ServerMetrics) -> io::Result<Self> {
        let path = data_dir.join(ADMIN_SOCKET);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let listener = {
            let _entered = runtime.enter();
            bind(&path)?
        };
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("evertick-admin".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = serve(&listener, &control, &metrics) => {}
                }
            });
        })?;
        Ok(Self { path, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        drop(self.stop.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the admin socket's thread had panicked");
        }
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "the admin socket could not be removed");
        }
    }
}

/// A socket that only our user can connect to: it gets its name when it has its permissions.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let unnamed = path.with_extension("new");
    match fs::remove_file(&unnamed) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&unnamed)?;
    fs::set_permissions(&unnamed, fs::Permissions::from_mode(0o600))?;
    fs::rename(&unnamed, path)?;
    Ok(listener)
}

async fn serve(listener: &UnixListener, control: &Control, metrics: &ServerMetrics) {
    loop {
        let served = match listener.accept().await {
            Ok((stream, _)) => converse(stream, control, metrics).await,
            Err(error) => {
                // Out of descriptors, most likely: do not spin.
                tokio::time::sleep(Duration::from_secs(1)).await;
                Err(error)
            }
        };
        if let Err(error) = served {
            tracing::debug!(%error, "a request on the admin socket");
        }
    }
}

async fn converse(stream: UnixStream, control: &Control, metrics: &ServerMetrics) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    let mut limited = (&mut stream).take(REQUEST_BYTES_MAX);
    tokio::time::timeout(CLIENT_TIME_MAX, limited.read_until(b'\n', &mut line)).await??;
    let answer = match serde_json::from_slice(&line) {
        Ok(request) => answer(request, control, metrics).await.unwrap_or_else(|error| refusal(&error)),
        Err(error) => refusal(&format!(
            "that is not a request: {error}; send one line such as {{\"do\":\"status\"}}, of at most {REQUEST_BYTES_MAX} bytes"
        )),
    };
    let mut bytes = answer.to_string().into_bytes();
    bytes.push(b'\n');
    tokio::time::timeout(CLIENT_TIME_MAX, stream.get_mut().write_all(&bytes)).await?
}

async fn answer(request: Request, control: &Control, metrics: &ServerMetrics) -> Result<Value, String> {
    let said = |error: ControlError| error.to_string();
    match request {
        Request::Status => Ok(status(&control.status().await.map_err(said)?)),
        Request::Metrics => Ok(counted(metrics.snapshot().values())),
        Request::Snapshot => {
            control.snapshot().await.map_err(said)?;
            Ok(json!({ "ok": true }))
        }
        Request::RecordStart { directory } => {
            if !directory.is_absolute() {
                return Err(format!("{} is not an absolute path; give one", directory.display()));
            }
            let storage = DirectoryStorage::open(&directory)
                .map_err(|error| format!("can't open {}: {error}", directory.display()))?;
            control.start_recording(Arc::new(storage)).await.map_err(said)?;
            recording(control).await
        }
        Request::RecordStop => Ok(recorded(Some(&control.stop_recording().await.map_err(said)?))),
        Request::RecordStatus => recording(control).await,
    }
}

async fn recording(control: &Control) -> Result<Value, String> {
    let status = control.status().await.map_err(|error| error.to_string())?;
    Ok(recorded(status.recording.as_ref()))
}

fn recorded(recording: Option<&RecordingStats>) -> Value {
    json!({
        "ok": true,
        "recording": recording.map(|recording| &recording.directory),
        "commits": recording.map(|recording| recording.commits),
        "bytes": recording.map(|recording| recording.bytes),
    })
}

fn status(status: &Status) -> Value {
    let Status { tick, entities, sessions, trouble, recording, storage } = status;
    json!({
        "ok": true,
        "tick": tick,
        "entities": entities,
        "sessions": sessions,
        "disk": trouble.as_ref().map_or_else(|| "running".to_owned(), |why| format!("failing: {why}")),
        "recording": recording.as_ref().map(|recording| &recording.directory),
        "synced": storage.synced,
        "frames_held": storage.frames_held,
        "log_records": storage.log_records,
        "log_bytes": storage.log_bytes,
        "syncs": storage.syncs,
        "sync_ms_p50": storage.sync_ms_p50,
        "sync_ms_p99": storage.sync_ms_p99,
        "snapshots": storage.snapshots,
        "disk_bytes": storage.disk_bytes,
    })
}

fn counted(values: Vec<(String, f64)>) -> Value {
    let metrics: serde_json::Map<_, _> =
        values.into_iter().map(|(name, value)| (name, json!(value))).collect();
    json!({ "ok": true, "metrics": metrics })
}

fn refusal(error: &str) -> Value {
    json!({ "ok": false, "error": error })
}
