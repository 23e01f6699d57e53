//! The state of a game world, on bevy_ecs.
//!
//! A [`World`] holds entities and their rows. Row types are registered at run time ([`World::register`]); each is
//! one bevy component and so one column of bevy's tables. Rows are bytes whose layout `evertick_schema` defines;
//! nothing here knows a Rust type for them.
//!
//! # Who owns what
//!
//! * bevy's world owns the rows. Its entities never leave this crate: outside, an entity is an `EntityId`, which
//!   is never used again.
//! * Beside it stands what rows mean: ids, indexes, the space grid, counts, timers, versions of columns. All of
//!   it follows from the rows, but for the grid's cells, which lag behind places by a margin ([`Cell`]), and
//!   timers. [`World::check`] compares it with the rows.
//! * A [`Tx`] writes in place and keeps in a log what was there; an abort goes back through the log. The log of
//!   accepted transactions lies there until [`World::commit`] turns it into a [`Delta`].
//! * A system's run (see [`Simulation`]) reads whole columns, and hands back changed rows and commands, which go
//!   in when it turned out well.
//! * A [`Delta`] is all that leaves. A second world that applies deltas ([`World::apply`]) is equal to the first.
//! * A world comes back in two ways. [`Restore`] takes a snapshot ([`World::snapshot_slice`]) and what happened
//!   since, tolerantly, and gives the same rows, ids, timers and random numbers. An image
//!   ([`Simulation::write_image`]) keeps the order of things as well: from there on, everything is the same.
//!
//! # What is not here
//!
//! No WebAssembly (guests are behind [`Guest`]), no sockets, no files, no clock and no randomness of the
//! operating system: times and seeds come in. So the same inputs give the same deltas.
//!
//! `unsafe` stands where raw columns are reached, in `columns`, where bevy's `System` asks for it, and where a
//! CPU feature is chosen.

mod apply;
mod batch;
mod build;
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
mod image;
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
mod restart;
mod restore;
mod row;
mod schedule;
mod simulation;
mod snapshot;
mod store;
mod sweep;
mod swept;
mod system;
mod tables;
mod timers;
mod trace;
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
pub use image::ImageError;
pub use module::Module;
pub use order::OrderError;
pub use place::{Cell, Place};
pub use random::RandomState;
pub use registry::{ROW_TYPES_MAX, RegisterError};
pub use restore::{Restore, RestoreError};
pub use row::{RowId, RowType};
pub use simulation::{DETACHED_CHAIN_MAX, Simulation, SimulationError, TIMERS_PER_TICK_MAX, TickReport};
pub use snapshot::{Counters, SnapshotCursor};
pub use system::SystemName;
pub use timers::{DueTimer, TimerId, TimerOp};
pub use trace::{TRACE_ENTRIES_MAX, TraceEntry};
pub use tx::Tx;
pub use view::{ColumnData, ColumnView, ParamView, SystemView, TableKey, TableView, Undeclared};
pub use world::World;
