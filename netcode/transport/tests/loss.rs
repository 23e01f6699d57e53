//! Real sockets on a real way with loss and delay: what that does to the age of what a client sees, over QUIC and over WebSocket.
//!
//! Several clients of each kind are served at once by one server over one way, 20 times a second, like a game's frames: over QUIC on
//! the latest lane, over WebSocket in order. Each message has the time at which it was made, and a client's *staleness* is the age of
//! the newest message it has, looked at every few milliseconds.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use evertick_test_network as network;
use evertick_transport::{
    Acceptor, ClientOptions, Connection, ConnectionExt, Lane, Listener, ListenerOptions, QuicOptions, connect,
};
use network::{CLIENT, SERVER, Way};
use tokio::runtime::Runtime;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// Clients of each kind.
const CLIENTS: usize = 12;
const FRAME: Duration = Duration::from_millis(50);
const FRAME_BYTES: usize = 600;

/// Every so manieth frame has something that must arrive.
const ORDERED_EVERY: u32 = 10;

/// How long clients watch, and how often they look at their staleness.
const WATCHED: Duration = Duration::from_secs(12);
const LOOKED_EVERY: Duration = Duration::from_millis(5);

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Greets whoever comes and sends frames until they leave.
async fn serve(mut acceptor: Acceptor, start: Instant) {
    loop {
        // Handshakes may fail on such a way; clients try again.
        let Ok(incoming) = acceptor.accept().await else { continue };
        tokio::spawn(async move {
            if let Ok(connection) = incoming.upgrade().await {
                send_frames(connection, start).await;
            }
        });
    }
}

async fn send_frames(mut connection: Box<dyn Connection>, start: Instant) {
    if connection.recv().await.is_err() {
        return;
    }
    let latest = if connection.datagrams().is_some() { Lane::Latest } else { Lane::World };
    connection.send(Lane::Control, &[Bytes::from_static(&[0])]);
    let mut ticks = interval(FRAME);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    for number in 0_u32.. {
        let now = start.elapsed().as_micros() as u64;
        let frame = [&[2][..], &now.to_le_bytes(), &[0; FRAME_BYTES]].concat();
        connection.send(latest, &[frame.into()]);
        if number % ORDERED_EVERY == 0 {
            connection
                .send(Lane::World, &[[&[1][..], &(number / ORDERED_EVERY).to_le_bytes()].concat().into()]);
        }
        tokio::select! {
            _ = ticks.tick() => {}
            _left = connection.recv() => return,
        }
    }
}

/// What one client saw: when frames were made and when they came.
struct Seen {
    frames: Vec<(Duration, Duration)>,
    ordered: u32,
}

async fn watch(url: String, start: Instant) -> Seen {
    let options = ClientOptions::default();
    let mut connection = loop {
        if let Ok(connection) = connect(&url, &options).await {
            break connection;
        }
    };
    connection.send(Lane::Control, &[Bytes::from_static(&[9])]);
    let mut seen = Seen { frames: Vec::new(), ordered: 0 };
    let until = Instant::now() + WATCHED;
    while let Ok(message) = tokio::time::timeout_at(until, connection.recv()).await {
        match *message.unwrap() {
            [0] => {}
            [1, a, b, c, d] => {
                assert_eq!(u32::from_le_bytes([a, b, c, d]), seen.ordered, "what must arrive did not");
                seen.ordered += 1;
            }
            [2, ref frame @ ..] => {
                let made = u64::from_le_bytes(*frame.first_chunk().unwrap());
                seen.frames.push((Duration::from_micros(made), start.elapsed()));
            }
            ref other => panic!("{other:?}"),
        }
    }
    seen
}

