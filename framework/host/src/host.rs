//! The step, over and over.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use evertick_interest::Interest;
use evertick_protocol::{CallOutcome, CallReply, CloseCode, FailCode, Ingress, IngressBatch};
use evertick_schema::{ModuleDescription, RateDef, SessionId, Timestamp};
use evertick_world::{Call, CallError, CallResult, Caller, Delta, Fault, Simulation};
use hashbrown::HashMap;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{Receiver, Sender, error::TryRecvError};
use tokio::time::timeout_at;

use crate::config::HostConfig;
use crate::metrics::{HostMetrics, add};
use crate::pace::Pace;
use crate::rate::RateLimits;
use crate::release::Release;

/// One world and the loop that drives it.
pub struct Host {
    config: HostConfig,
    simulation: Simulation,
    interest: Interest,
    reducers: Vec<Option<RateDef>>,
    rates: RateLimits,
    sessions: HashMap<SessionId, Caller>,
    inbox: Receiver<IngressBatch>,
    /// What was taken from the inbox last; what is left of it is next.
    batch: IngressBatch,
    /// Only waits for the inbox; nothing else runs on it.
    runtime: Runtime,
    release: Release,
    metrics: Arc<HostMetrics>,
    clock: Clock,
    tick_cost_us: u32,
    /// Whether there was a commit that no frame has carried yet.
    unsent: bool,
    last_frame: Option<Instant>,
}

impl Host {
    /// The inbox of a host that is still to be made: bounded, so that senders can tell their client when it is full.
    pub fn inbox(config: &HostConfig) -> (Sender<IngressBatch>, Receiver<IngressBatch>) {
        tokio::sync::mpsc::channel(config.inbox_batches_max.max(1))
    }

