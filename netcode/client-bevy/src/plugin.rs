//! The plugin: what it adds to an app, and when its systems run.

use std::fmt;

use bevy_app::{App, Plugin, PreUpdate};
use bevy_ecs::message::Message;
use bevy_ecs::resource::Resource;
use bevy_ecs::schedule::{IntoScheduleConfigs, SystemSet};
use evertick_client::{Client, ConnectionState};

use crate::apply::{EntityMap, Receiver, receive};

/// Adds a client's session to an app. What is to be seen of it says [`Replicate`](crate::Replicate).
#[derive(Debug)]
pub struct EvertickPlugin {
    client: Client,
}

impl EvertickPlugin {
    /// For a client that is connected.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

impl Plugin for EvertickPlugin {
    fn build(&self, app: &mut App) {
        app.insert_resource(Evertick { client: self.client.clone(), state: self.client.state() });
        app.insert_resource(Receiver::new(&self.client));
        app.init_resource::<EntityMap>();
        app.add_message::<ConnectionChanged>();
        app.configure_sets(PreUpdate, (EvertickSystems::Receive, EvertickSystems::Interpolate).chain());
        app.add_systems(PreUpdate, receive.in_set(EvertickSystems::Receive));
    }
}

/// When the plugin's systems run, in this order, in [`PreUpdate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, SystemSet)]
pub enum EvertickSystems {
    /// Entities and components follow the replica; events and the state of the connection are told.
    Receive,
    /// [`Interpolated`](crate::Interpolated) components are brought to the moment that is drawn.
    Interpolate,
}

/// The session.
#[derive(Clone, Resource)]
pub struct Evertick {
    pub(crate) client: Client,
    pub(crate) state: ConnectionState,
}

impl Evertick {
    /// The client: to call reducers, send inputs, ask queries, predict.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The state of the connection, as of the last update.
    pub fn state(&self) -> &ConnectionState {
        &self.state
    }
}

impl fmt::Debug for Evertick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Evertick").field("state", &self.state).finish_non_exhaustive()
    }
}

/// The state of the connection has changed since the last update.
#[derive(Clone, Debug, PartialEq, Eq, Message)]
pub struct ConnectionChanged(pub ConnectionState);
