//! The state of a game world, on bevy_ecs.

mod apply;
mod batch;
mod calls;
mod cause;
mod changes;
mod check;
mod columns;
mod commands;
mod commit;
mod compare;
mod config;
mod delta;
mod diff;
mod error;
mod fault;
mod fold;
mod grid;
mod guest;
mod ids;
mod index;
mod key;
mod lend;
mod log;
mod merge;
#[cfg(test)]
mod model_tests;
mod module;
mod nearby;
mod order;
mod params;
mod place;
mod random;
mod reads;
mod registry;
mod row;
mod schedule;
mod simulation;
mod store;
mod sweep;
mod swept;
mod system;
mod tables;
mod timers;
mod tx;
mod undo;
mod view;
mod world;
mod write;

pub use calls::{Call, CallError, CallResult, REFUSAL_MESSAGE_BYTES_MAX};
pub use cause::{Caller, Cause, Focus, QueuedCall, SessionOp, SessionWish, TimedCall};
pub use changes::Changes;
pub use columns::VariableColumn;
pub use commands::COMMAND_BYTES_MAX;
pub use config::{
    COMMIT_BYTES_MAX, COMMIT_CHANGES_MAX, Config, DETACHED_MAX, EVENTS_MAX, Limits, ROWS_PER_TYPE_MAX,
    SESSION_OPS_MAX, TIMERS_MAX, TX_BYTES_MAX, TX_CHANGES_MAX,
};
pub use delta::{CellMove, Delta, Event, RowDelta};
pub use error::{ApplyError, Inconsistency, WriteError};
pub use fault::{FAULTS_MAX, Fault};
pub use guest::{FaultKind, Guest, GuestFault, Outcome};
pub use module::Module;
pub use order::OrderError;
pub use place::{Cell, Place};
pub use registry::{ROW_TYPES_MAX, RegisterError};
pub use row::{RowId, RowType};
pub use simulation::{DETACHED_CHAIN_MAX, Simulation, SimulationError, TIMERS_PER_TICK_MAX, TickReport};
pub use system::SystemName;
pub use timers::{DueTimer, TimerId, TimerOp};
pub use tx::Tx;
pub use view::{ColumnData, ColumnView, ParamView, SystemView, TableKey, TableView, Undeclared};
pub use world::World;
