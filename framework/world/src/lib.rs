//! The state of a game world, on bevy_ecs.

mod cause;
mod changes;
mod columns;
mod config;
mod delta;
mod diff;
mod error;
mod grid;
mod ids;
mod index;
mod key;
mod log;
mod nearby;
mod place;
mod random;
mod reads;
mod registry;
mod row;
mod store;
mod tables;
mod timers;
mod tx;
mod undo;
mod world;
mod write;

pub use cause::{Caller, Cause, Focus, QueuedCall, SessionOp, SessionWish, TimedCall};
pub use changes::Changes;
pub use columns::VariableColumn;
pub use config::{
    COMMIT_BYTES_MAX, COMMIT_CHANGES_MAX, Config, DETACHED_MAX, EVENTS_MAX, Limits, ROWS_PER_TYPE_MAX,
    SESSION_OPS_MAX, TIMERS_MAX, TX_BYTES_MAX, TX_CHANGES_MAX,
};
pub use delta::{CellMove, Delta, Event, RowDelta};
pub use error::{ApplyError, Inconsistency, WriteError};
pub use place::{Cell, Place};
pub use registry::{ROW_TYPES_MAX, RegisterError};
pub use row::{RowId, RowType};
pub use timers::{DueTimer, TimerId, TimerOp};
pub use tx::Tx;
pub use world::World;
