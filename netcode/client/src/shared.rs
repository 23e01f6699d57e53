//! What the handles of a client and its task share.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use evertick_protocol::{
    CallReply, Changes, FrameMessage, ProtocolError, Replica, Resume, SessionSecret, StateMessage,
};
use evertick_schema::{Identity, SessionId};
use tokio::sync::{Notify, broadcast, watch};

use crate::callbacks::Callbacks;
use crate::connect::Greeting;
use crate::error::{ConnectError, ConnectionState, Disconnected};
use crate::options::ConnectOptions;
use crate::queries::Queries;
use crate::rows::View;
use crate::statistics::Tally;
use crate::streams::{FrameChanges, RowChange};
use crate::timing::Timing;
use crate::types::ModuleTypes;

/// What is kept in step with the replica: told of every change while the replica is locked, and of inputs.
pub(crate) trait Watcher: Send + fmt::Debug {
    /// The replica has been brought to `tick` in part.
    fn follow(&mut self, tick: u64, replica: &Replica, changes: &Changes);

    /// An input of reducer number `reducer` is for `tick`.
    fn input(&mut self, reducer: u32, tick: u64, call: &dyn Any);

    /// The replica starts anew.
    fn clear(&mut self);
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) types: Arc<ModuleTypes>,
    pub(crate) identity: Identity,
    pub(crate) tick_us: u32,
    pub(crate) frames: broadcast::Sender<Arc<FrameChanges>>,
    pub(crate) callbacks: Callbacks,
    pub(crate) tally: Tally,
    pub(crate) state: watch::Sender<ConnectionState>,
    /// What resumes the session.
    resume: Mutex<Resume>,
    /// Written by the task only. A panic while it is written leaves a replica that is merely never updated again.
    pub(crate) replica: RwLock<Replica>,
    replica_bytes_max: usize,
    /// Locked after the replica, if both are, and before watchers never.
    timing: Mutex<Timing>,
    /// Those whose handles are gone are forgotten. Locked after the replica, if both are.
    watchers: Mutex<Vec<Weak<Mutex<dyn Watcher>>>>,
    /// There are inputs to send.
    pub(crate) inputs: Notify,
    pub(crate) queries: Queries,
    /// There are queries to begin or to end.
    pub(crate) requests: Notify,
    pub(crate) stream_frames_max: usize,
    epoch: Instant,
}

