//! Starting, feeding and stopping the shards.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use evertick_protocol::{Audience, Frame, IngressBatch};
use evertick_transport::{Acceptor, Connection, Limits, Listener, Loopback, loopback};
use thiserror::Error;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;
use tokio::time::Instant;

use crate::auth::Authenticate;
use crate::config::{GatewayConfig, ServerDescription};
use crate::metrics::Metrics;
use crate::resume::Directory;
use crate::shard::{self, Arrival, Common, Door, Feed, Phase};

/// Why a gateway did not start.
#[derive(Debug, Error)]
pub enum GatewayError {
    /// A thread, its runtime or its listener could not be had.
    #[error("can't start the gateway's I/O threads: {0}; look at the limits on threads and open files")]
    Io(#[from] io::Error),
}

/// How long a shard that is done waits for the ends of QUIC connections to be sent.
const LAST_PACKETS_TIME_MAX: Duration = Duration::from_millis(200);

/// Starts gateways.
#[derive(Debug)]
pub struct Gateway;

impl Gateway {
    /// Starts the shards' threads and accepts on `listeners`. WebSockets are spread over the shards; a QUIC port and its connections
    /// stay on one shard, the first port on the first shard and so on. What clients send goes to `inbox`, which must be drained
    /// by the host; when it is full, calls are answered with `Busy` and new sessions wait.
    pub fn start(
        config: &GatewayConfig,
        listeners: Vec<Listener>,
        auth: Arc<dyn Authenticate>,
        description: Arc<ServerDescription>,
        inbox: mpsc::Sender<IngressBatch>,
        metrics: Arc<Metrics>,
    ) -> Result<GatewayHandle, GatewayError> {
        let half_a_tick = Duration::from_micros(u64::from(description.tick_us) / 2);
        let common = Arc::new(Common {
            limits: config.limits,
            auth,
            description,
            metrics: Arc::clone(&metrics),
            next_session: AtomicU64::new(config.first_session),
            parked_sessions_max: config.parked_sessions_max,
            spread_time: config.spread_time.min(half_a_tick),
            directory: Directory::default(),
            running: watch::Sender::new(config.shards.max(1)),
        });
        let (phase, phase_receiver) = watch::channel(Phase::Running);
        let mut shards = Vec::new();
        let mut receivers = Vec::new();
        for _ in 0..config.shards.max(1) {
            let (frames, frames_receiver) = mpsc::channel(config.frames_waiting_max.max(1));
            let (arrivals, arrivals_receiver) = mpsc::channel(config.arrivals_waiting_max.max(1));
            shards.push(ShardHandle { frames, door: Door { arrivals, shared: Arc::default() } });
            receivers.push((frames_receiver, arrivals_receiver));
        }
        let doors: Vec<_> = shards.iter().map(|shard| shard.door.clone()).collect();
        let feeds = receivers.into_iter().enumerate().map(|(number, (frames, arrivals))| Feed {
            number,
            neighbours: doors.clone(),
            frames,
            arrivals,
            phase: phase_receiver.clone(),
            inbox: inbox.clone(),
            batch_len_max: config.batch_len_max,
        });
        let distributor = Distributor { shards: shards.clone(), metrics: Arc::clone(&metrics) };
        let mut listeners = place(listeners, shards.len());
        let mut threads = Vec::new();
        for feed in feeds {
            let number = feed.number;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
            let acceptors = acceptors(&runtime, std::mem::take(&mut listeners[number]))?;
            let common = Arc::clone(&common);
            let distributor = distributor.clone();
            let thread =
                std::thread::Builder::new().name(format!("evertick-io-{number}")).spawn(move || {
                    LocalSet::new().block_on(&runtime, async move {
                        let last_packets: Vec<_> = acceptors.iter().map(Acceptor::last_packets).collect();
                        for acceptor in acceptors {
                            tokio::task::spawn_local(distributor.clone().accept(
                                number,
                                acceptor,
                                feed.phase.clone(),
                            ));
                        }
                        drop(distributor);
                        let phase = feed.phase.clone();
                        let mut running = common.running.subscribe();
                        let cut_off = shard::run(Arc::clone(&common), feed).await;
                        common.running.send_modify(|running| *running -= 1);
                        let deadline = phase.borrow().deadline() + LAST_PACKETS_TIME_MAX;
                        let others = running.wait_for(|running| *running == 0);
                        let _one_hangs = tokio::time::timeout_at(deadline, others).await;
                        for last in last_packets {
                            last.sent(LAST_PACKETS_TIME_MAX).await;
                        }
                        cut_off
                    })
                })?;
            threads.push(thread);
        }
        Ok(GatewayHandle { distributor, phase, threads })
    }
}

/// Which shard accepts on which listeners.
fn place(listeners: Vec<Listener>, shards: usize) -> Vec<Vec<Listener>> {
    let mut placed: Vec<Vec<Listener>> = (0..shards).map(|_| Vec::new()).collect();
    let mut quic_ports = 0;
    for listener in listeners {
        let shard = match listener.quic_offer() {
            Some(_) => {
                quic_ports += 1;
                (quic_ports - 1) % shards
            }
            None => 0,
        };
        placed[shard].push(listener);
    }
    placed
}

fn acceptors(runtime: &Runtime, listeners: Vec<Listener>) -> io::Result<Vec<Acceptor>> {
    let _entered = runtime.enter();
    listeners.into_iter().map(Listener::into_acceptor).collect()
}

/// The sending ends of one shard.
#[derive(Clone, Debug)]
struct ShardHandle {
    frames: mpsc::Sender<(Arc<Frame>, Audience)>,
    door: Door,
}

/// Gives each connection that is bound to no shard to the one with the fewest.
#[derive(Clone, Debug)]
struct Distributor {
    shards: Vec<ShardHandle>,
    metrics: Arc<Metrics>,
}

impl Distributor {
    /// Accepts, on shard `own`.
    async fn accept(self, own: usize, mut acceptor: Acceptor, mut phase: watch::Receiver<Phase>) {
        let bound_to = acceptor.keeps_connections().then(|| &self.shards[own]);
        loop {
            let incoming = tokio::select! {
                incoming = acceptor.accept() => incoming,
                _ = phase.wait_for(|phase| *phase != Phase::Running) => return,
            };
            match incoming {
                // When it is dropped, that is counted there; the peer sees its connection end.
                Ok(incoming) => {
                    let shard = bound_to.unwrap_or_else(|| self.least_loaded());
                    let _counted = self.hand_over(shard, Arrival::Incoming(incoming));
                }
                Err(turned_away) => {
                    self.metrics.connections_turned_away.add(1);
                    tracing::debug!("{turned_away}");
                }
            }
        }
    }

