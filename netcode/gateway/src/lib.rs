//! I/O shards: sessions, budgets, packing frames for each client.
//!
//! ```text
//!   world thread                    shard = one thread, one single-threaded runtime
//!  ┌────────────┐ Arc<Frame>  ┌──────────────────────────────────────────────┐
//!  │ publish()  ├────────────►│ for each session: pack own part + its topics' │──► clients
//!  └────────────┘  bounded    │ shared blocks into one message, write         │
//!  ┌────────────┐  Ingress    │                                               │
//!  │ host inbox │◄────────────┤ Hello → account → session; calls within budget │◄── clients
//!  └────────────┘  bounded    └──────────────────────────────────────────────┘
//! ```
//!
//! A session knows the topics it sees from the `left` and `entered` of its [`SessionFrame`](evertick_protocol::SessionFrame)s; the
//! blocks themselves are never opened here. The gateway knows frames, not the world. States are chosen for each session by how
//! far they are from its viewpoint and how long ago it was sent them; they go as datagrams where the transport has such. A
//! session to which a frame has nothing to say gets no message; its client learns the time from the answers to its pings.
//!
//! Everything has a bound, and what is beyond it has a name:
//!
//! | what | beyond its bound |
//! | --- | --- |
//! | frames waiting for a shard | the frame is lost, the shard's sessions are closed `TooSlow` (frames can't be skipped) |
//! | messages or bytes waiting for one client | that session is closed `TooSlow` |
//! | bytes per second to one client | states wait, and snapshots of topics with a place: the nearest are sent first; of states the longest unsent; what else is ordered is sent |
//! | bytes waiting for one client, above a soft limit; above the next | it gets no states; its topics with a place fall behind, and are sent anew when it has caught up |
//! | time without a connection; sessions without one | the session is over |
//! | results that a client has not acknowledged | the oldest are forgotten; without them it can't resume |
//! | topics left while a session can come back | beyond, the session can't be resumed |
//! | inputs per second; copies of one input | dropped, and counted; far beyond, the session is closed `Flooding` |
//! | the host's inbox | a call is answered `Busy`; a new session waits, then is turned away |
//! | calls in flight of a session | the call is answered `Busy` |
//! | calls per second | the call is answered `RateLimited`; far beyond, the session is closed `Flooding` |
//! | a message's size | closed `TooLarge`; bytes that are no message: `BadMessage` |
//! | time without a Hello; silence | closed `Timeout` |
//! | time for last words | the connection is cut off |
//!
//! The world thread never waits for any of this.

mod answers;
mod auth;
mod budget;
mod clock;
mod config;
mod gateway;
mod inputs;
mod intake;
mod messages;
mod metrics;
mod outbox;
mod packing;
mod results;
mod resume;
mod roster;
mod session;
mod shard;
mod usage;
mod view;

pub use auth::{Account, Authenticate, Unauthorized};
pub use config::{GatewayConfig, ServerDescription, SessionLimits};
pub use evertick_metrics::{Counter, Recent, Spread};
pub use gateway::{Gateway, GatewayError, GatewayHandle};
pub use metrics::{CLOSE_CODES, Metrics, MetricsSnapshot};