/// The staleness of all clients, sorted.
fn staleness(clients: &[Seen]) -> Vec<Duration> {
    let mut looks = Vec::new();
    for seen in clients {
        let mut frames = seen.frames.iter().peekable();
        let (_, first) = seen.frames.first().expect("frames came");
        let (_, last) = seen.frames.last().expect("frames came");
        let mut newest = Duration::ZERO;
        let mut now = *first;
        while now < *last {
            while let Some((made, _)) = frames.next_if(|(_, came)| *came <= now) {
                newest = newest.max(*made);
            }
            looks.push(now - newest);
            now += LOOKED_EVERY;
        }
    }
    looks.sort_unstable();
    looks
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[sorted.len() * percent / 100]
}

/// Serves both kinds of clients over such a way; their staleness, QUIC's first.
fn measure(way: Way) -> [Vec<Duration>; 2] {
    let start = Instant::now();
    let (addresses, found) = mpsc::sync_channel(1);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = thread::spawn(move || {
        let tun = network::enter(SERVER, CLIENT, way);
        let quic = Listener::bind_quic(&format!("{SERVER}:0"), QuicOptions::default()).unwrap();
        let websocket = Listener::bind(&format!("{SERVER}:0"), ListenerOptions::default()).unwrap();
        addresses.send((tun, [quic.url(), websocket.url()])).unwrap();
        runtime().block_on(async {
            let (quic, websocket) = (quic.into_acceptor().unwrap(), websocket.into_acceptor().unwrap());
            tokio::select! {
                () = serve(quic, start) => {}
                () = serve(websocket, start) => {}
                _ = stopped => {}
            }
        });
        network::dropped()
    });
    let clients = thread::spawn(move || {
        let tun = network::enter(CLIENT, SERVER, way);
        let (server_tun, urls) = found.recv().unwrap();
        network::connect(tun, server_tun, way);
        let seen = runtime().block_on(async {
            let [quic, websocket] = urls.map(|url| {
                let watching = (0..CLIENTS).map(|_| tokio::spawn(watch(url.clone(), start)));
                futures_util::future::join_all(watching)
            });
            timeout(3 * WATCHED, async { tokio::join!(quic, websocket) })
                .await
                .expect("clients can't connect")
        });
        (seen, network::dropped())
    });
    let ((quic, websocket), dropped_at_clients) = clients.join().unwrap();
    drop(stop);
    let dropped_at_server = server.join().unwrap();
    let dropped = (dropped_at_clients, dropped_at_server);
    let kinds = [("QUIC", quic), ("WebSocket", websocket)];
    kinds.map(|(name, clients)| {
        let clients: Vec<Seen> = clients.into_iter().map(|seen| seen.unwrap()).collect();
        let sorted = staleness(&clients);
        let frames: usize = clients.iter().map(|seen| seen.frames.len()).sum();
        let ordered: u32 = clients.iter().map(|seen| seen.ordered).sum();
        let [p50, p99] = [50, 99].map(|percent| percentile(&sorted, percent).as_millis());
        println!(
            "{name} at {} % loss: staleness p50 {p50} ms, p99 {p99} ms; {frames} frames and {ordered} ordered messages came; \
             nftables dropped {dropped:?} packets at clients and server",
            way.loss_percent
        );
        assert!(dropped.0 > 0 && dropped.1 > 0, "nothing was lost: {dropped:?}");
        assert!(ordered > 0 && frames > ordered as usize, "only {frames} frames and {ordered} messages came");
        sorted
    })
}

fn quic_is_fresher(loss_percent: u32) {
    let way = Way { delay: Duration::from_millis(50), jitter: Duration::from_millis(20), loss_percent };
    let [quic, websocket] = measure(way);
    assert!(percentile(&quic, 0) >= way.delay - way.jitter, "there was no delay");
    let (quic, websocket) = (percentile(&quic, 99), percentile(&websocket, 99));
    assert!(quic < websocket, "staleness p99 over QUIC is {quic:?}, over WebSocket {websocket:?}");
}

#[test]
fn with_one_percent_loss_quic_is_fresher() {
    quic_is_fresher(1);
}

#[test]
fn with_five_percent_loss_quic_is_fresher() {
    quic_is_fresher(5);
}