    /// A host for a simulation whose `init` has run. `description` is what clients were told; its reducers are
    /// the numbers in [`Ingress::Call`](evertick_protocol::Ingress::Call). Fails when the system has no timer for it.
    pub fn new(
        config: HostConfig,
        simulation: Simulation,
        interest: Interest,
        description: &ModuleDescription,
        inbox: Receiver<IngressBatch>,
        release: Release,
    ) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        Ok(Self {
            config,
            simulation,
            interest,
            reducers: description.reducers.iter().map(|reducer| reducer.rate).collect(),
            rates: RateLimits::default(),
            sessions: HashMap::new(),
            inbox,
            batch: IngressBatch::default(),
            runtime,
            release,
            metrics: Arc::default(),
            clock: Clock::start(),
            tick_cost_us: 0,
            unsent: false,
            last_frame: None,
        })
    }

    /// The counters, live.
    pub fn metrics(&self) -> Arc<HostMetrics> {
        Arc::clone(&self.metrics)
    }

    /// Runs until every sender of the inbox is dropped. Call it on a thread of its own, outside of any async runtime.
    pub fn run(mut self) {
        let mut pace = Pace::new(Instant::now(), self.config.tick, self.config.catch_up_ticks_max);
        loop {
            let due = pace.due(Instant::now());
            add(&self.metrics.ticks_dropped, due.dropped);
            for tick in 0..due.ticks {
                let late = due.lateness.saturating_sub(self.config.tick * tick);
                add(&self.metrics.ticks_late, u64::from(late > self.config.late_after));
                self.tick();
            }
            let next = self.calls_until(pace.next());
            if self.unsent && (matches!(next, Next::Idle) || self.frame_is_due()) {
                self.frame();
            }
            if matches!(next, Next::Stop) {
                break;
            }
        }
        if self.unsent {
            self.frame();
        }
    }

    /// Whether the last frame is old enough for another while the loop is busy.
    fn frame_is_due(&self) -> bool {
        self.last_frame.is_none_or(|last| last.elapsed() >= self.config.frame_interval())
    }

    fn tick(&mut self) {
        let start = Instant::now();
        let now = self.clock.now();
        let report = self.simulation.tick(now);
        add(&self.metrics.timers, u64::from(report.timers_fired));
        add(&self.metrics.systems, u64::from(report.systems_run));
        add(&self.metrics.commands_skipped, report.commands_skipped);
        self.commit(now);
        let took = start.elapsed();
        self.tick_cost_us = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        add(&self.metrics.ticks, 1);
        self.metrics.record_tick(took);
    }

    /// Takes what is in the inbox, up to the bound and until `wake`, and commits it together. Waits for the first.
    fn calls_until(&mut self, wake: Instant) -> Next {
        let mut batch = if self.batch.is_empty() {
            match self.next_batch(wake) {
                Ok(batch) => batch,
                Err(nothing) => return nothing,
            }
        } else {
            std::mem::take(&mut self.batch)
        };
        let now = self.clock.now();
        let (mut taken, mut next) = (0, Next::Idle);
        'batches: loop {
            while let Some(message) = batch.take() {
                self.receive(message, now);
                taken += 1;
                if taken == self.config.batch_len_max || Instant::now() >= wake {
                    next = Next::More;
                    break 'batches;
                }
            }
            match self.inbox.try_recv() {
                Ok(more) => batch = more,
                Err(_) => break,
            }
        }
        self.batch = batch;
        self.commit(now);
        next
    }

    /// The inbox's next batch; waits for it until `wake` when nothing waits to be sent.
    fn next_batch(&mut self, wake: Instant) -> Result<IngressBatch, Next> {
        if self.unsent {
            return self.inbox.try_recv().map_err(|error| match error {
                TryRecvError::Empty => Next::Idle,
                TryRecvError::Disconnected => Next::Stop,
            });
        }
        let wait = async { timeout_at(wake.into(), self.inbox.recv()).await };
        match self.runtime.block_on(wait) {
            Ok(batch) => batch.ok_or(Next::Stop),
            Err(_) => Err(Next::Idle),
        }
    }

    fn receive(&mut self, message: Ingress<'_>, now: Timestamp) {
        match message {
            Ingress::Open { session, identity, roles } => {
                self.open(session, Caller { identity, session, roles }, now);
            }
            Ingress::Call { session, seq, reducer, args } => {
                // A call may still be on its way when its session closes.
                let Some(caller) = self.sessions.get(&session).cloned() else { return };
                let result = self.call(&caller, reducer, args, now);
                self.interest.reply(session, CallReply { seq, result });
            }
            Ingress::Close { session } => self.close(session, now),
        }
    }

    fn open(&mut self, session: SessionId, caller: Caller, now: Timestamp) {
        // Open first, for the focus and the groups that the connect reducer gives it.
        self.interest.open(session, caller.identity);
        let refusal = if self.sessions.len() < self.config.sessions_max {
            match self.simulation.connect(&caller, now) {
                CallResult::Ok(_) => None,
                CallResult::Refused { message, .. } => Some((CloseCode::Unauthorized, message)),
                CallResult::Failed(error) => Some((CloseCode::Internal, error.to_string())),
            }
        } else {
            Some((CloseCode::Unauthorized, "the world is full; try again later".to_owned()))
        };
        match refusal {
            None => {
                self.sessions.insert(session, caller);
            }
            Some((code, message)) => {
                add(&self.metrics.sessions_refused, 1);
                self.interest.reject(session, code, message);
            }
        }
        self.count_sessions();
    }

    fn close(&mut self, session: SessionId, now: Timestamp) {
        let Some(caller) = self.sessions.remove(&session) else { return };
        self.interest.close(session);
        let limited = self.reducers.iter().enumerate().filter(|(_, rate)| rate.is_some());
        self.rates.forget(session, limited.map(|(reducer, _)| reducer as u32));
        self.simulation.disconnect(&caller, now);
        self.count_sessions();
    }

    fn count_sessions(&self) {
        self.metrics.sessions.store(self.sessions.len() as u64, Ordering::Relaxed);
    }

    fn call(&mut self, caller: &Caller, reducer: u32, args: &[u8], now: Timestamp) -> CallOutcome {
        if let Some(Some(rate)) = self.reducers.get(reducer as usize)
            && !self.rates.take(caller.session, reducer, *rate, now)
        {
            add(&self.metrics.calls_failed, 1);
            let message = format!("at most {} calls in {} s", rate.calls, rate.per_us as f64 / 1e6);
            return CallOutcome::Failed { code: FailCode::RateLimited, message, id: 0 };
        }
        let result = self.simulation.call(&Call { module: 0, reducer, args, caller }, now);
        match result {
            CallResult::Ok(bytes) => {
                add(&self.metrics.calls_ok, 1);
                CallOutcome::Ok(bytes.into())
            }
            CallResult::Refused { variant, message, fields } => {
                add(&self.metrics.calls_refused, 1);
                CallOutcome::Refused { variant, message, fields: fields.into() }
            }
            CallResult::Failed(error) => {
                add(&self.metrics.calls_failed, 1);
                self.log_faults();
                failed(&error)
            }
        }
    }

    fn commit(&mut self, now: Timestamp) {
        let delta: Delta = self.simulation.commit(now);
        self.log_faults();
        add(&self.metrics.commits, 1);
        self.interest.absorb(self.simulation.world(), &delta);
        self.simulation.world_mut().recycle(delta);
        // Even when nothing changed: pings are answered with the last frame's time.
        self.unsent = true;
    }

    fn log_faults(&mut self) {
        for Fault { id, name, fault } in self.simulation.take_faults() {
            add(&self.metrics.faults, 1);
            tracing::error!(id, %name, kind = ?fault.kind, "{}\n{}", fault.message, fault.backtrace);
        }
    }

    fn frame(&mut self) {
        let frame = self.interest.frame(self.simulation.world(), self.clock.now(), self.tick_cost_us);
        self.release.submit(frame, None);
        add(&self.metrics.frames, 1);
        self.unsent = false;
        self.last_frame = Some(Instant::now());
    }
}

enum Next {
    /// The inbox was empty.
    Idle,
    /// There may be more in it.
    More,
    /// The loop ends.
    Stop,
}

fn failed(error: &CallError) -> CallOutcome {
    let (code, id) = match error {
        CallError::UnknownReducer => (FailCode::UnknownReducer, 0),
        CallError::Forbidden => (FailCode::Forbidden, 0),
        CallError::BadArguments(_) => (FailCode::BadArguments, 0),
        CallError::Internal { id } => (FailCode::Internal, *id),
    };
    CallOutcome::Failed { code, message: error.to_string(), id }
}

/// The wall clock, made monotonic.
struct Clock {
    start: Instant,
    epoch_us: i64,
}

impl Clock {
    fn start() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { start: Instant::now(), epoch_us: i64::try_from(since.as_micros()).unwrap_or(i64::MAX) }
    }

    fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.start.elapsed().as_micros()).unwrap_or(i64::MAX);
        Timestamp(self.epoch_us.saturating_add(passed))
    }
}
