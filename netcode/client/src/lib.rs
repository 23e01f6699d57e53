//! The Rust client SDK: a session with a server, a replica of what it may see, typed calls.
//!
//! ```no_run
//! # use evertick_client::{Client, ConnectOptions};
//! # async fn example<Position, Gathered, Gather>(gather: Gather) -> Result<(), Box<dyn std::error::Error>>
//! # where Position: evertick_schema::Row, Gathered: evertick_schema::Row + std::fmt::Debug,
//! #     Gather: evertick_schema::Call<Refusal = evertick_schema::NoRefusal> {
//! let client = Client::connect("ws://localhost:7778", ConnectOptions::new("my token")).await?;
//! for (entity, position) in client.rows::<Position>()? { /* draw it */ }
//! let _watching = client.on_remove::<Position>(|entity, _| println!("{entity} is out of sight"))?;
//! let mut gathered = client.events::<Gathered>()?;
//! client.call(gather).await?;
//! println!("{:?}", gathered.next().await?);
//! client.close().await;
//! # Ok(()) }
//! ```
//!
//! * One task per session owns the connection, applies frames and answers calls; [`Client`] is a handle of it.
//! * Row types and calls are the module's own Rust types. They are matched to the server's description by name, and row
//!   types by their fields, so a client of another version gets an error instead of wrong values.
//! * When a call's result is there, its effects are in the replica.
//! * A lost connection is followed by another; the session goes on, and calls run exactly once. See [`Reconnect`].
//! * What moves is drawn from [`Interpolated`] rows, what the player steers from [`Predicted`] ones. Both are kept in step by the task; a game's
//!   own thread reads them.
//! * Everything is bounded: the replica's bytes, what waits for the server, what waits for slow readers of streams.

mod blend;
mod callbacks;
mod client;
mod come_back;
mod condition;
mod connect;
mod constant;
mod error;
mod interpolated;
mod interpolation;
mod link;
mod losses;
mod options;
mod predicted;
mod prediction;
mod queries;
mod query;
mod query_handle;
mod reconnect;
mod rows;
mod shared;
mod statistics;
mod streams;
mod ticket;
mod timing;
mod types;

pub use callbacks::Subscription;
pub use client::Client;
pub use condition::{Condition, ConditionError, FieldOf, field, near, near_in, within, within_in};
pub use error::{
    CallError, ConnectError, ConnectionState, Disconnected, InputError, PredictError, QueryError,
    RowTypeError, StreamError,
};
pub use interpolated::Interpolated;
pub use options::ConnectOptions;
pub use predicted::Predicted;
pub use query::Query;
pub use query_handle::QueryHandle;
pub use reconnect::Reconnect;
pub use rows::{RowSet, View};
pub use statistics::Statistics;
pub use streams::{Change, ChangeStream, EventStream, FrameChanges};
pub use ticket::{NoTicket, Ticket};

pub use evertick_protocol::{Close, CloseCode, FailCode};
pub use evertick_transport::{ClientOptions, Conditions, Connection, tls};
