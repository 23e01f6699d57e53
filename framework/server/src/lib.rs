//! What a studio embeds: a whole multiplayer backend behind [`Server::builder`].
//!
//! ```no_run
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> evertick::Result<()> {
//!     evertick::Server::builder()
//!         .data_dir("data")
//!         .module("bitcraft", "modules/bitcraft.wasm")
//!         .websocket("0.0.0.0:7778")
//!         .run()
//!         .await
//! }
//! ```
//!
//! The world has a thread of its own, so have the gateway's shards; [`RunningServer`] is a handle to them.

mod admin;
mod auth;
mod builder;
mod cache;
mod check;
mod error;
mod listeners;
mod metrics;
mod netcode;
mod open;
mod running;

pub use auth::Secrets;
pub use builder::{Server, ServerBuilder};
pub use cache::DirectoryCache;
pub use error::{Error, Result};
pub use evertick_durability::{DirectoryStorage, DurabilityConfig, LogConfig, Storage};
pub use evertick_gateway::{
    Account, Authenticate, GatewayConfig, MetricsSnapshot as GatewaySnapshot, SessionLimits, Unauthorized,
};
pub use evertick_host::{HostConfig, HostSnapshot, PhasesSnapshot, StorageSnapshot};
pub use evertick_interest::InterestConfig;
pub use evertick_metrics::Spread;
pub use evertick_schema::{EntityId, Identity, SessionId};
pub use evertick_transport::{ListenerOptions, tls};
pub use evertick_wasm::{EngineConfig, GuestLimits};
pub use evertick_world::Config as WorldConfig;
pub use metrics::ServerSnapshot;
pub use running::RunningServer;
