//! What an idle session costs a server in memory: `cargo run --release -p evertick-transport --example session_memory`.
//!
//! The clients are in a process of their own, so only the server's side is counted. Prints resident memory per session, after all
//! sessions have exchanged messages on each lane and lie still.
#![allow(clippy::unwrap_used, reason = "a measuring program")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use evertick_transport::{
    ClientOptions, Connection, ConnectionExt, Lane, Listener, ListenerOptions, QuicOptions, connect,
};

const SESSIONS: usize = 400;

/// The first sessions, which pay for what all share, are not counted.
const WARM_UP: usize = 50;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    if let Some(url) = std::env::args().nth(1) {
        return clients(&url).await;
    }
    let websocket = Listener::bind("127.0.0.1:0", ListenerOptions::default()).unwrap();
    measure("memory.per_session.ws", websocket).await;
    let quic = Listener::bind_quic("127.0.0.1:0", QuicOptions::default()).unwrap();
    measure("memory.per_session.quic", quic).await;
}

async fn measure(name: &str, listener: Listener) {
    let url = listener.url();
    let mut acceptor = listener.into_acceptor().unwrap();
    let program = std::env::current_exe().unwrap();
    let mut child =
        Command::new(program).arg(url).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut held = Vec::new();
    let mut before = 0;
    while held.len() < WARM_UP + SESSIONS {
        let mut connection = acceptor.accept().await.unwrap().upgrade().await.unwrap();
        let hello = connection.recv().await.unwrap();
        for lane in [Lane::Control, Lane::World, Lane::Latest] {
            connection.send(lane, std::slice::from_ref(&hello));
        }
        connection.flush().await.unwrap();
        held.push(task(connection));
        if held.len() == WARM_UP {
            settle().await;
            before = resident_bytes();
        }
    }
    settle().await;
    let each = resident_bytes().saturating_sub(before) / SESSIONS as u64;
    println!("{name} {:.1} KiB", each as f64 / 1024.0);
    let mut ready = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    drop(child.stdin.take());
    child.wait().unwrap();
}

/// A session lies in a task, as it does in a gateway.
fn task(mut connection: Box<dyn Connection>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move { while connection.recv().await.is_ok() {} })
}

async fn settle() {
    tokio::time::sleep(Duration::from_secs(2)).await;
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

async fn clients(url: &str) {
    let mut held = Vec::new();
    for _ in 0..WARM_UP + SESSIONS {
        let mut connection = connect(url, &ClientOptions::default()).await.unwrap();
        connection.send(Lane::Control, &[Bytes::from_static(&[1; 100])]);
        // From each lane something; that of the latest may get lost.
        connection.recv().await.unwrap();
        connection.recv().await.unwrap();
        held.push(connection);
    }
    println!("all are there");
    std::io::stdout().flush().unwrap();
    let end = tokio::task::spawn_blocking(|| std::io::stdin().lines().count());
    end.await.unwrap();
}
