//! From what a commit changed to who is sent what.
//!
//! [`Interest`] stands between the world and the gateways. It takes in the [`Delta`] of every commit and
//! makes one [`Frame`] out of any number of them: a block per changed *topic*, encoded once for all who see
//! it, and, for the few sessions that need one, something of their own.
//!
//! ```text
//!  Delta ──► absorb ──► marks on topics ──► frame ──► blocks by topic ──────────► gateways
//!              │                              │
//!              └─► foci, joins ──► sessions ──┴─► snapshots and results by session
//! ```
//!
//! * A topic is a cell of space, what one identity owns, a group, or what everyone sees ([`TopicKey`]). Each
//!   visible row is in exactly one topic, by its type's visibility, or in none; but a row that is sent on demand
//!   is in those of the queries that it matches. That rule is evaluated here,
//!   on the server's world alone; nothing that a client says can widen it.
//! * A topic exists while it has subscribers. It keeps a roster: which entities clients know, by which small
//!   slots, and which rows of them. A frame compares the marked part of it with the world and writes the
//!   difference, so what clients have is the world as of the frame, whatever happened in between.
//! * Cost follows changed rows in observed topics. Nothing walks all sessions, and nothing is done per row
//!   and session.
//!
//! The crate knows no sockets, no clock and no guests: time is an argument.
//!
//! [`Delta`]: evertick_world::Delta
//! [`Frame`]: evertick_protocol::Frame

mod absorb;
mod census;
mod config;
mod dirty;
mod encode;
mod focus;
mod interest;
mod movers;
mod moving;
mod numbers;
mod query;
mod reconcile;
mod roster;
mod route;
mod row_states;
mod rules;
mod session;
mod sessions;
mod slots;
mod snapshots;
mod spots;
mod tell;
mod topic;
mod topic_set;
mod topics;

pub use config::{InterestConfig, RADIUS_CELLS_MAX};
pub use interest::{Interest, InterestStats};
pub use query::Scope;
pub use topic::TopicKey;
