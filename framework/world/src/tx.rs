//! Transactions.

use std::ops::Deref;

use evertick_schema::{EntityId, RowKind, SessionId, Timestamp, check_row};

use crate::cause::{Caller, Cause};
use crate::cause::{Focus, QueuedCall, SessionOp, SessionWish, TimedCall};
use crate::delta::Event;
use crate::error::WriteError;
use crate::random::Stream;
use crate::row::RowId;
use crate::timers::TimerId;
use crate::world::World;
use crate::write::Mode;

/// A transaction: all of it happens, or nothing.
///
/// Writes are in place, so reads ([`Deref`] to [`World`]) see them at once. Dropped without [`Tx::accept`],
/// the transaction is aborted. Only entity ids it used up stay used.
#[derive(Debug)]
pub struct Tx<'w> {
    world: &'w mut World,
    cause: Cause,
    start: Start,
    /// The first limit that an operation ran into which has no error to return.
    over: Option<WriteError>,
    open: bool,
}

/// What an abort goes back to, beside the log.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) events: usize,
    pub(crate) sessions: usize,
    pub(crate) timers: usize,
    pub(crate) detached: usize,
    random: Stream,
}

impl Deref for Tx<'_> {
    type Target = World;

    fn deref(&self) -> &World {
        self.world
    }
}

impl<'w> Tx<'w> {
    pub(crate) fn new(world: &'w mut World, cause: Cause) -> Self {
        let store = &mut world.store;
        store.start = store.log.mark();
        let start = Start {
            events: store.events.len(),
            sessions: store.sessions.len(),
            timers: store.timers.mark(),
            detached: store.detached.len(),
            random: store.random.clone(),
        };
        Self { world, cause, start, over: None, open: true }
    }

    /// Where its part of what is to be committed begins, but for the log's, which the world has.
    pub(crate) fn start(&self) -> &Start {
        &self.start
    }

    /// Who called.
    pub fn caller(&self) -> &Caller {
        &self.cause.caller
    }

    /// The time of the call.
    pub fn now(&self) -> Timestamp {
        self.cause.now
    }

    /// A new entity without rows. [`EntityId::NONE`] over a limit: see [`Tx::over_limit`].
    pub fn spawn(&mut self) -> EntityId {
        let spawned = self.world.spawn_entity();
        self.within_limit(spawned).unwrap_or(EntityId::NONE)
    }

    /// Removes an entity with all its rows; `false` if there is none, or over a limit.
    pub fn despawn(&mut self, entity: EntityId) -> bool {
        let despawned = self.world.despawn_entity(entity);
        self.within_limit(despawned).unwrap_or(false)
    }

    /// Gives `entity` the row, whether it has one or not. Of a table or resource, the row must be there.
    pub fn set(&mut self, row: RowId, entity: EntityId, bytes: &[u8]) -> Result<(), WriteError> {
        self.world.put(row, entity, bytes, Mode::Set)
    }

    /// Gives `entity` a row that it must not have.
    pub fn insert(&mut self, row: RowId, entity: EntityId, bytes: &[u8]) -> Result<(), WriteError> {
        self.world.put(row, entity, bytes, Mode::Insert)
    }

    /// Replaces a row that `entity` must have.
    pub fn update(&mut self, row: RowId, entity: EntityId, bytes: &[u8]) -> Result<(), WriteError> {
        self.world.put(row, entity, bytes, Mode::Update)
    }

    /// Adds a table's row, or sets the one row of a resource; returns the row's entity.
    pub fn insert_row(&mut self, row: RowId, bytes: &[u8]) -> Result<EntityId, WriteError> {
        self.world.put_keyed(row, bytes)
    }

    /// Removes a row; `false` if there is none, or over a limit. A table's or resource's row goes with its
    /// entity.
    pub fn remove(&mut self, row: RowId, entity: EntityId) -> bool {
        let removed = self.world.remove_row(row, entity);
        self.within_limit(removed).unwrap_or(false)
    }

    /// Sends an event with the commit.
    pub fn emit(&mut self, row: RowId, bytes: &[u8]) -> Result<(), WriteError> {
        let store = &mut self.world.store;
        let Some(of) = store.registry.get(row) else { return Err(WriteError::NoRowType { row: row.0 }) };
        if of.def.kind != RowKind::Event {
            let (row, kind) = (of.name.clone(), "no event");
            return Err(WriteError::WrongKind { row, kind, instead: "set it on an entity or insert it" });
        }
        check_row(&of.layout, bytes).map_err(|error| WriteError::BadRow { row: of.name.clone(), error })?;
        check_limit("events between two commits", store.events.len(), store.config.limits.events)?;
        store.events.push(Event { row, bytes: bytes.into() });
        Ok(())
    }