/// Locks what is never left half written.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// The state of a session that has just begun.
    pub(crate) fn new(
        types: ModuleTypes,
        greeting: &Greeting,
        results: u64,
        options: &ConnectOptions,
    ) -> Result<Self, ConnectError> {
        let mut replica = Replica::with_bytes_max(&types.module, options.replica_bytes_max)?;
        replica.set_tick_us(greeting.tick_us);
        let &Greeting { session, secret, .. } = greeting;
        let (epoch, mut timing) = (Instant::now(), Timing::new(greeting.tick_us));
        timing.observe(greeting.tick, epoch.elapsed());
        Ok(Self {
            types: Arc::new(types),
            identity: greeting.identity,
            tick_us: greeting.tick_us,
            frames: broadcast::Sender::new(options.stream_frames_max.max(1)),
            callbacks: Callbacks::default(),
            tally: Tally::default(),
            state: watch::Sender::new(ConnectionState::Connected),
            resume: Mutex::new(Resume { session, secret, results }),
            replica: replica.into(),
            replica_bytes_max: options.replica_bytes_max,
            timing: timing.into(),
            watchers: Mutex::default(),
            inputs: Notify::new(),
            queries: Queries::default(),
            requests: Notify::new(),
            stream_frames_max: options.stream_frames_max,
            epoch,
        })
    }

    /// The time since the client began.
    pub(crate) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    pub(crate) fn timing(&self) -> MutexGuard<'_, Timing> {
        lock(&self.timing)
    }

    /// Why the session is over, once it is.
    pub(crate) fn closed(&self) -> Option<Disconnected> {
        self.state.borrow().closed().cloned()
    }

    pub(crate) fn resume(&self) -> Resume {
        *lock(&self.resume)
    }

    /// The session goes on under this name.
    pub(crate) fn set_resume(&self, session: SessionId, secret: SessionSecret, results: u64) {
        *lock(&self.resume) = Resume { session, secret, results };
    }

    /// Calls `read` with the replica as it is; frames wait meanwhile.
    pub(crate) fn read<R>(&self, read: impl FnOnce(View<'_>) -> R) -> R {
        let replica = self.replica.read().unwrap_or_else(PoisonError::into_inner);
        read(View { types: &self.types, replica: &replica })
    }

    /// Adds a watcher, which `make` makes of the replica as it is.
    pub(crate) fn watch<W: Watcher + 'static>(&self, make: impl FnOnce(&Replica) -> W) -> Arc<Mutex<W>> {
        let replica = self.replica.read().unwrap_or_else(PoisonError::into_inner);
        let watcher = Arc::new(Mutex::new(make(&replica)));
        let weak = Arc::downgrade(&watcher);
        lock(&self.watchers).push(weak);
        watcher
    }

    /// Calls `tell` with each watcher.
    pub(crate) fn watchers(&self, mut tell: impl FnMut(&mut dyn Watcher)) {
        lock(&self.watchers).retain(|watcher| {
            let watcher = watcher.upgrade();
            watcher.iter().for_each(|watcher| tell(&mut *lock(watcher)));
            watcher.is_some()
        });
    }

    /// Applies a frame and tells the listeners. Returns the results of calls: their effects are there already.
    pub(crate) fn apply(
        &self,
        frame: FrameMessage<'_>,
        changes: &mut Changes,
    ) -> Result<Vec<CallReply>, ProtocolError> {
        self.change(changes, |replica, changes| replica.apply(frame, changes))?;
        self.tally.frame(changes.iter().count());
        self.tally.clock(changes.tick, changes.time);
        let results = std::mem::take(&mut changes.results);
        lock(&self.resume).results += results.len() as u64;
        Ok(results)
    }

    /// Applies a message of the latest lane and tells the listeners. One that is damaged is dropped and counted.
    pub(crate) fn apply_state(
        &self,
        state: StateMessage<'_>,
        changes: &mut Changes,
    ) -> Result<(), ProtocolError> {
        let mut of_all = Default::default();
        let applied = self.change(changes, |replica, changes| {
            let applied = replica.apply_state(state, changes);
            of_all = replica.state_stats();
            match applied {
                Err(error) if replica.broken().is_some() => Err(error),
                _ => Ok(()),
            }
        });
        self.tally.state(state.tick, changes.iter().count(), of_all);
        applied
    }

    fn change(
        &self,
        changes: &mut Changes,
        apply: impl FnOnce(&mut Replica, &mut Changes) -> Result<(), ProtocolError>,
    ) -> Result<(), ProtocolError> {
        let listeners = self.frames.receiver_count() > 0 || self.callbacks.any();
        let (told, answers) = {
            let mut replica = self.replica.write().unwrap_or_else(PoisonError::into_inner);
            apply(&mut replica, changes)?;
            self.heard_of(changes);
            self.watchers(|watcher| watcher.follow(changes.tick, &replica, changes));
            let answers = self.queries.follow(&replica, changes, &self.types);
            (listeners.then(|| self.collect(&replica, changes)), answers)
        };
        if !changes.queries.is_empty() {
            self.requests.notify_one();
        }
        for (waiting, answer) in answers {
            let _asker_gave_up = waiting.send(answer);
        }
        self.tell(told);
        Ok(())
    }

    /// Keeps the clocks.
    fn heard_of(&self, changes: &Changes) {
        let (mut timing, now) = (self.timing(), self.now());
        timing.observe(changes.tick, now);
        if let Some(ahead) = timing.newer(changes.number, changes.tick, now) {
            self.tally.age(ahead);
        }
    }

    /// Forgets all rows, as a new session begins, and tells the listeners that they are gone.
    pub(crate) fn start_anew(&self) -> Result<(), ConnectError> {
        let mut empty = Replica::with_bytes_max(&self.types.module, self.replica_bytes_max)?;
        empty.set_tick_us(self.tick_us);
        let old = {
            let mut replica = self.replica.write().unwrap_or_else(PoisonError::into_inner);
            self.watchers(|watcher| watcher.clear());
            self.queries.start_anew(&replica, &self.types);
            std::mem::replace(&mut *replica, empty)
        };
        let rows = 0..self.types.module.rows.len() as u32;
        let gone = rows.flat_map(|row| {
            old.rows(row).map(move |(entity, bytes)| RowChange {
                row,
                entity,
                old: Some(Bytes::copy_from_slice(bytes)),
                new: None,
            })
        });
        self.tell(Some(FrameChanges {
            tick: old.tick(),
            time: old.time(),
            changes: gone.collect(),
            events: Vec::new(),
            types: Arc::clone(&self.types),
        }));
        Ok(())
    }

    fn tell(&self, told: Option<FrameChanges>) {
        if let Some(told) = told.filter(|told| !told.is_empty()) {
            self.callbacks.call(&told);
            let _nobody_listens = self.frames.send(Arc::new(told));
        }
    }

    /// The changes with the rows copied, to outlive the next frame.
    fn collect(&self, replica: &Replica, changes: &Changes) -> FrameChanges {
        let rows = changes.iter().map(|change| RowChange {
            row: change.row,
            entity: change.entity,
            old: change.old.map(Bytes::copy_from_slice),
            new: replica.get(change.row, change.entity).map(Bytes::copy_from_slice),
        });
        let events = changes.events().map(|event| (event.row, Bytes::copy_from_slice(event.bytes)));
        FrameChanges {
            tick: changes.tick,
            time: changes.time,
            changes: rows.collect(),
            events: events.collect(),
            types: Arc::clone(&self.types),
        }
    }
}
