//! Who makes the world do something, and what they leave to be done: calls, sessions' wishes.

use std::sync::Arc;

use evertick_schema::{EntityId, Identity, SessionId, Timestamp};

use crate::place::Place;

/// Who calls a reducer. The default is the server itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Whose call it is; [`Identity::NONE`] is the server: a timer, `init`.
    pub identity: Identity,
    /// The session it came through; [`SessionId::NONE`] without one.
    pub session: SessionId,
    /// The roles that authentication gave the caller.
    pub roles: Arc<[String]>,
}

impl Default for Caller {
    fn default() -> Self {
        Self { identity: Identity::NONE, session: SessionId::NONE, roles: Arc::new([]) }
    }
}

/// Why a transaction runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cause {
    /// Who called.
    pub caller: Caller,
    /// The time of the call, as the world is to see it.
    pub now: Timestamp,
}

/// A reducer to be called, with its arguments as one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedCall {
    /// The module's position among the simulation's modules.
    pub module: u16,
    /// The reducer's position in the module's description.
    pub reducer: u32,
    /// The arguments.
    pub args: Vec<u8>,
}

/// A call that was detached from another: it is to run after it, as its own transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedCall {
    /// The module's position among the simulation's modules.
    pub module: u16,
    /// The reducer's position in the module's description.
    pub reducer: u32,
    /// The arguments.
    pub args: Vec<u8>,
    /// Who called the reducer that detached it.
    pub caller: Caller,
}

/// What a session looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Focus {
    /// Nothing.
    #[default]
    None,
    /// What is around an entity, wherever it goes.
    Entity {
        /// The entity.
        entity: EntityId,
        /// Metres around it.
        radius: f32,
    },
    /// What is around a point.
    Point {
        /// The point.
        place: Place,
        /// Metres around it.
        radius: f32,
    },
}

/// What a transaction asked for a session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SessionOp {
    /// The session.
    pub session: SessionId,
    /// What it asked.
    pub wish: SessionWish,
}

/// What may be asked for a session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SessionWish {
    /// To look there.
    Focus(Focus),
    /// To see what is visible to this group.
    Join(u64),
    /// To see it no more.
    Leave(u64),
}
