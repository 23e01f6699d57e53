//! Calls over real WebSockets: a server in a process of its own, pinned to one core, and its clients on another.

mod client;
mod counter;
mod load;
mod pin;
mod server;
mod transfer;

pub(crate) use self::client::Client;
pub(crate) use self::counter::Counter;
pub(crate) use self::pin::{CLIENTS, SERVER, pin};
pub(crate) use self::server::{Process, Serve, Serving, Transport, serve, threads};
pub(crate) use self::transfer::run;
