//! The words that guest, host, client and code generators share.
//!
//! * [`EntityId`], [`Identity`], [`Timestamp`] and friends: the scalars of the domain.
//! * [`Type`] and [`RowLayout`]: what a row's bytes look like. Guest, host, log and wire read the same
//!   bytes; nobody serializes a flat row.
//! * [`ModuleDescription`]: what a module says about itself, its check and its stable hash.
//! * [`Field`], [`Row`], [`Call`], [`Refusal`]: the traits by which Rust types become those bytes.
//!
//! # Row bytes
//!
//! Little-endian, fields in declared order, no padding. A *flat* row has only fields of fixed size; its
//! bytes are those of the `#[repr(C)]` struct. A variable field ([`Type::String`], [`Type::List`],
//! [`Type::Option`]) is `(offset: u32, len: u32)` in the fixed part plus bytes in a tail behind it.
//! `offset` counts from the row's first byte; `len` is bytes of a string, elements of a list, 0 or 1 of an
//! option; an empty one is `(0, 0)`. Tails are canonical: depth first, in field order, without gaps. So
//! equal rows have equal bytes, and [`check_row`] is a single pass with one cursor.
//!
//! This crate has no I/O and knows neither bevy nor wasmtime.

mod builtin;
mod codec;
mod description;
mod hash;
mod hex;
mod ids;
mod impls;
mod layout;
mod migration;
mod problems;
mod traits;
mod types;
mod validate;

pub use builtin::{OWNER, PLAYER, owner_row, player_row};
pub use codec::{RowError, RowReader, RowWriter};
pub use description::{
    Access, DescriptionError, IndexDef, IndexKind, ModuleDescription, ParamDef, PredictionDef, RateDef,
    ReducerDef, ReducerKind, RefusalDef, RowDef, RowKind, SpatialDef, StorageClass, SystemDef, TermDef,
    Visibility,
};
pub use hash::SchemaHash;
pub use ids::{Duration, EntityId, Identity, SessionId, Timestamp};
pub use layout::{FieldLayout, RowLayout};
pub use migration::{Migration, MigrationRefused, RowConversion, RowMigration};
pub use problems::Problem;
pub use traits::{Call, Field, NoRefusal, Refusal, RefusalBytes, Row};
pub use types::{EnumType, EnumVariant, FieldDef, Lane, StructType, Type, WireDef};
pub use validate::{check_fields, check_flat_field, check_row};

/// The version of the guest ABI that this build speaks; a module says its own in `evertick_abi`.
pub const ABI_VERSION: u32 = 1;

/// The most bytes one row may take, its tail included.
pub const ROW_BYTES_MAX: usize = 1 << 20;

/// The most fields a row type may have: a field mask is a `u64`.
pub const FIELDS_MAX: usize = 64;

/// The most input reducers of one module: the server keeps a buffer for each of them and each session.
pub const INPUT_REDUCERS_MAX: usize = 8;

/// The deepest nesting of a field's type.
pub const TYPE_DEPTH_MAX: usize = 8;
