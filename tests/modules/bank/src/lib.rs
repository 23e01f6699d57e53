//! A bank whose books show every loss: for tests that kill the server, fill its disk and replay its log.
//!
//! Each client numbers what it does ([`progress`]), so that afterwards the books say exactly up to where they go.
#![allow(missing_docs, reason = "modules are written for players")]

pub mod accounts;
pub mod alarms;
pub mod movers;
pub mod notes;
pub mod presence;
pub mod progress;
pub mod rounding;

evertick_module::export_module! {
    name: "bank",
    plugins: [
        progress::PLUGIN,
        accounts::PLUGIN,
        notes::PLUGIN,
        alarms::PLUGIN,
        movers::PLUGIN,
        presence::PLUGIN,
    ],
}
