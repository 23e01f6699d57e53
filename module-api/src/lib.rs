//! What a game's logic is written against: rows, reducers and systems.
//!
//! * A **row type** is a struct with [`#[component]`](macro@component) (keyed by entity),
//!   [`#[table]`](macro@table) (keyed by a field), [`#[resource]`](macro@resource) (there is one row) or
//!   [`#[event]`](macro@event) (sent, never stored).
//! * A **reducer** is a function with [`#[reducer]`](macro@reducer): a transaction that clients, timers and the
//!   server call. It gets a [`Ctx`] and rows as values; when it refuses or panics, nothing of it remains.
//! * A **system** is a function with [`#[system]`](macro@system): it sweeps columns at a fixed rate, through
//!   the parameters [`Query`], [`Table`], [`Res`], [`ResMut`], [`Commands`], [`Near`], [`Now`] and [`Rng`].
//! * [`plugin!`] lists what one file adds; [`export_module!`] puts plugins together to a module.
//!
//! ```
//! use evertick_module::prelude::*;
//!
//! /// Where something stands, in meters.
//! #[component(visible = near, spatial)]
//! pub struct Position { #[wire(step = 0.01)] pub at: Vec2 }
//!
//! #[component]
//! pub struct Velocity { pub meters_per_s: Vec2 }
//!
//! #[derive(Debug, PartialEq, Refusal)]
//! pub enum SteerRefusal {
//!     #[refusal("you are not in the world", missing)]
//!     NotHere,
//!     #[refusal("{meters_per_s:.1} m/s is too fast")]
//!     TooFast { meters_per_s: f32 },
//! }
//!
//! #[reducer(rate = "20/s")]
//! fn steer(ctx: &mut Ctx, towards: Vec2) -> Result<(), SteerRefusal> {
//!     let meters_per_s = towards.length();
//!     ensure!(meters_per_s <= 5.0, SteerRefusal::TooFast { meters_per_s });
//!     let player = ctx.player()?;
//!     ctx.set(player, Velocity { meters_per_s: towards });
//!     Ok(())
//! }
//!
//! #[system]
//! fn travel(now: Now, mut moving: Query<(&mut Position, &Velocity)>) {
//!     let seconds = now.delta().as_secs_f32();
//!     moving.for_each(|(position, velocity)| position.at += velocity.meters_per_s * seconds);
//! }
//!
//! pub const PLUGIN: Plugin = plugin! {
//!     rows: [Position, Velocity],
//!     reducers: [steer],
//!     systems: [travel],
//! };
//!
//! export_module! { name: "steering", plugins: [PLUGIN] }
//! # fn main() {}
//! ```
//!
//! A module is compiled to WebAssembly for the server; the same functions run natively in tests, on
//! `evertick_testing::TestWorld`.

extern crate self as evertick_module;

mod assemble;
mod attributes;
mod builtin;
mod bundle;
mod conflicts;
mod ctx;
mod entry;
mod errors;
pub mod index;
mod log;
mod macros;
#[cfg(not(target_arch = "wasm32"))]
pub mod native;
#[cfg(not(target_arch = "wasm32"))]
mod native_run;
mod padding;
pub mod prelude;
mod rng;
mod rows;
mod scan;
mod slot;
mod space;
mod sys;
mod system;
mod time;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod wasm;

pub use evertick_schema as schema;

pub use assemble::{Module, Plugin};
pub use attributes::{
    Field, Refusal, component, event, export_module, plugin, predict, reducer, resource, system, table,
};
pub use builtin::{Owner, Player};
pub use bundle::Bundle;
pub use ctx::{Ctx, TimerId};
pub use errors::{Duplicate, Missing, WriteError};
pub use index::Index;
pub use rng::Rng;
pub use rows::{Component, Event, Resource, TableRow};
pub use scan::Scan;
pub use space::{Focus, Place};
pub use system::{
    Commands, Near, Now, Query, QueryData, QueryFilter, QueryIter, ReadOnlyData, Res, ResMut, SystemParam,
    Table, With, Without,
};
pub use time::TimeUnits;

/// What the macros' output names. Not for use by hand; it may change in any version.
#[doc(hidden)]
pub mod __private {
    pub use crate::assemble::{
        Numbers, PredictionEntry, ReducerEntry, RowEntry, RunPrediction, RunReducer, RunSystem, SystemEntry,
    };
    pub use crate::entry::{finish, predict_row, returns, row_reader};
    pub use crate::errors::{DuplicateVariant, MissingVariant};
    pub use crate::log::{Level, write as log};
    pub use crate::padding::{Padding, Part};
    pub use crate::rows::{Buffer, ModuleCall, ModuleRow, buffer_len, default_bytes, origin, spatial};
    pub use crate::slot::Slot;
    pub use crate::system::View;
    #[cfg(target_arch = "wasm32")]
    pub use crate::wasm;
}
