//! What it costs to tell 10,000 sessions of 100,000 movers, with everything but the guest and the sockets.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bench_module::crowd::{Roamer, gather_crowd};
use evertick_gateway::{Account, Gateway, GatewayConfig, GatewayHandle, Metrics, ServerDescription};
use evertick_interest::{Interest, InterestConfig};
use evertick_protocol::{Audience, ClientMessage, Hello, Ingress, IngressBatch};
use evertick_schema::{EntityId, Identity, Row, SessionId, Timestamp};
use evertick_transport::Sink;
use evertick_world::{Cause, Config, Focus, Simulation};
use rustix::time::{ClockId, Timespec, clock_gettime};
use tokio::sync::mpsc;

use crate::fixture::{TICK, call, config, simulation_of};
use crate::report::Measure;
use crate::socket::{SERVER, pin, threads};
use crate::{RUNS, Result};

const MOVERS: u32 = 100_000;
const SESSIONS: usize = 10_000;
/// The edge of the square that the movers are in, in metres.
const EDGE: f32 = 9_000.0;
const RADIUS: f32 = 128.0;
/// The edge of a cell, in metres, and what is measured with it. The larger, the less the server does and the more each session sees beyond
/// its radius: of the movers about 165, or about 110.
const CELLS: [(f32, &str); 2] = [(128.0, "replication.10kx100k"), (64.0, "replication.10kx100k.cells_64")];
/// Ticks of one run.
const TICKS: u32 = 10;
/// How long the shard may take to open all sessions.
const PATIENCE: Duration = Duration::from_secs(60);

/// The time of one core, on the world's thread and the shard's together, for a tick's delta, its frame and what each session
/// makes of it. The grid is kept within the tick; what the tick takes beyond the guest is in as well.
pub(crate) fn run(module: &Path) -> Result<Vec<Measure>> {
    let module = module.to_owned();
    // A thread of its own, so that only it and the shard's are pinned.
    let measured = std::thread::spawn(move || {
        pin(SERVER)
            .and_then(|()| CELLS.iter().map(|(cell_size, name)| measure(&module, *cell_size, name)).collect())
            .map_err(|error| error.to_string())
    });
    Ok(measured.join().map_err(|_| "the world's thread panicked")??)
}

fn measure(module: &Path, cell_size: f32, name: &str) -> Result<Measure> {
    let mut server = Server::start(module, cell_size)?;
    server.open_sessions()?;
    server.next_tick = Instant::now();
    for _ in 0..TICKS {
        server.tick()?;
    }
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        let (mut world, shard) = ([Duration::ZERO; 3], shard_time()?);
        let messages = server.gateway.metrics().snapshot().messages_out;
        for _ in 0..TICKS {
            world.iter_mut().zip(server.tick()?).for_each(|(sum, step)| *sum += step);
        }
        let shard = shard_time()? - shard;
        let messages = server.gateway.metrics().snapshot().messages_out - messages;
        let of_tick = |time: Duration| time.as_secs_f64() * 1e3 / f64::from(TICKS);
        eprintln!(
            "a tick: commit {:.2} ms, marks {:.2} ms, frame {:.2} ms, shard {:.2} ms for {} messages",
            of_tick(world[0]),
            of_tick(world[1]),
            of_tick(world[2]),
            of_tick(shard),
            messages / u64::from(TICKS)
        );
        runs.push(of_tick(world.iter().sum::<Duration>() + shard));
    }
    Ok(Measure::lower(name, "ms", &runs, Some(50.0)))
}

/// A world, its interest and a gateway, without a host between them: so that only they are measured.
struct Server {
    simulation: Simulation,
    interest: Interest,
    gateway: GatewayHandle,
    inbox: mpsc::Receiver<IngressBatch>,
    now: Timestamp,
    next_tick: Instant,
}

