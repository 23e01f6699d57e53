//! A shard: one thread, one single-threaded runtime, its connections and sessions.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use evertick_protocol::{Audience, CACHE_LINE_BYTES, CloseCode, Frame, IngressBatch};
use evertick_schema::SessionId;
use evertick_transport::{Connection, Incoming};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::auth::Authenticate;
use crate::clock::Clock;
use crate::config::{ServerDescription, SessionLimits};
use crate::intake;
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::packing::Packer;
use crate::resume::{Directory, Resumption};
use crate::roster::Roster;
use crate::session::{End, Session};

/// Sessions that are handed a frame before what clients say gets a turn.
const SESSIONS_AT_ONCE: usize = 64;
/// What delivering needs of a session is fetched while so many before it are handed the frame; and what that leads to, while so many are.
const SESSIONS_AHEAD: [usize; 2] = [8, 4];
/// With more sessions than these, a frame is spread over [`GatewayConfig::spread_time`](crate::GatewayConfig::spread_time), so that the network and the clients' messages see no bursts.
const SESSIONS_UNSPREAD_MAX: usize = 256;
/// Timers are not finer than this, and late by as much.
const TIMER_STEP: Duration = Duration::from_millis(1);

/// A connection that a shard is to take up.
pub(crate) enum Arrival {
    /// From a listener, before its handshake.
    Incoming(Incoming),
    /// Ready to use.
    Connection(Box<dyn Connection>),
    /// Of a session that is this shard's.
    Resumption(Box<Resumption>),
}

/// Where connections for a shard are handed in.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) arrivals: mpsc::Sender<Arrival>,
    pub(crate) shared: Arc<Shared>,
}

impl Door {
    /// `false` when the shard has too many waiting, or is gone.
    pub(crate) fn hand_over(&self, arrival: Arrival) -> bool {
        self.shared.connections.fetch_add(1, Ordering::Relaxed);
        let taken = self.arrivals.try_send(arrival).is_ok();
        if !taken {
            self.shared.connections.fetch_sub(1, Ordering::Relaxed);
        }
        taken
    }
}

/// What the gateway's handle and a shard share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Set when a frame could not be queued: what the sessions know has a hole now.
    pub(crate) lost_frame: AtomicBool,
    /// Connections that are the shard's, those that wait to be taken up included.
    pub(crate) connections: AtomicUsize,
    /// Sessions that take unconfirmed frames. While there is none, such frames are not sent here.
    pub(crate) unconfirmed: AtomicUsize,
}

/// Whether the gateway goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Running,
    /// Everything is closed; what is not done by then is cut off.
    Stopping(Instant),
}

impl Phase {
    /// When everything has to be done; now, when nobody said.
    pub(crate) fn deadline(self) -> Instant {
        match self {
            Self::Stopping(deadline) => deadline,
            Self::Running => Instant::now(),
        }
    }
}

/// What all sessions of all shards share.
pub(crate) struct Common {
    pub(crate) limits: SessionLimits,
    pub(crate) auth: Arc<dyn Authenticate>,
    pub(crate) description: Arc<ServerDescription>,
    pub(crate) metrics: Arc<Metrics>,
    /// The next session's id.
    pub(crate) next_session: AtomicU64,
    pub(crate) parked_sessions_max: usize,
    pub(crate) spread_time: Duration,
    pub(crate) directory: Directory,
    /// How many shards have not stopped. A connection's socket is of the shard that took it up, even when its session is of another:
    /// so none goes before all are done.
    pub(crate) running: watch::Sender<usize>,
}

/// What the sessions of one shard share.
pub(crate) struct Shard {
    /// Its place among all.
    pub(crate) number: usize,
    /// All, this one too.
    pub(crate) neighbours: Vec<Door>,
    pub(crate) common: Arc<Common>,
    pub(crate) phase: watch::Receiver<Phase>,
    /// Of the last frame that all sessions have been handed.
    confirmed: Cell<Clock>,
    /// Of the last frame that only those without patience have been handed.
    unconfirmed: Cell<Clock>,
    pub(crate) sessions: RefCell<Roster>,
    /// How many of them were behind when they were handed the last frame.
    behind: Cell<u64>,
    /// On its way to the host.
    pub(crate) outbox: Outbox,
    pub(crate) shared: Arc<Shared>,
}

