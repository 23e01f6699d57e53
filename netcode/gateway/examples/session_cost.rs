//! What a shard spends on a session and frame: 10,000 sessions among 20,000 cells in which rows move, over connections that take
//! everything. Some sessions move on with each frame, as people do who walk.
//!
//! `cargo run --release -p evertick-gateway --example session_cost [runs]`

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use evertick_gateway::{Account, Gateway, GatewayConfig, GatewayHandle, Metrics, ServerDescription};
use evertick_protocol::{
    Audience, Blocks, ClientMessage, Entered, Frame, Hello, Ingress, IngressBatch, SessionFrame, Snapshot,
    Square, TopicFramesWriter, TopicId, Viewpoint,
};
use evertick_schema::{Identity, SchemaHash, SessionId, Timestamp};
use evertick_transport::Sink;
use tokio::sync::mpsc;

const SESSIONS: usize = 10_000;
/// Cells in a row, and rows.
const SIDE: u32 = 141;
const CELL: f32 = 64.0;
/// A session sees the cells that are as near.
const RADIUS: f32 = 128.0;
/// Moving rows in a cell, and the bytes of all together.
const ROWS: u16 = 5;
const STATE: [u8; 40] = [39; 40];
/// One in so many sessions has moved on with a frame, by so much.
const MOVES: usize = 32;
const STEP: f32 = 8.0;
/// One in so many cells says something in order.
const SAYS: u32 = 25;
/// Frames of one run, and the time between two.
const FRAMES: u64 = 10;
const TICK: Duration = Duration::from_millis(50);

fn main() -> Result<(), Box<dyn Error>> {
    let runs: u64 = std::env::args().nth(1).map_or(Ok(9), |runs| runs.parse())?;
    let mut crowd = Crowd::connect()?;
    // Enter, and be past the first grading.
    (0..40).for_each(|_| crowd.tick());
    let mut costs = Vec::new();
    let before = crowd.gateway.metrics().snapshot();
    for _ in 0..runs {
        let start = shard_time()?;
        (0..FRAMES).for_each(|_| crowd.tick());
        let spent = shard_time()? - start;
        costs.push(spent.as_nanos() / u128::from(FRAMES) / SESSIONS as u128);
    }
    let after = crowd.gateway.metrics().snapshot();
    let each = |count: u64| count as f64 / (runs * FRAMES * SESSIONS as u64) as f64;
    costs.sort_unstable();
    println!(
        "{} ns per session and frame ({} to {}); {:.2} messages, {:.0} bytes, states of {:.0} + {:.0} + {:.0} bytes",
        costs[costs.len() / 2],
        costs[0],
        costs[costs.len() - 1],
        each(after.messages_out - before.messages_out),
        each(after.bytes_out - before.bytes_out),
        each(after.bytes_states_full - before.bytes_states_full),
        each(after.bytes_states_half - before.bytes_states_half),
        each(after.bytes_states_quarter - before.bytes_states_quarter),
    );
    Ok(())
}

/// A gateway, its sessions and where they are.
struct Crowd {
    gateway: GatewayHandle,
    _inbox: mpsc::Receiver<IngressBatch>,
    sessions: Vec<(SessionId, [f32; 2])>,
    /// Ascending.
    topics: Vec<TopicId>,
    number: u64,
    next: Instant,
}

