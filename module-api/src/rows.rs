//! Row types as the macros make them.

use evertick_schema::{Call, Field, FieldDef, Row, RowWriter, SpatialDef, Type};

use crate::slot::Slot;

/// A row type of a module.
///
/// # Safety
///
/// When [`Row::FLAT`], the struct is `repr(C)`, without padding, of [`Row::SIZE`] bytes, and its memory is its
/// row's bytes. The macros prove it at compile time.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a row type",
    label = "not a component, table, resource or event",
    note = "add `#[component]`, `#[table(key = field)]`, `#[resource]` or `#[event(to = near)]` to it"
)]
pub unsafe trait ModuleRow: Row {
    /// Room on the stack for a row and the eight bytes of its entity's id.
    type Buffer: Buffer;

    /// Where this type's number stands.
    fn slot() -> &'static Slot;
}

/// A typed call of one of the module's reducers.
pub trait ModuleCall: Call {
    /// Where the reducer's number stands.
    fn slot() -> &'static Slot;
}

/// Bytes on the stack.
pub trait Buffer {
    /// All zero.
    fn zeroed() -> Self;

    /// The bytes.
    fn bytes(&mut self) -> &mut [u8];
}

impl<const N: usize> Buffer for [u8; N] {
    #[inline]
    fn zeroed() -> Self {
        [0; N]
    }

    #[inline]
    fn bytes(&mut self) -> &mut [u8] {
        self
    }
}

/// The most bytes of a row read to the stack; longer ones go through the heap.
const STACK_ROW_MAX: usize = 1024;

/// The length of [`ModuleRow::Buffer`]: a flat row's, or a guess for one with variable fields.
pub const fn buffer_len(size: usize, flat: bool) -> usize {
    8 + if flat && size <= STACK_ROW_MAX { size } else { 256 }
}

/// A row type keyed by entity: made by [`#[component]`](macro@crate::component). A table's row counts too: it
/// is an entity with that one component.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a component: add `#[component]`",
    label = "not a component",
    note = "a row type keyed by entity is a `#[component]`, one keyed by a field of its own a `#[table(key = field)]`"
)]
pub trait Component: ModuleRow {}

/// A row type keyed by a field of its own: made by [`#[table]`](macro@crate::table).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a table: add `#[table(key = field)]`",
    label = "not a table"
)]
pub trait TableRow: Component {
    /// The key's type.
    type Key: Field;
    /// The key's field number.
    const KEY: u16;

    /// The row's key.
    fn key(&self) -> &Self::Key;
}

/// A row type with one row: made by [`#[resource]`](macro@crate::resource).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a resource: add `#[resource]`",
    label = "not a resource"
)]
pub trait Resource: ModuleRow {}

/// A row that is sent and never stored: made by [`#[event]`](macro@crate::event).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event: add `#[event(to = near)]`",
    label = "not an event"
)]
pub trait Event: ModuleRow {}

/// What places rows in space: the named field, or the first `Vec2` or `Vec3`. Where there is none, the
/// description's check says so.
pub fn spatial(fields: &[FieldDef], at: Option<u16>, space: Option<u16>) -> Option<SpatialDef> {
    let first = || position(fields, |ty| matches!(ty, Type::Vec2 | Type::Vec3));
    Some(SpatialDef { at: at.or_else(first).unwrap_or(u16::MAX), space })
}

/// Where an event happens: the named field, or the first that could say so.
pub fn origin(fields: &[FieldDef], at: Option<u16>) -> Option<u16> {
    at.or_else(|| position(fields, |ty| matches!(ty, Type::EntityId | Type::Vec2 | Type::Vec3)))
}

/// A field's default: the bytes of a row with the field alone.
pub fn default_bytes<T: Field>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.write(&mut RowWriter::new(&mut bytes, T::SIZE), 0);
    bytes
}

fn position(fields: &[FieldDef], is: impl Fn(&Type) -> bool) -> Option<u16> {
    fields.iter().position(|field| is(&field.ty)).and_then(|index| u16::try_from(index).ok())
}
