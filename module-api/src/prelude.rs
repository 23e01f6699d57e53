//! Everything a module's file needs: `use evertick_module::prelude::*;`

pub use glam::{IVec2, IVec3, IVec4, Quat, UVec2, UVec3, UVec4, Vec2, Vec3, Vec4};

pub use crate::schema::{Duration, EntityId, Identity, NoRefusal, SessionId, Timestamp};
pub use crate::{
    Bundle, Commands, Component, Ctx, Duplicate, Event, Field, Focus, Missing, Module, Near, Now, Owner,
    Place, Player, Plugin, Query, Refusal, Res, ResMut, Resource, Rng, Table, TimeUnits, TimerId, With,
    Without, WriteError, component, debug, ensure, error, event, export_module, info, plugin, predict,
    reducer, resource, system, table, trace, warn,
};