impl Crowd {
    fn connect() -> Result<Self, Box<dyn Error>> {
        let (sender, mut inbox) = mpsc::channel(64);
        let config = GatewayConfig { shards: 1, arrivals_waiting_max: SESSIONS, ..GatewayConfig::default() };
        let description =
            ServerDescription { json: Bytes::new(), hash: SchemaHash::default(), tick_us: 50_000 };
        let gateway = Gateway::start(
            &config,
            Vec::new(),
            Arc::new(|_: &[u8]| Ok(Account { identity: Identity::default(), roles: Arc::new([]) })),
            Arc::new(description),
            sender,
            Arc::<Metrics>::default(),
        )?;
        let mut hello = Vec::new();
        ClientMessage::Hello(Hello::new(b"")).encode(&mut hello);
        let hello = Bytes::from(hello);
        for _ in 0..SESSIONS {
            assert!(
                gateway.attach(Box::new(Sink::new(hello.clone()))),
                "the shard takes no more connections"
            );
        }
        let mut sessions = Vec::new();
        while sessions.len() < SESSIONS {
            let mut batch = inbox.blocking_recv().ok_or("the gateway is gone")?;
            while let Some(ingress) = batch.take() {
                if let Ingress::Open { session, .. } = ingress {
                    let spread = |step: f32| (step * sessions.len() as f32).fract() * SIDE as f32 * CELL;
                    sessions.push((session, [spread(0.754_877_7), spread(0.569_840_3)]));
                }
            }
        }
        let mut topics: Vec<_> = (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| topic([x, y]))).collect();
        topics.sort_unstable();
        Ok(Self { gateway, _inbox: inbox, sessions, topics, number: 0, next: Instant::now() })
    }

    fn tick(&mut self) {
        let number = self.number;
        self.number += 1;
        let mut writer = TopicFramesWriter::new();
        for topic in &self.topics {
            if topic.0 % SAYS == number as u32 % SAYS {
                let ordered = Some(Bytes::from_static(&STATE));
                writer.blocks(*topic, Blocks { ordered, events: None });
            }
            writer.states(*topic, 1);
            writer.state(0, ROWS, &STATE);
        }
        let mut frame = Frame {
            number: self.number,
            tick: self.number,
            time: Timestamp(self.number as i64 * TICK.as_micros() as i64),
            topics: writer.finish(),
            ..Frame::default()
        };
        let moved = if number == 0 { 0..1 } else { number as usize % MOVES..MOVES };
        let step = if number == 0 { 1 } else { moved.end };
        for (session, at) in self.sessions.iter_mut().skip(moved.start).step_by(step) {
            let mut own = SessionFrame::default();
            let before = if number == 0 { Vec::new() } else { cells(*at) };
            at[0] = (at[0] + STEP) % (SIDE as f32 * CELL);
            let now = cells(*at);
            own.left.extend(before.iter().filter(|cell| !now.contains(cell)).map(|cell| topic(*cell)));
            own.entered.extend(now.iter().filter(|cell| !before.contains(cell)).map(|cell| entered(*cell)));
            own.viewpoint = Some(Viewpoint { space: 0, at: *at, radius: RADIUS });
            frame.sessions.insert(*session, own);
        }
        self.gateway.publish(&Arc::new(frame), Audience::Everyone);
        self.next = (self.next + TICK).max(Instant::now());
        std::thread::sleep(self.next.saturating_duration_since(Instant::now()));
    }
}

/// The cells that a session sees from there.
fn cells(at: [f32; 2]) -> Vec<[u32; 2]> {
    let range = |at: f32| {
        let end = SIDE as f32;
        ((at - RADIUS) / CELL).clamp(0.0, end) as u32..((at + RADIUS) / CELL).ceil().clamp(0.0, end) as u32
    };
    let away = |cell: u32, at: f32| {
        let min = cell as f32 * CELL;
        (min - at).max(at - min - CELL).max(0.0)
    };
    let all = range(at[1]).flat_map(|y| range(at[0]).map(move |x| [x, y]));
    all.filter(|[x, y]| away(*x, at[0]).hypot(away(*y, at[1])) < RADIUS).collect()
}

/// Squares of 8 by 8 cells have numbers in a row.
const fn topic([x, y]: [u32; 2]) -> TopicId {
    let tile = y / 8 * SIDE.div_ceil(8) + x / 8;
    TopicId(tile * 64 + y % 8 * 8 + x % 8)
}

fn entered(cell: [u32; 2]) -> Entered {
    Entered {
        topic: topic(cell),
        square: Some(Square { space: 0, min: cell.map(|at| at as f32 * CELL), size: CELL }),
        snapshot: Arc::new(Snapshot::new(Bytes::from_static(&STATE))),
        followed: Vec::new(),
    }
}

/// The time that the shard's thread has had on a core so far.
fn shard_time() -> Result<Duration, Box<dyn Error>> {
    for task in std::fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        if std::fs::read_to_string(task.join("comm"))?.trim() == "evertick-io-0" {
            let times = std::fs::read_to_string(task.join("schedstat"))?;
            let ran = times.split(' ').next().ok_or("the kernel keeps no times of threads")?;
            return Ok(Duration::from_nanos(ran.parse()?));
        }
    }
    Err("the shard has no thread".into())
}