/// What a shard is fed with.
pub(crate) struct Feed {
    /// The shard's place among all.
    pub(crate) number: usize,
    /// All shards'.
    pub(crate) neighbours: Vec<Door>,
    pub(crate) frames: mpsc::Receiver<(Arc<Frame>, Audience)>,
    pub(crate) arrivals: mpsc::Receiver<Arrival>,
    pub(crate) phase: watch::Receiver<Phase>,
    /// The host's.
    pub(crate) inbox: mpsc::Sender<IngressBatch>,
    /// Calls in one batch for the host.
    pub(crate) batch_len_max: usize,
}

/// Runs a shard until it is told to stop and its sessions are gone, within a `LocalSet`. Returns how many connections had to
/// be cut off.
pub(crate) async fn run(common: Arc<Common>, mut feed: Feed) -> usize {
    let shared = Arc::clone(&feed.neighbours[feed.number].shared);
    let shard = Rc::new(Shard {
        number: feed.number,
        neighbours: feed.neighbours,
        common,
        phase: feed.phase.clone(),
        confirmed: Cell::default(),
        unconfirmed: Cell::default(),
        sessions: RefCell::default(),
        behind: Cell::default(),
        outbox: Outbox::new(feed.inbox, feed.batch_len_max),
        shared,
    });
    let hand_over = tokio::task::spawn_local({
        let shard = Rc::clone(&shard);
        async move { shard.outbox.run().await }
    });
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            // What takes no time comes first: a shard that always has a frame waiting still stops, and its handshakes begin.
            biased;
            _ = feed.phase.changed() => break,
            Some(done) = tasks.join_next() => shard.forget(done),
            Some(arrival) = feed.arrivals.recv() => {
                tasks.spawn_local(intake::run(Rc::clone(&shard), arrival));
            }
            frame = feed.frames.recv() => match frame {
                Some((frame, audience)) => shard.deliver(&frame, audience, &mut feed.frames).await,
                None => break, // the handle was dropped
            },
        }
    }
    while let Ok((frame, audience)) = feed.frames.try_recv() {
        shard.deliver(&frame, audience, &mut feed.frames).await;
    }
    let deadline = feed.phase.borrow().deadline();
    shard.end_all(CloseCode::Shutdown, "the server stops; connect again in a while");
    let all_gone = async {
        while let Some(done) = tasks.join_next().await {
            shard.forget(done);
        }
    };
    let _cut_off = tokio::time::timeout_at(deadline, all_gone).await;
    shard.outbox.end();
    // A host that takes nothing any more need not know.
    let _not_taken = tokio::time::timeout_at(deadline, hand_over).await;
    tasks.len()
}

impl Shard {
    /// What a session knows of the world's time.
    pub(crate) fn clock(&self, session_unconfirmed: bool) -> Clock {
        let (confirmed, ahead) = (self.confirmed.get(), self.unconfirmed.get());
        // Frames that went to everyone at once have moved only the first.
        if session_unconfirmed && ahead.time > confirmed.time { ahead } else { confirmed }
    }

