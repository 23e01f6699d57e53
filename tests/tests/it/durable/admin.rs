//! The admin socket, as a script uses it.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use evertick_tests::folder::Folder;

use super::{builder, connect, pay, stop, until};

/// Sends a line and returns the answer.
fn ask(data: &Path, request: &str) -> String {
    let mut socket = UnixStream::connect(data.join("admin.sock")).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with('\n') && answer.starts_with("{\""), "a line of JSON: {answer}");
    answer
}

#[tokio::test]
async fn an_operator_asks_by_lines_of_json() {
    let folder = Folder::new(env!("CARGO_TARGET_TMPDIR"), "durable-admin");
    let (data, recording) = (folder.path().join("data"), folder.path().join("recording"));
    let server = builder().data_dir(&data).start().unwrap();
    let mode = std::fs::metadata(data.join("admin.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let client = connect(&server, "ann", false).await;
    pay(&client, 7, 1, 2).await.unwrap();

    let status = ask(&data, "{\"do\":\"status\"}\n");
    for part in ["\"ok\":true", "\"disk\":\"running\"", "\"sessions\":1", "\"recording\":null"] {
        assert!(status.contains(part), "{part} in {status}");
    }

    let start = format!("{{\"do\":\"record start\",\"directory\":\"{}\"}}\n", recording.display());
    let started = ask(&data, &start);
    assert!(started.contains("\"ok\":true") && started.contains("/recording\""), "{started}");
    let twice = ask(&data, &start);
    assert!(twice.contains("\"ok\":false") && twice.contains("stop it first"), "{twice}");
    pay(&client, 7, 2, 2).await.unwrap();
    assert!(ask(&data, "{\"do\":\"record status\"}\n").contains("/recording\""));
    assert!(ask(&data, "{\"do\":\"record stop\"}\n").contains("\"ok\":true"));
    assert!(ask(&data, "{\"do\":\"record status\"}\n").contains("\"recording\":null"));
    assert!(ask(&data, "{\"do\":\"record stop\"}\n").contains("\"ok\":false"));

    let before = server.snapshot().host.storage.snapshots;
    assert!(ask(&data, "{\"do\":\"snapshot\"}\n").contains("\"ok\":true"));
    until("the snapshot is finished", || server.snapshot().host.storage.snapshots > before).await;

    for bad in ["\n", "{\"do\":\"dance\"}\n", "{\"do\":\"record start\",\"directory\":\"not/absolute\"}\n"] {
        let answer = ask(&data, bad);
        assert!(answer.contains("\"ok\":false"), "{bad}: {answer}");
    }
    // A line without an end: an answer all the same, and room for the next.
    let endless = ask(&data, &"x".repeat(4096));
    assert!(endless.contains("at most 4096 bytes"), "{endless}");
    assert!(ask(&data, "{\"do\":\"status\"}\n").contains("\"ok\":true"));
    pay(&client, 7, 3, 2).await.unwrap();
    stop(server).await.unwrap();
}
