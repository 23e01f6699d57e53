//! Questions to a running server, on its admin socket.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::outcome::Failure;

/// The socket's name in the data directory.
const ADMIN_SOCKET: &str = "admin.sock";

/// How long the server may take: the image of a large world is written while it waits.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(120);

/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// Sends one request and reads its answer.
pub(crate) fn ask(data: &Path, request: &Value) -> Result<Value, Failure> {
    let path = data.join(ADMIN_SOCKET);
    let socket = UnixStream::connect(&path).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => Failure::new(format!(
            "no server runs on {}: there is nobody at {}; start the server first",
            data.display(),
            path.display()
        )),
        _ => Failure::new(format!("can't connect to {}: {error}", path.display())),
    })?;
    let answer = converse(socket, request)
        .map_err(|error| Failure::new(format!("the server at {} did not answer: {error}", path.display())))?;
    match answer["ok"].as_bool() {
        Some(true) => Ok(answer),
        _ => Err(Failure::new(format!(
            "the server did not do it: {}",
            answer["error"].as_str().unwrap_or("it gave no reason")
        ))),
    }
}

fn converse(mut socket: UnixStream, request: &Value) -> std::io::Result<Value> {
    socket.set_read_timeout(Some(ANSWER_TIME_MAX))?;
    socket.write_all(format!("{request}\n").as_bytes())?;
    let mut line = Vec::new();
    BufReader::new(socket.take(ANSWER_BYTES_MAX)).read_until(b'\n', &mut line)?;
    Ok(serde_json::from_slice(&line)?)
}
