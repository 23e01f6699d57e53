//! The traits by which Rust types become row bytes. The macros of `evertick-module` implement them.

use crate::codec::{RowError, RowReader, RowWriter};
use crate::description::{RefusalDef, RowDef};
use crate::types::Type;

/// A type that may stand in a row, an argument list or a result.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a field",
    note = "fields are bool, integers, floats, glam vectors, EntityId, Identity, Timestamp, Duration, String, Vec<T>, Option<T>, [T; N], and types with `#[derive(Field)]`"
)]
pub trait Field: Sized {
    /// Bytes in the fixed part.
    const SIZE: usize;
    /// Whether that is all there is.
    const FLAT: bool;

    /// The type's description.
    fn ty() -> Type;

    /// Writes the value, its fixed part at `at` of the row.
    fn write(&self, row: &mut RowWriter<'_>, at: usize);

    /// Reads the value whose fixed part is at `at`.
    fn read(row: &RowReader<'_>, at: usize) -> Result<Self, RowError>;
}

/// A row type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a row type",
    label = "not a component, table, resource or event",
    note = "add `#[component]`, `#[table(key = ..)]`, `#[resource]` or `#[event]` to it"
)]
pub trait Row: Clone + 'static {
    /// The name in the module's description.
    const NAME: &'static str;
    /// Bytes of the fixed part.
    const SIZE: usize;
    /// Whether that is all there is; the struct is then `#[repr(C)]` without padding.
    const FLAT: bool;

    /// The row type's description.
    fn def() -> RowDef;

    /// Appends the row's bytes to `out`.
    fn encode(&self, out: &mut Vec<u8>);

    /// Reads a row. `bytes` may come from anywhere: whatever they are, the result is a value or an error.
    fn decode(bytes: &[u8]) -> Result<Self, RowError>;
}

/// A typed call: a reducer's name with its arguments.
pub trait Call {
    /// The reducer's name.
    const NAME: &'static str;
    /// What the reducer returns.
    type Output: Field;
    /// How it refuses.
    type Refusal: Refusal;

    /// Appends the arguments to `out`, as a row whose fields they are.
    fn encode(&self, out: &mut Vec<u8>);
}

/// A typed refusal: the reasons for which a reducer says no.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a refusal",
    note = "add `#[derive(Refusal)]` to the enum that the reducer returns as its error"
)]
pub trait Refusal: Sized {
    /// The variants, by number.
    fn defs() -> Vec<RefusalDef>;

    /// The refusal as bytes.
    fn encode(&self) -> RefusalBytes;

    /// Reads the fields of variant number `variant`. `None` when there is no such variant.
    fn decode(variant: u16, fields: &[u8]) -> Option<Result<Self, RowError>>;
}

/// A refusal as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RefusalBytes {
    /// The variant's number.
    pub variant: u16,
    /// The text for a person.
    pub message: String,
    /// The variant's fields, as a row.
    pub fields: Vec<u8>,
}

/// The refusal of reducers that never refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRefusal {}

impl Refusal for NoRefusal {
    fn defs() -> Vec<RefusalDef> {
        Vec::new()
    }

    fn encode(&self) -> RefusalBytes {
        match *self {}
    }

    fn decode(_variant: u16, _fields: &[u8]) -> Option<Result<Self, RowError>> {
        None
    }
}

impl std::fmt::Display for NoRefusal {
    fn fmt(&self, _f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {}
    }
}
