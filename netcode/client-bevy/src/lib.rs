//! What a client sees, as entities and components of its own bevy world.
//!
//! ```no_run
//! # use evertick_bevy::{EvertickPlugin, NotReplicated, Replicate, Replicated};
//! # use bevy_app::{App, Update};
//! # use bevy_ecs::prelude::*;
//! # fn example<Avatar: evertick_schema::Row + Send + Sync, Position: evertick_schema::Row + Send + Sync, Said: evertick_schema::Row + Send + Sync>(
//! #     client: evertick_client::Client,
//! # ) -> Result<(), NotReplicated> {
//! let mut app = App::new();
//! app.add_plugins(EvertickPlugin::new(client)); // in PreUpdate
//! app.replicate::<Avatar>()?.replicate::<Position>()?.replicate_interpolated::<Position>()?;
//! app.replicate_events::<Said>()?;
//! app.add_systems(Update, |avatars: Query<(&Replicated<Avatar>, &Replicated<Position>), Added<Replicated<Avatar>>>| {
//!     for (Replicated(avatar), Replicated(position)) in &avatars { /* a new one came into sight: give it a mesh */ }
//! });
//! # Ok(()) }
//! ```
//!
//! * Each entity in sight that has rows of a replicated type is an entity here, with a [`ServerEntity`] and a component for each such row. When
//!   the last of its rows goes, it is despawned. [`EntityMap`] leads from one to the other.
//! * Rows come and go as in the replica: frame by frame, all that came since the last update, in order. So change
//!   detection (`Added`, `Changed`), observers and hooks see them like anything else in bevy.
//! * A game's own components may be put on these entities. Replicated components are the server's: what is written into
//!   them here stays until the row changes, and reaches nobody.
//! * The world needs no tokio runtime; the [`Client`] has its task on the one where it was made. Call reducers through [`Evertick::client`].

mod apply;
mod error;
mod interpolate;
mod plugin;
mod replicate;

pub use apply::EntityMap;
pub use error::NotReplicated;
pub use evertick_client::Client;
pub use interpolate::Interpolated;
pub use plugin::{ConnectionChanged, Evertick, EvertickPlugin, EvertickSystems};
pub use replicate::{Received, Replicate, Replicated, ServerEntity};
