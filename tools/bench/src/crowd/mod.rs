//! Crowds over real sockets: a server in a process of its own, pinned to one core, and all its clients on another.
//!
//! It is the server that is measured. A player has a machine to himself, and here all share one core; so one client in twenty applies
//! all that it is sent, and tells how old what it shows is, what it sees and how often its neighbours are updated. The others are
//! sessions like these, whose connections shake hands, receive, decrypt, acknowledge and give room like any other, but of the messages
//! they read the heads alone: bytes and frames are counted of every client, and a frame that one was not sent is noticed. No client is
//! preferred: one that applies waits for its turn among all others, and that is part of the age of what it shows.

mod ages;
mod idle;
mod measured;
mod watcher;

use std::path::Path;
use std::time::Duration;

pub(crate) use crate::crowd::idle::memory;
use crate::crowd::measured::{Crowd, Window};
use crate::report::{Measure, median};
use crate::socket::{CLIENTS, Transport, pin};
use crate::{RUNS, Result};

/// The length of one run.
const RUN: Duration = Duration::from_secs(4);
/// The bytes a second that each client may be sent in a run, and that it may have saved up before: what a session's budget is unless a
/// studio says otherwise.
const BYTES_PER_SECOND: f64 = 65_536.0 + 32_768.0 / RUN.as_secs() as f64;

/// 10,000 movers of whom 1,000 clients see about 100 each.
const SPREAD: Scene = Scene { movers: 10_000, edge: 2_880.0, radius: 128.0 };
/// 1,000 movers, who are the clients themselves, in nine cells.
const HOTSPOT: Scene = Scene { movers: 0, edge: 192.0, radius: 192.0 };

/// Who is where.
#[derive(Clone, Copy)]
pub(crate) struct Scene {
    /// Movers besides those of the clients.
    pub(crate) movers: u32,
    /// The edge of the square they are in, in metres.
    pub(crate) edge: f32,
    /// How far a client sees, in metres.
    pub(crate) radius: f32,
}

/// Clients over WebSockets.
pub(crate) fn spread(module: &Path) -> Result<Vec<Measure>> {
    on_the_clients_core(module, |module| {
        let mut crowd = Crowd::start(module, Transport::WebSocket, SPREAD)?;
        crowd.grow(1_000)?;
        let windows = crowd.windows(RUNS, RUN)?;
        let of = |number: fn(&Window) -> f64| windows.iter().map(number).collect::<Vec<_>>();
        Ok(vec![
            Measure::lower("crowd.ws.1000x10k.tick_p99", "ms", &of(|window| window.tick_p99_ms), Some(50.0)),
            Measure::lower(
                "crowd.ws.1000x10k.cpu",
                "% of a core",
                &of(|window| window.cpu * 100.0),
                Some(100.0),
            ),
            Measure::lower("crowd.ws.1000x10k.bytes", "bytes/s", &of(|window| window.bytes_per_second), None),
            Measure::lower(
                "crowd.ws.1000x10k.staleness_p99",
                "ms",
                &of(|window| window.staleness_p99_ms),
                Some(50.0),
            ),
        ])
    })
}

/// Everybody in one place, over WebSockets.
pub(crate) fn hotspot(module: &Path) -> Result<Vec<Measure>> {
    on_the_clients_core(module, |module| {
        let mut crowd = Crowd::start(module, Transport::WebSocket, HOTSPOT)?;
        crowd.grow(1_000)?;
        let windows = crowd.windows(RUNS, RUN)?;
        let ticks: Vec<_> = windows.iter().map(|window| window.tick_p99_ms).collect();
        let bytes: Vec<_> = windows.iter().map(|window| window.bytes_per_second_max).collect();
        let nearest: Vec<_> = windows.iter().map(|window| window.nearest_rate).collect();
        Ok(vec![
            Measure::lower("crowd.hotspot.1000.tick_p99", "ms", &ticks, Some(50.0)),
            Measure::lower("crowd.hotspot.1000.bytes_max", "bytes/s", &bytes, Some(BYTES_PER_SECOND)),
            Measure::higher("crowd.hotspot.1000.nearest_rate", "Hz", &nearest, Some(20.0)),
        ])
    })
}

/// How many clients one core holds over QUIC: each gets 20 frames a second, and none waits long for one.
pub(crate) fn capacity(module: &Path) -> Result<Vec<Measure>> {
    const STEP: usize = 250;
    const CLIENTS_MAX: usize = 3_000;
    const FIRST: usize = 1_000;
    const RATE_MIN: f64 = 19.5;
    /// Three ticks.
    const STALENESS_MAX_MS: f64 = 150.0;
    on_the_clients_core(module, |module| {
        let mut crowd = Crowd::start(module, Transport::Quic, SPREAD)?;
        let mut held = 0;
        for clients in (FIRST..=CLIENTS_MAX).step_by(STEP) {
            let windows = match crowd.grow(clients).and_then(|()| crowd.windows(3, RUN)) {
                Ok(windows) => windows,
                // Beyond what it holds, a server may lose clients; before that, none.
                Err(error) if held > 0 => {
                    eprintln!("{clients} clients are not held: {error}");
                    break;
                }
                Err(error) => return Err(error),
            };
            let of = |number: fn(&Window) -> f64| median(&windows.iter().map(number).collect::<Vec<_>>());
            if of(|window| window.rate_p1) < RATE_MIN
                || of(|window| window.staleness_p99_ms) > STALENESS_MAX_MS
            {
                break;
            }
            held = clients;
        }
        Ok(vec![Measure::higher("crowd.quic.capacity", "clients", &[held as f64], None)])
    })
}

/// Runs on a thread of its own, so that only it is pinned.
fn on_the_clients_core(
    module: &Path,
    measure: impl FnOnce(&Path) -> Result<Vec<Measure>> + Send + 'static,
) -> Result<Vec<Measure>> {
    let module = module.to_owned();
    let measured = std::thread::spawn(move || {
        pin(CLIENTS).and_then(|()| measure(&module)).map_err(|error| error.to_string())
    });
    Ok(measured.join().map_err(|_| "the clients' thread panicked")??)
}