    /// Calls a reducer at a time, as the server. The arguments are not looked at.
    pub fn after(
        &mut self,
        at: Timestamp,
        module: u16,
        reducer: u32,
        args: &[u8],
    ) -> Result<TimerId, WriteError> {
        let store = &mut self.world.store;
        let max = store.config.limits.timers;
        check_limit("timers", store.timers.len(), max)?;
        check_limit("timers set between two commits", store.timers.mark(), max)?;
        Ok(store.timers.set(at, TimedCall { module, reducer, args: args.to_owned() }))
    }

    /// Cancels a timer; `false` if it has run or was cancelled, or over a limit.
    pub fn cancel(&mut self, timer: TimerId) -> bool {
        let timers = &self.world.store.timers;
        let room =
            check_limit("timers cancelled between two commits", timers.mark(), self.limits().timers * 2);
        self.within_limit(room).is_some() && self.world.store.timers.cancel(timer)
    }

    /// Calls a reducer after this transaction, as its own, with the same caller. It survives [`Tx::refuse`],
    /// but not [`Tx::abort`].
    pub fn detached(&mut self, module: u16, reducer: u32, args: &[u8]) -> Result<(), WriteError> {
        let store = &mut self.world.store;
        check_limit("detached calls", store.detached.len(), store.config.limits.detached)?;
        let caller = self.cause.caller.clone();
        store.detached.push(QueuedCall { module, reducer, args: args.to_owned(), caller });
        Ok(())
    }

    /// Says what a session looks at.
    pub fn focus(&mut self, session: SessionId, focus: Focus) {
        self.wish(session, SessionWish::Focus(focus));
    }

    /// Makes a session see what is visible to `group`.
    pub fn join(&mut self, session: SessionId, group: u64) {
        self.wish(session, SessionWish::Join(group));
    }

    /// Ends what [`Tx::join`] began.
    pub fn leave(&mut self, session: SessionId, group: u64) {
        self.wish(session, SessionWish::Leave(group));
    }

    /// 64 random bits, from the world's seed.
    pub fn random(&mut self) -> u64 {
        self.world.store.random.next()
    }

    /// The first limit that an operation ran into which has no error to return ([`Tx::spawn`],
    /// [`Tx::despawn`], [`Tx::remove`], [`Tx::cancel`], wishes of sessions). The transaction can no longer be
    /// accepted.
    pub fn over_limit(&self) -> Option<&WriteError> {
        self.over.as_ref()
    }

    /// Makes it so: the next commit has all of it. An error means that it was aborted instead, because of
    /// [`Tx::over_limit`]. Costs nothing.
    pub fn accept(mut self) -> Result<(), WriteError> {
        match self.over.take() {
            Some(error) => Err(error),
            None => {
                self.open = false;
                Ok(())
            }
        }
    }

    /// Undoes everything but detached calls: what becomes of a call that the reducer refuses.
    pub fn refuse(mut self) {
        self.start.detached = self.world.store.detached.len();
    }

    /// Undoes everything: what becomes of a call that fails.
    pub fn abort(self) {}

    fn wish(&mut self, session: SessionId, wish: SessionWish) {
        let store = &self.world.store;
        let max = store.config.limits.session_ops;
        let room = check_limit("session operations between two commits", store.sessions.len(), max);
        if self.within_limit(room).is_some() {
            self.world.store.sessions.push(SessionOp { session, wish });
        }
    }

    fn within_limit<T>(&mut self, result: Result<T, WriteError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.over.get_or_insert(error);
                None
            }
        }
    }

    fn limits(&self) -> &crate::config::Limits {
        &self.world.store.config.limits
    }
}

impl Drop for Tx<'_> {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        let start = self.world.store.start;
        self.world.undo_to(start);
        let store = &mut self.world.store;
        store.events.truncate(self.start.events);
        store.sessions.truncate(self.start.sessions);
        store.timers.undo_to(self.start.timers);
        store.detached.truncate(self.start.detached);
        store.random = self.start.random.clone();
    }
}

fn check_limit(what: &'static str, count: usize, max: usize) -> Result<(), WriteError> {
    if count < max { Ok(()) } else { Err(WriteError::Limit { what, max }) }
}