    fn least_loaded(&self) -> &ShardHandle {
        let load = |shard: &&ShardHandle| shard.door.shared.connections.load(Ordering::Relaxed);
        self.shards.iter().min_by_key(load).expect("there is at least one shard")
    }

    /// `false` when that shard has too many waiting, or is gone.
    fn hand_over(&self, shard: &ShardHandle, arrival: Arrival) -> bool {
        let taken = shard.door.hand_over(arrival);
        if !taken {
            self.metrics.arrivals_dropped.add(1);
        }
        taken
    }
}

/// A running gateway. Dropping it cuts all connections off; [`GatewayHandle::shutdown`] sees them off.
#[derive(Debug)]
pub struct GatewayHandle {
    distributor: Distributor,
    phase: watch::Sender<Phase>,
    threads: Vec<JoinHandle<usize>>,
}

impl GatewayHandle {
    /// Hands a frame to every shard, for its sessions of `audience`. Never waits: when a shard has too many waiting already,
    /// the frame is lost to it, which is counted, and the shard closes its sessions as too slow before it goes on. Costs a
    /// channel send per shard; a shard without sessions that take unconfirmed frames is spared those.
    pub fn publish(&self, frame: &Arc<Frame>, audience: Audience) {
        // A held frame comes twice, and counts once.
        self.metrics().frames_published.add(u64::from(audience != Audience::Confirmed));
        for shard in &self.distributor.shards {
            // A session is counted before the host hears of it, so before a frame can have something for it.
            if audience == Audience::Unconfirmed && shard.door.shared.unconfirmed.load(Ordering::Relaxed) == 0
            {
                continue;
            }
            let sent = shard.frames.try_send((Arc::clone(frame), audience));
            if let Err(mpsc::error::TrySendError::Full(_)) = sent {
                self.metrics().frames_lost.add(1);
                shard.door.shared.lost_frame.store(true, Ordering::Release);
            }
        }
    }

    /// How many frames wait for the shard that is furthest behind. Whoever publishes does well to make fewer and larger ones while there
    /// are several.
    pub fn backlog(&self) -> usize {
        let frames = self.distributor.shards.iter().map(|shard| &shard.frames);
        // One that has ended takes none, and holds up nobody.
        let running = frames.filter(|frames| !frames.is_closed());
        running.map(|frames| frames.max_capacity() - frames.capacity()).max().unwrap_or(0)
    }

    /// Takes up a connection that came by other ways than a listener. `false` when too many wait to be taken up.
    pub fn attach(&self, connection: Box<dyn Connection>) -> bool {
        let shard = self.distributor.least_loaded();
        self.distributor.hand_over(shard, Arrival::Connection(connection))
    }

    /// A connection to this gateway within the process; `None` when too many wait to be taken up.
    pub fn loopback(&self) -> Option<Loopback> {
        let (server, client) = loopback(&Limits::SERVER, &Limits::CLIENT);
        self.attach(Box::new(server)).then_some(client)
    }

    /// What the gateway counts.
    pub fn metrics(&self) -> &Metrics {
        &self.distributor.metrics
    }

    /// Delivers the frames that were published, closes all sessions with `Shutdown`, and ends the threads, at the latest
    /// `within` from now. Returns how many connections had to be cut off. Blocks.
    pub fn shutdown(self, within: Duration) -> usize {
        self.phase.send_replace(Phase::Stopping(Instant::now() + within));
        let mut cut_off = 0;
        for thread in self.threads {
            match thread.join() {
                Ok(count) => cut_off += count,
                Err(_) => tracing::error!("a shard of the gateway had panicked; its sessions were lost"),
            }
        }
        cut_off
    }
}
