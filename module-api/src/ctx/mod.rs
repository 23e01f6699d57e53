//! What a reducer can do.

pub(crate) use read::{find, near};

mod call;
mod read;
mod write;

use std::marker::PhantomData;

use evertick_schema::{
    Duration, EntityId, Field, Identity, RowError, RowReader, RowWriter, SessionId, Timestamp, Type,
};

use crate::errors::Missing;
use crate::rng::Rng;
use crate::sys;

/// One reducer call: who called and when, and everything that it can read and write.
///
/// All writes are one transaction. They are visible to the call's own reads at once, and to everybody else when it
/// returns `Ok`. When it returns a refusal or panics, nothing of it remains.
///
/// Each read and write is one call of the host: 5 to 50 ns.
#[derive(Debug)]
pub struct Ctx {
    now: Timestamp,
    session: SessionId,
    sender: Identity,
    rng: Option<Rng>,
    /// It belongs to the thread that runs the module.
    thread: PhantomData<*const ()>,
}

impl Ctx {
    pub(crate) fn new(now: Timestamp, session: SessionId, sender: Identity) -> Self {
        Self { now, session, sender, rng: None, thread: PhantomData }
    }

    /// The time of the call. It stands still while the reducer runs.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Who called; [`Identity::NONE`] when it is a timer or the server.
    pub fn sender(&self) -> Identity {
        self.sender
    }

    /// The caller's connection; [`SessionId::NONE`] when it is a timer or the server.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// The caller's entity: the one with a [`Player`](crate::Player) row of their identity.
    ///
    /// # Errors
    ///
    /// [`Missing`] when there is none, as before a `connect` reducer has spawned it.
    pub fn player(&self) -> Result<EntityId, Missing> {
        let missing = Missing { row: "evertick.Player" };
        if !self.sender.is_some() {
            return Err(missing);
        }
        let row = sys::row_number::<crate::Player>();
        let mut found = [0; 40];
        let len = sys::find(row, 0, &self.sender.0, &mut found);
        let [a, b, c, d, e, f, g, h, ..] = found;
        if len < 0 { Err(missing) } else { Ok(EntityId(u64::from_le_bytes([a, b, c, d, e, f, g, h]))) }
    }

    /// Random numbers, seeded for this call.
    pub fn rng(&mut self) -> &mut Rng {
        self.rng.get_or_insert_with(|| Rng::from_seed(sys::random()))
    }
}

/// Names a call that [`Ctx::after`] has scheduled. It may stand in rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct TimerId(pub u64);

impl Field for TimerId {
    const SIZE: usize = 8;
    const FLAT: bool = true;

    fn ty() -> Type {
        Type::U64
    }

    fn write(&self, row: &mut RowWriter<'_>, at: usize) {
        self.0.write(row, at);
    }

    fn read(row: &RowReader<'_>, at: usize) -> Result<Self, RowError> {
        Ok(Self(u64::read(row, at)?))
    }
}

/// The time `delay` after `now`.
pub(crate) fn later(now: Timestamp, delay: Duration) -> Timestamp {
    now + delay
}
