//! The step, over and over.

use std::sync::Arc;
use std::time::Instant;

use evertick_durability::{CauseRef, Journal, LogError, Opened};
use evertick_interest::Interest;
use evertick_metrics::Recent;
use evertick_protocol::IngressBatch;
use evertick_schema::{ModuleDescription, RateDef, SessionId, Timestamp};
use evertick_world::{Caller, Delta, Fault, Simulation};
use hashbrown::HashMap;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{Receiver, Sender, error::TryRecvError};
use tokio::time::sleep_until;

use crate::clock::Clock;
use crate::config::HostConfig;
use crate::control::{Control, Request};
use crate::disk::{Disk, Health};
use crate::input::Inputs;
use crate::metrics::{HostMetrics, Phases};
use crate::pace::Pace;
use crate::rate::RateLimits;
use crate::release::{FRAMES_HELD_MAX, FRAMES_PROMPT_MAX, Release};

/// One world and the loop that drives it.
pub struct Host {
    pub(crate) config: HostConfig,
    pub(crate) simulation: Simulation,
    pub(crate) interest: Interest,
    pub(crate) reducers: Vec<Option<RateDef>>,
    pub(crate) rates: RateLimits,
    pub(crate) inputs: Inputs,
    pub(crate) sessions: HashMap<SessionId, Caller>,
    inbox: Receiver<IngressBatch>,
    /// What was taken from the inbox last; what is left of it is next.
    batch: IngressBatch,
    /// Only waits for the inbox; nothing else runs on it.
    runtime: Runtime,
    pub(crate) release: Release,
    pub(crate) disk: Disk,
    control: Control,
    pub(crate) requests: Receiver<Request>,
    pub(crate) metrics: Arc<HostMetrics>,
    clock: Clock,
    tick_cost_us: u32,
    /// When the first tick was due that no frame has told of yet.
    untold_since: Option<Instant>,
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
        let (control, requests) = Control::new();
        let metrics = release.metrics();
        Ok(Self {
            config,
            simulation,
            interest,
            reducers: description.reducers.iter().map(|reducer| reducer.rate).collect(),
            rates: RateLimits::default(),
            inputs: Inputs::new(description),
            sessions: HashMap::new(),
            inbox,
            batch: IngressBatch::default(),
            runtime,
            release,
            disk: Disk::default(),
            control,
            requests,
            metrics,
            clock: Clock::start(Timestamp(0)),
            tick_cost_us: 0,
            untold_since: None,
            unsent: false,
            last_frame: None,
        })
    }

    /// Keeps the world by `journal`, which has been opened with this host's simulation and with the
    /// [`on_synced`](Release::on_synced) of its release. Sessions that were open at a crash are seen off when it runs.
    pub fn keep(&mut self, journal: Journal, opened: Opened) {
        self.clock = Clock::start(opened.time);
        self.disk = Disk::new(journal, opened.sessions);
    }

    /// For an operator's requests.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// The counters, live.
    pub fn metrics(&self) -> Arc<HostMetrics> {
        Arc::clone(&self.metrics)
    }

    /// Runs until every sender of the inbox is dropped, then closes the journal: an error says that the disk does not have
    /// all that was done, though all that was confirmed. Call it on a thread of its own, outside of any async runtime.
    pub fn run(mut self) -> Result<(), LogError> {
        let mut pace = Pace::new(Instant::now(), self.config.tick, self.config.catch_up_ticks_max);
        self.see_off_departed();
        loop {
            let now = Instant::now();
            let due = pace.due(now);
            self.metrics.ticks_dropped.add(due.dropped);
            if self.disk_works() {
                for tick in 0..due.ticks {
                    let late = due.lateness.saturating_sub(self.config.tick * tick);
                    self.metrics.ticks_late.add(u64::from(late > self.config.late_after));
                    self.tick();
                }
                if due.ticks > 0 && self.untold_since.is_none() {
                    self.untold_since = now.checked_sub(due.lateness);
                }
            } else {
                self.metrics.ticks_dropped.add(due.ticks.into());
                self.disk.slice(&self.simulation);
            }
            if due.ticks > 0 {
                self.answer_operator();
                if let Some(storage) = self.disk.count(&self.release) {
                    self.metrics.record_storage(storage);
                }
            }
            let next = self.messages_until(pace.next());
            if self.unsent && self.frame_is_due(&next) {
                self.frame();
            }
            if matches!(next, Next::Stop) {
                break;
            }
        }
        if self.disk_works() {
            self.see_off_departed();
        }
        match self.disk.journal {
            Some(journal) => journal.close(&self.simulation),
            None => Ok(()),
        }
    }

    /// Whether the world may change. When it may again, what could not be done meanwhile is made up for.
    fn disk_works(&mut self) -> bool {
        match self.disk.look(&self.release, self.config.sync_wait_max) {
            Health::Works => true,
            Health::Fails => false,
            Health::Recovered => {
                self.see_off_departed();
                true
            }
        }
    }

    /// Runs the disconnect reducers of sessions that are gone: since a crash, or while the disk failed.
    fn see_off_departed(&mut self) {
        let departed = self.disk.take_departed();
        if departed.is_empty() {
            return;
        }
        let now = self.clock.now();
        for caller in &departed {
            self.see_off(caller, now);
        }
        self.commit(now);
    }

    /// Whether another frame is worth making: at once when the loop is idle and neither the disk nor the gateway is behind, else when the last one is
    /// old enough.
    fn frame_is_due(&self, next: &Next) -> bool {
        let waiting = self.release.waiting_frames();
        (waiting < FRAMES_PROMPT_MAX && matches!(next, Next::Idle))
            || (waiting < FRAMES_HELD_MAX
                && self.last_frame.is_none_or(|last| last.elapsed() >= self.config.frame_interval()))
    }

    fn tick(&mut self) {
        let start = Instant::now();
        let now = self.clock.now();
        self.run_inputs(now);
        let stepping = self.passed(start, |phases| &phases.inputs);
        self.disk.cause(now, CauseRef::Tick);
        let report = self.simulation.tick(now);
        let committing = self.passed(stepping, |phases| &phases.step);
        self.metrics.timers.add(u64::from(report.timers_fired));
        self.metrics.systems.add(u64::from(report.systems_run));
        self.metrics.commands_skipped.add(report.commands_skipped);
        self.commit(now);
        self.passed(committing, |phases| &phases.commit);
        self.disk.slice(&self.simulation);
        let took = start.elapsed();
        self.tick_cost_us = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        self.metrics.ticks.add(1);
        self.metrics.record_tick(took);
    }

    /// Notes how long a phase took that has just ended. Returns now.
    fn passed(&self, since: Instant, phase: impl FnOnce(&Phases) -> &Recent) -> Instant {
        let now = Instant::now();
        phase(&self.metrics.phases).record_time(now - since);
        now
    }

    /// Takes what is in the inbox, up to the bound and until `wake`, and commits it together. Waits for the first.
    fn messages_until(&mut self, wake: Instant) -> Next {
        let mut batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            batch = match self.batch_until(wake) {
                Ok(batch) => batch,
                Err(next) => return next,
            };
        }
        let start = Instant::now();
        let now = self.clock.now();
        let works = self.disk.trouble().is_none();
        let (mut aside, mut taken) = (HashMap::new(), 0);
        let next = loop {
            let Some(message) = batch.take() else {
                match self.inbox.try_recv() {
                    Ok(more) => batch = more,
                    Err(_) => break Next::Idle,
                }
                continue;
            };
            if works {
                self.receive(message, now);
            } else {
                self.turn_away(message, &mut aside);
            }
            taken += 1;
            if taken == self.config.batch_len_max || Instant::now() >= wake {
                break Next::More;
            }
        };
        self.batch = batch;
        if works {
            self.commit(now);
            self.passed(start, |phases| &phases.calls);
        } else if !aside.is_empty() {
            self.release.tell(aside);
        }
        next
    }

    /// The next batch of the inbox; waits for it, unless a frame can be sent instead.
    fn batch_until(&mut self, wake: Instant) -> Result<IngressBatch, Next> {
        let waiting = self.release.waiting_frames();
        if self.unsent && waiting < FRAMES_PROMPT_MAX {
            return self.inbox.try_recv().map_err(|error| match error {
                TryRecvError::Empty => Next::Idle,
                TryRecvError::Disconnected => Next::Stop,
            });
        }
        let mut until = wake;
        if let (true, Some(last)) = (self.unsent && waiting < FRAMES_HELD_MAX, self.last_frame) {
            until = until.min(last + self.config.frame_interval());
        }
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                batch = self.inbox.recv() => batch.ok_or(Next::Stop),
                () = self.release.prompt(), if self.unsent => Err(Next::Idle),
                () = sleep_until(until.into()) => Err(Next::Idle),
            }
        })
    }

    fn commit(&mut self, now: Timestamp) {
        let delta: Delta = self.simulation.commit(now);
        self.log_faults();
        self.metrics.commits.add(1);
        self.disk.commit(&mut self.simulation, &delta);
        self.interest.absorb(self.simulation.world(), &delta);
        self.simulation.world_mut().recycle(delta);
        // Even when nothing changed: pings are answered with the last frame's time.
        self.unsent = true;
    }

    pub(crate) fn log_faults(&mut self) {
        for Fault { id, name, fault } in self.simulation.take_faults() {
            self.metrics.faults.add(1);
            tracing::error!(id, %name, kind = ?fault.kind, "{}\n{}", fault.message, fault.backtrace);
        }
    }

    fn frame(&mut self) {
        let start = Instant::now();
        let frame = self.interest.frame(self.simulation.world(), self.clock.now(), self.tick_cost_us);
        self.passed(start, |phases| &phases.frame);
        self.release.submit(frame, self.disk.take_awaited(), self.untold_since.take());
        self.metrics.frames.add(1);
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
