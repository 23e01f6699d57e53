//! What a module says about itself. Its JSON is what `evertick_describe` returns.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::hash::SchemaHash;
use crate::types::{FieldDef, Type};

/// The whole of a module: its row types, reducers and systems.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModuleDescription {
    /// The ABI version the module was built against.
    pub abi: u32,
    /// The module's name; its rows are `name.Row`.
    pub name: String,
    /// Row types. Their positions are the row numbers of the ABI and the wire.
    pub rows: Vec<RowDef>,
    /// Reducers. Their positions are the reducer numbers of the ABI and the wire.
    pub reducers: Vec<ReducerDef>,
    /// Systems. Their positions are the system numbers of the ABI.
    pub systems: Vec<SystemDef>,
    /// Functions that clients run ahead of the server. Their positions are the prediction numbers of the ABI.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub predictions: Vec<PredictionDef>,
}

/// Why a description could not be read.
#[derive(Debug, Error)]
pub enum DescriptionError {
    /// The bytes are not the JSON of a description.
    #[error(
        "the module's description is not valid JSON of a description: {0}; build the module with the same Evertick version as the server"
    )]
    Json(#[from] serde_json::Error),
}

impl ModuleDescription {
    /// Reads a description from JSON. It is not checked: see [`ModuleDescription::check`].
    pub fn from_json(json: &[u8]) -> Result<Self, DescriptionError> {
        Ok(serde_json::from_slice(json)?)
    }

    /// The canonical JSON: no white space, keys in declared order. The same description always gives the
    /// same bytes.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a description has only string keys and finite numbers")
    }

    /// The fingerprint of the canonical JSON.
    pub fn hash(&self) -> SchemaHash {
        SchemaHash::of(&self.to_json())
    }

    /// The number of the row type called `name`.
    pub fn row(&self, name: &str) -> Option<usize> {
        self.rows.iter().position(|row| row.name == name)
    }

    /// The number of the reducer called `name`.
    pub fn reducer(&self, name: &str) -> Option<usize> {
        self.reducers.iter().position(|reducer| reducer.name == name)
    }
}

/// A row type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowDef {
    /// `Row` for one of the module's own, `module.Row` for another module's.
    pub name: String,
    /// What its rows are keyed by.
    pub kind: RowKind,
    /// Its fields, in order.
    pub fields: Vec<FieldDef>,
    /// Who may see its rows.
    pub visible: Visibility,
    /// Which fields place the entity in space.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spatial: Option<SpatialDef>,
    /// Of an event that is sent to those nearby: the field (entity id, `Vec2` or `Vec3`) that says where it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<u16>,
    /// Its indexes; at most one on a field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<IndexDef>,
    /// What of its rows outlives the process. An event's is durable, and says nothing.
    #[serde(default, skip_serializing_if = "StorageClass::is_durable")]
    pub storage: StorageClass,
    /// What the row type was called before, without the module's name: its stored rows are brought over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// Whether changes of its rows travel on the latest lane; when it does not say, [`RowDef::is_latest`] decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest: Option<bool>,
    /// Whether its rows are sent only of entities in the near ring of a session's focus.
    #[serde(default, skip_serializing_if = "is_false")]
    pub detail: bool,
    /// Whether its rows go only to sessions that ask for them by a query.
    #[serde(default, skip_serializing_if = "is_false")]
    pub on_demand: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like this")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl RowDef {
    /// A row type that nobody sees, durable, with neither place nor indexes (a table needs one on its key).
    pub fn new(name: impl Into<String>, kind: RowKind, fields: Vec<FieldDef>) -> Self {
        Self {
            name: name.into(),
            kind,
            fields,
            visible: Visibility::Nobody,
            spatial: None,
            origin: None,
            indexes: Vec::new(),
            storage: StorageClass::Durable,
            was: None,
            latest: None,
            detail: false,
            on_demand: false,
        }
    }

    /// Whether changes of its rows travel on the latest lane: absolute values, of which only the newest matters, and a rest
    /// value on the ordered lane when a row has come to rest. By default those of spatial rows do. Rows that are not flat and
    /// events never do.
    pub fn is_latest(&self) -> bool {
        self.latest.unwrap_or(self.spatial.is_some()) && self.can_be_latest()
    }

    pub(crate) fn can_be_latest(&self) -> bool {
        self.kind != RowKind::Event && self.fields.iter().all(|field| field.ty.is_flat())
    }
}

/// What of a row type's rows outlives the server's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StorageClass {
    /// Everything: inserts, updates and removals are in their commit's record, and clients are shown a change
    /// only when it is on the disk.
    #[default]
    Durable,
    /// Inserts and removals with their commit; updates are gathered and written every so often, and nobody
    /// waits for them. After a crash a row has the values of its last checkpoint.
    Checkpoint {
        /// The time between two checkpoints of a row that keeps changing, in microseconds, above 0.
        every_us: i64,
    },
    /// Nothing: rows live in memory only.
    Transient,
}

impl StorageClass {
    /// Checkpoints every 5 seconds.
    pub const CHECKPOINT: Self = Self::Checkpoint { every_us: 5_000_000 };

    /// Whether it is the default class.
    pub const fn is_durable(&self) -> bool {
        matches!(self, Self::Durable)
    }

    /// Whether rows are written to disk at all.
    pub const fn is_stored(&self) -> bool {
        !matches!(self, Self::Transient)
    }
}

