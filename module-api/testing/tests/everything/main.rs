//! Every call of the module API, on the real world.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "tests")]

mod calls;
mod faults;
mod later;
mod reducers;
mod rows;
mod systems;
mod tables;

use evertick_module::prelude::*;

export_module! {
    name: "everything",
    plugins: [rows::PLUGIN, reducers::PLUGIN, systems::PLUGIN, later::PLUGIN, faults::PLUGIN],
}