    /// Gives a frame to every session of `audience`. When one was lost before it, the sessions are closed instead: they'd
    /// apply it to rosters they don't have.
    async fn deliver(
        &self,
        frame: &Frame,
        audience: Audience,
        frames: &mut mpsc::Receiver<(Arc<Frame>, Audience)>,
    ) {
        let clock = if audience == Audience::Unconfirmed { &self.unconfirmed } else { &self.confirmed };
        let now = std::time::Instant::now();
        clock.set(clock.get().after(frame, now));
        // Acquire pairs with the publisher's Release: whoever sees a frame behind a hole sees the flag too.
        if self.shared.lost_frame.swap(false, Ordering::Acquire) {
            while frames.try_recv().is_ok() {}
            let count =
                self.end_all(CloseCode::TooSlow, "the server's connections are overloaded; connect again");
            self.common.metrics.sessions_lost_frames.add(count as u64);
            tracing::warn!(sessions = count, "a shard fell behind and closed its sessions");
            return;
        }
        if self.number == 0 && audience != Audience::Unconfirmed {
            self.count_encoded(frame);
        }
        let mut behind = 0;
        // Sessions that come while others get the frame have nothing in it: the host has not heard of them.
        let (len, last) = {
            let sessions = self.sessions.borrow();
            (sessions.all().len(), sessions.all().last().map(|entry| entry.0))
        };
        if len > SESSIONS_UNSPREAD_MAX {
            warm_up(frame);
        }
        let mut packer = Packer::new(frame);
        let chunks = len.div_ceil(SESSIONS_AT_ONCE);
        let mut left = last.map(|last| SessionId(0)..=last);
        for number in 0_u32.. {
            let Some(ids) = left else { break };
            if number > 0 {
                // What clients say is heard in between.
                tokio::task::yield_now().await;
            }
            // The next frame waits already: no time to lose.
            if chunks * SESSIONS_AT_ONCE > SESSIONS_UNSPREAD_MAX && frames.is_empty() {
                let due = now + self.common.spread_time.mul_f64(f64::from(number) / chunks as f64);
                if due.saturating_duration_since(std::time::Instant::now()) >= TIMER_STEP {
                    tokio::time::sleep_until(due.into()).await;
                }
            }
            // A stretch of writes: the runtime's budget for one task would have them refused half-way.
            let pack = tokio::task::unconstrained(poll_fn(|_| {
                Poll::Ready(self.deliver_to_some(frame, audience, ids.clone(), &mut packer, now))
            }));
            let (done, behind_now) = pack.await;
            behind += behind_now;
            packer.tally.tell(&self.common.metrics);
            let next = done.filter(|done| done < ids.end());
            left = next.map(|done| SessionId(done.0 + 1)..=*ids.end());
        }
        let before = self.behind.replace(behind);
        self.common.metrics.sessions_behind.sub(before);
        self.common.metrics.sessions_behind.add(behind);
    }

    /// Counts what the world has encoded, once for all shards.
    fn count_encoded(&self, frame: &Frame) {
        let (mut ordered, mut events) = (0, 0);
        for (_, blocks) in frame.topics.all_blocks() {
            ordered += blocks.ordered.as_ref().map_or(0, Bytes::len);
            events += blocks.events.as_ref().map_or(0, Bytes::len);
        }
        let metrics = &self.common.metrics;
        metrics.encoded_ordered.add(ordered as u64);
        metrics.encoded_events.add(events as u64);
        metrics.encoded_states.add(frame.topics.state_bytes().len() as u64);
    }

    /// Gives a frame to the first of these sessions. Returns which was the last, if there are any, and how many were behind then.
    fn deliver_to_some<'f>(
        &self,
        frame: &'f Frame,
        audience: Audience,
        ids: RangeInclusive<SessionId>,
        packer: &mut Packer<'f>,
        now: std::time::Instant,
    ) -> (Option<SessionId>, u64) {
        let mut behind = 0;
        let sessions = self.sessions.borrow();
        let some = sessions.first_of(&ids, SESSIONS_AT_ONCE);
        // Nothing of a session is in the near caches any more.
        let [far, near] = SESSIONS_AHEAD;
        for at in 0..some.len() + far {
            if let Some((_, session)) = some.get(at) {
                Session::prefetch(session.as_ptr());
            }
            if let Some((_, session)) = at.checked_sub(far - near).and_then(|at| some.get(at)) {
                session.borrow().prefetch_rest();
            }
            let Some((_, session)) = at.checked_sub(far).and_then(|at| some.get(at)) else { continue };
            let mut session = session.borrow_mut();
            if audience.has(session.unconfirmed) {
                session.deliver(frame, packer, now, &self.outbox, &self.common.metrics);
            }
            behind += u64::from(session.is_behind());
        }
        (some.last().map(|entry| entry.0), behind)
    }

    /// Ends every session, and returns how many had not ended already.
    fn end_all(&self, code: CloseCode, message: &str) -> usize {
        let sessions = self.sessions.borrow();
        sessions
            .all()
            .iter()
            .filter(|(_, session)| session.borrow_mut().end(End::close(code, message)))
            .count()
    }

    fn forget(&self, done: Result<(), tokio::task::JoinError>) {
        self.shared.connections.fetch_sub(1, Ordering::Relaxed);
        if let Err(error) = done {
            tracing::error!(%error, "a connection's task failed; its session is closed");
        }
    }
}

/// Reads states once from the first to the last. The world's thread has just written them; sessions look them up in no order, and each
/// would wait for another core's cache.
fn warm_up(frame: &Frame) {
    let lines = frame.topics.state_bytes().iter().step_by(CACHE_LINE_BYTES);
    std::hint::black_box(lines.fold(0, |sum: u32, byte| sum.wrapping_add((*byte).into())));
}