/// What rows of a type are keyed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowKind {
    /// By entity; an entity has any number of components of different types.
    Component,
    /// By a field of its own, which has a unique index.
    Table {
        /// The key's field number.
        key: u16,
    },
    /// There is one row.
    Resource,
    /// Sent, never stored.
    Event,
}

/// Who may see rows of a type. The server enforces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Only the server's logic.
    #[default]
    Nobody,
    /// The identity in `field`; without a field, the entity's owner (its `evertick.Owner` row). An event's
    /// field may be an entity id, whose owner is meant.
    Owner {
        /// A field of type identity.
        field: Option<u16>,
    },
    /// Sessions whose focus is near the entity.
    Near,
    /// Sessions that joined the group named by `field`.
    Group {
        /// A field of an unsigned integer or entity id type.
        field: u16,
    },
    /// Everyone who is connected.
    Everyone,
}

/// Which fields of a row place its entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpatialDef {
    /// A `Vec2` (x, y) or a `Vec3` (x and z count, y is up).
    pub at: u16,
    /// A `u32` naming the coordinate space; without it, space 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<u16>,
}

/// An index on one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexDef {
    /// The field's number.
    pub field: u16,
    /// How it is kept.
    pub kind: IndexKind,
    /// Whether two rows may not have the same value.
    pub unique: bool,
}

/// How an index is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IndexKind {
    /// By hash: equality only. The default.
    Hash,
    /// By number, in an array of slots: for small, dense unsigned integers.
    Dense,
    /// By order: equality and ranges, about ten times dearer.
    Ordered,
}

/// A transaction that a client, a timer or the server calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReducerDef {
    /// Its name.
    pub name: String,
    /// When it runs.
    pub kind: ReducerKind,
    /// Whether only the server (timers, other reducers) may call it.
    #[serde(default)]
    pub private: bool,
    /// The role a caller must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// How often one session may call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<RateDef>,
    /// Its arguments.
    pub params: Vec<FieldDef>,
    /// What it returns, unless that is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returns: Option<Type>,
    /// The ways it may refuse, by variant number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<RefusalDef>,
}

/// When a reducer runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReducerKind {
    /// When it is called.
    Call,
    /// Once, when the world is made.
    Init,
    /// When a session opens; a refusal turns it away.
    Connect,
    /// When a session has closed.
    Disconnect,
    /// Once, after stored rows of another version of the module were brought to this one's shape, in the same
    /// commit.
    Upgrade,
    /// At the tick that a client means it for: at most once per session and tick, before timers and systems. Its
    /// arguments are flat, it returns nothing, and it can't be called otherwise.
    Input,
}

/// A function that a client runs to show at once what the server will come to: it changes a row of an entity by an input's
/// arguments and the seconds of a tick.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PredictionDef {
    /// Its name.
    pub name: String,
    /// The row type that it changes, by position in [`ModuleDescription::rows`]: a flat component.
    pub row: u32,
    /// The input reducer whose arguments it takes, by position in [`ModuleDescription::reducers`].
    pub reducer: u32,
}

/// A rate limit: so many calls in so much time, with bursts up to that many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateDef {
    /// Calls, at least 1.
    pub calls: u32,
    /// The time for them, in microseconds, above 0.
    pub per_us: i64,
}

/// One way in which a reducer may refuse.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefusalDef {
    /// The variant's name.
    pub name: String,
    /// What it carries.
    pub fields: Vec<FieldDef>,
}

/// Code that sweeps columns at a fixed rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SystemDef {
    /// Its name.
    pub name: String,
    /// The time between two runs in microseconds; `None` is every tick.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_us: Option<i64>,
    /// Systems that run after it: `system`, or `module.system`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<String>,
    /// Systems that run before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// What it reads and writes.
    pub params: Vec<ParamDef>,
}

/// One parameter of a system. `row` is a position in [`ModuleDescription::rows`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParamDef {
    /// Rows of every entity that has what the terms ask for.
    Query {
        /// What it asks for, in order.
        terms: Vec<TermDef>,
    },
    /// Look-ups in a table.
    Table {
        /// The table.
        row: u32,
    },
    /// A resource, read.
    Res {
        /// The resource.
        row: u32,
    },
    /// A resource, written.
    ResMut {
        /// The resource.
        row: u32,
    },
    /// Queries of the space grid.
    Near,
    /// Structural changes, applied after the run.
    Commands,
    /// The tick's time.
    Now,
    /// Random numbers.
    Rng,
}

/// One term of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TermDef {
    /// The row type.
    pub row: u32,
    /// What the query does with it.
    pub access: Access,
}

/// What a query does with a row type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// `&T`
    Read,
    /// `&mut T`
    Write,
    /// `Option<&T>`
    OptionalRead,
    /// `Option<&mut T>`
    OptionalWrite,
    /// `With<T>`
    With,
    /// `Without<T>`
    Without,
}

impl Access {
    /// Whether the term has a column in the system's view.
    pub const fn has_column(self) -> bool {
        !matches!(self, Self::With | Self::Without)
    }

    /// Whether the system may write the column.
    pub const fn writes(self) -> bool {
        matches!(self, Self::Write | Self::OptionalWrite)
    }

    /// Whether an entity must have the row to match.
    pub const fn requires(self) -> bool {
        matches!(self, Self::Read | Self::Write | Self::With)
    }
}
