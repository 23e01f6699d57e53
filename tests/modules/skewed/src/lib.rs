//! The bank's own files, all but one: this bank rounds in its own favour.
#![allow(missing_docs, reason = "modules are written for players")]

#[path = "../../bank/src/accounts.rs"]
pub mod accounts;
#[path = "../../bank/src/alarms.rs"]
pub mod alarms;
#[path = "../../bank/src/movers.rs"]
pub mod movers;
#[path = "../../bank/src/notes.rs"]
pub mod notes;
#[path = "../../bank/src/presence.rs"]
pub mod presence;
#[path = "../../bank/src/progress.rs"]
pub mod progress;

pub mod rounding {
    /// Twice the fee.
    pub const FEE: i64 = 2;
}

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