impl Server {
    fn start(module: &Path, cell_size: f32) -> Result<Self> {
        let config = Config { cell_size, ..config() };
        let (mut simulation, description) = simulation_of(config, module, |guest| guest)?;
        call(&mut simulation, &description, &gather_crowd::call(MOVERS, EDGE))?;
        let rows = simulation.rows(0).to_vec();
        let interest = Interest::new(simulation.world(), &rows, InterestConfig::default());
        let (sender, inbox) = mpsc::channel(64);
        let config = GatewayConfig { shards: 1, arrivals_waiting_max: SESSIONS, ..GatewayConfig::default() };
        let tick_us = u32::try_from(TICK.0)?;
        let gateway = Gateway::start(
            &config,
            Vec::new(),
            Arc::new(|token: &[u8]| {
                let mut identity = Identity::default();
                identity.0[..token.len()].copy_from_slice(token);
                Ok(Account { identity, roles: Arc::new([]) })
            }),
            Arc::new(ServerDescription::new(&description, tick_us)),
            sender,
            Arc::<Metrics>::default(),
        )?;
        Ok(Self { simulation, interest, gateway, inbox, now: Timestamp(0), next_tick: Instant::now() })
    }

    /// Connects all sessions, each of which looks on through a mover of its own.
    fn open_sessions(&mut self) -> Result {
        for number in 0..SESSIONS as u64 {
            let mut hello = Vec::new();
            ClientMessage::Hello(Hello::new(&number.to_le_bytes())).encode(&mut hello);
            if !self.gateway.attach(Box::new(Sink::new(hello))) {
                return Err("the shard takes no more connections".into());
            }
        }
        let roamer = format!("bench.{}", Roamer::NAME);
        let roamer = self.simulation.world().row_named(&roamer).ok_or("the module has no roamers")?;
        let world = self.simulation.world();
        let mut movers: Vec<EntityId> = world.scan(roamer).map(|(entity, _)| entity).collect();
        let start = Instant::now();
        let mut open = 0;
        while open < SESSIONS {
            let Ok(mut batch) = self.inbox.try_recv() else {
                std::thread::sleep(Duration::from_millis(1));
                if start.elapsed() > PATIENCE {
                    return Err(format!("only {open} sessions were opened").into());
                }
                continue;
            };
            let mut opened: Vec<SessionId> = Vec::new();
            while let Some(ingress) = batch.take() {
                if let Ingress::Open { session, identity, .. } = ingress {
                    self.interest.open(session, identity);
                    opened.push(session);
                }
            }
            let mut tx = self.simulation.world_mut().begin(Cause::default());
            for session in &opened {
                let entity = movers.pop().ok_or("there are fewer movers than sessions")?;
                tx.focus(*session, Focus::Entity { entity, radius: RADIUS });
            }
            tx.accept()?;
            open += opened.len();
        }
        Ok(())
    }

    /// One tick at its time, and what of it went into the delta, marking who is concerned, and the frame. The shard does its part until
    /// the next.
    fn tick(&mut self) -> Result<[Duration; 3]> {
        self.now += TICK;
        self.simulation.tick(self.now);
        let start = time_on_core();
        let delta = self.simulation.commit(self.now);
        let committed = time_on_core();
        self.interest.absorb(self.simulation.world(), &delta);
        let marked = time_on_core();
        let frame = self.interest.frame(self.simulation.world(), self.now, 0);
        let told = time_on_core();
        self.simulation.world_mut().recycle(delta);
        self.gateway.publish(&Arc::new(frame), Audience::Everyone);
        self.next_tick += Duration::from_micros(TICK.0.cast_unsigned());
        std::thread::sleep(self.next_tick.saturating_duration_since(Instant::now()));
        Ok([committed - start, marked - committed, told - marked])
    }
}

/// The time that this thread has had on its core so far.
fn time_on_core() -> Duration {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(tv_sec.cast_unsigned(), tv_nsec as u32)
}

/// The time that the shard's thread has had on its core so far.
fn shard_time() -> Result<Duration> {
    let threads = threads(std::process::id())?;
    threads.get("evertick-io-0").copied().ok_or_else(|| "the shard has no thread".into())
}
