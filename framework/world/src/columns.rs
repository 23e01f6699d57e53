//! Raw columns of bevy's tables: all of the crate's `unsafe` for storage, behind safe functions.
//!
//! A row type is one bevy component that is registered at run time; bevy knows its size and alignment and no
//! more. A *flat* row type's component is its bytes. A *variable* one's is a `Box<[u8]>` with a drop
//! function.
//!
//! What the proofs below lean on:
//!
//! * [`Column`] is made only by [`Column::register`], which registers its component with exactly the layout
//!   and drop function that `size` and `flat` say; it remembers the bevy world and every function checks that
//!   it is used with that one. So a table's data of `component` is an array of `size` bytes, or of
//!   `Box<[u8]>`.
//! * Rows of flat columns are `size` initialized bytes without padding, since only byte strings of that
//!   length are ever put in; any bytes are a valid `[u8]`. No other Rust type is made from them.
//! * Tables are reached through `&World` for reading and `&mut World` for writing, and what is returned
//!   borrows it; so nothing structural happens while a slice is alive, and a mutable slice is the only one.

use std::alloc::Layout;
use std::cell::UnsafeCell;
use std::ptr::NonNull;
use std::slice;

use bevy_ecs::change_detection::Tick;
use bevy_ecs::component::{ComponentCloneBehavior, ComponentDescriptor, ComponentId, StorageType};
use bevy_ecs::entity::Entity;
use bevy_ecs::ptr::OwningPtr;
use bevy_ecs::storage::{Table, TableId};
use bevy_ecs::world::{World, WorldId};
use evertick_schema::RowLayout;

use crate::ids::RowAt;
use crate::row::RowId;
use crate::store::RowState;

/// A row type's component.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    component: ComponentId,
    world: WorldId,
    /// Bytes of a row in the column: of the row itself when flat, else of its box.
    size: usize,
    flat: bool,
}

/// Rows of variable length, one boxed byte string each.
#[derive(Clone, Copy, Debug)]
pub struct VariableColumn<'w> {
    rows: &'w [Box<[u8]>],
}

impl<'w> VariableColumn<'w> {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The row at `index`.
    pub fn get(&self, index: usize) -> Option<&'w [u8]> {
        self.rows.get(index).map(|row| &**row)
    }

    /// The rows in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'w [u8]> + use<'w> {
        self.rows.iter().map(|row| &**row)
    }
}

/// All rows of one type in one table, shared.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rows<'w> {
    /// Of one length, one behind the other.
    Flat { bytes: &'w [u8], stride: usize },
    /// Each of its own length.
    Variable(VariableColumn<'w>),
}

impl<'w> Rows<'w> {
    /// The row at `index`; an empty slice beyond the end.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> &'w [u8] {
        match self {
            Self::Flat { bytes, stride } => {
                bytes.get(index * stride..(index + 1) * stride).unwrap_or_default()
            }
            Self::Variable(rows) => rows.get(index).unwrap_or_default(),
        }
    }
}

/// One row, to be written.
pub(crate) struct RowMut<'w> {
    value: Value<'w>,
    /// When bevy thinks it last changed.
    pub(crate) changed: &'w mut Tick,
}

enum Value<'w> {
    Flat(&'w mut [u8]),
    Variable(&'w mut Box<[u8]>),
}

impl RowMut<'_> {
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.value {
            Value::Flat(bytes) => bytes,
            Value::Variable(bytes) => bytes,
        }
    }

    /// Replaces the row. A flat row needs as many bytes as it has.
    #[inline]
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        match &mut self.value {
            Value::Flat(row) => row.copy_from_slice(bytes),
            Value::Variable(row) if row.len() == bytes.len() => row.copy_from_slice(bytes),
            Value::Variable(row) => **row = bytes.into(),
        }
    }
}

/// A flat column to be written, beside the entities of its table.
pub(crate) struct FlatColumnMut<'w> {
    pub(crate) bytes: &'w mut [u8],
    pub(crate) changed: &'w mut [Tick],
    pub(crate) entities: &'w [Entity],
}

impl Column {
    /// Makes the component of a new row type.
    pub(crate) fn register(ecs: &mut World, name: &str, layout: &RowLayout) -> Self {
        let size = layout.size as usize;
        let (of_row, drop) = if layout.flat {
            // An alignment that does not fit the size has no use: rows stand one behind the other.
            let align = if size.is_multiple_of(layout.align as usize) { layout.align as usize } else { 1 };
            let of_row =
                Layout::from_size_align(size, align).expect("a row's alignment is a power of two, at most 8");
            (of_row, None)
        } else {
            (Layout::new::<Box<[u8]>>(), Some(drop_box as unsafe fn(OwningPtr<'_>)))
        };
        // SAFETY: bytes and boxes of bytes are Send and Sync; `drop` is `None` for bytes, which need none,
        // and else drops a box, which is then what the layout describes; there is no relationship.
        let descriptor = unsafe {
            ComponentDescriptor::new_with_layout(
                name.to_owned(),
                StorageType::Table,
                of_row,
                drop,
                true,
                false,
                ComponentCloneBehavior::Ignore,
                None,
            )
        };
        let component = ecs.register_component_with_descriptor(descriptor);
        Self { component, world: ecs.id(), size: of_row.size(), flat: layout.flat }
    }

    pub(crate) fn component(&self) -> ComponentId {
        self.component
    }

    /// Whether the entities of `table` have rows of this type.
    pub(crate) fn is_in(&self, table: &Table) -> bool {
        table.has_column(self.component)
    }

    #[inline]
    fn check(&self, ecs: &World) {
        assert!(self.world == ecs.id(), "a column is used with the world that it is of");
    }

    /// The row of the entity at `at`.
    #[inline]
    pub(crate) fn get<'w>(&self, ecs: &'w World, at: RowAt) -> Option<&'w [u8]> {
        self.check(ecs);
        let table = ecs.storages().tables.get(at.table_id)?;
        let column = table.get_column(self.component)?;
        if at.table_row.index_u32() >= table.entity_count() {
            return None;
        }
        // SAFETY: the row is within the table (checked above), and nobody writes: writing takes `&mut World`.
        let row = unsafe { column.get_data_unchecked(at.table_row) }.as_ptr();
        if self.flat {
            // SAFETY: a row of a flat column is `size` initialized bytes; borrowed as long as `ecs`.
            Some(unsafe { slice::from_raw_parts(row, self.size) })
        } else {
            // SAFETY: a row of a variable column is a `Box<[u8]>`, aligned as its component's layout says.
            Some(unsafe { &*row.cast::<Box<[u8]>>() })
        }
    }

    /// The row of the entity at `at`, to be written.
    #[inline]
    pub(crate) fn get_mut<'w>(&self, ecs: &'w mut World, at: RowAt) -> Option<RowMut<'w>> {
        self.check(ecs);
        let ecs = ecs.as_unsafe_world_cell();
        // SAFETY: the cell is made from `&mut World`, which stays borrowed as long as what is returned; of
        // the storages only this column is touched.
        let table = unsafe { ecs.storages() }.tables.get(at.table_id)?;
        let column = table.get_column(self.component)?;
        if at.table_row.index_u32() >= table.entity_count() {
            return None;
        }
        // SAFETY: the row is within the table; no other reference to it exists, see above.
        let row = unsafe { column.get_data_unchecked(at.table_row) }.as_ptr().cast_mut();
        // SAFETY: the row is within the table, and the world is exclusively borrowed.
        let changed = unsafe { &mut *column.get_changed_tick_unchecked(at.table_row).get() };
        let value = if self.flat {
            // SAFETY: a row of a flat column is `size` initialized bytes of the column's own allocation,
            // reached by its raw pointer, so writing through it is allowed; exclusively borrowed.
            Value::Flat(unsafe { slice::from_raw_parts_mut(row, self.size) })
        } else {
            // SAFETY: as above; a row of a variable column is an aligned `Box<[u8]>`.
            Value::Variable(unsafe { &mut *row.cast::<Box<[u8]>>() })
        };
        Some(RowMut { value, changed })
    }

    /// All rows in table `id`.
    pub(crate) fn rows<'w>(&self, ecs: &'w World, id: TableId) -> Option<Rows<'w>> {
        self.check(ecs);
        let table = ecs.storages().tables.get(id)?;
        let column = table.get_column(self.component)?;
        let count = table.entity_count() as usize;
        if self.flat {
            // SAFETY: the column holds `count` rows of `size` initialized bytes, which `u8` may view; nobody
            // writes, since that takes `&mut World`.
            let bytes = unsafe { bytes_of(column, count, self.size) };
            // SAFETY: as above: shared for as long as `ecs` is.
            let bytes = unsafe { slice::from_raw_parts(bytes.as_ptr().cast::<u8>(), bytes.len()) };
            return Some(Rows::Flat { bytes, stride: self.size });
        }
        // SAFETY: a variable column holds `count` values of `Box<[u8]>`.
        let boxes = unsafe { column.get_data_slice::<Box<[u8]>>(count) };
        // SAFETY: `UnsafeCell<T>` has the layout of `T`, and nobody writes: that takes `&mut World`.
        let rows = unsafe { slice::from_raw_parts(boxes.as_ptr().cast::<Box<[u8]>>(), count) };
        Some(Rows::Variable(VariableColumn { rows }))
    }

    /// All rows in table `id`, to be written. `None` for a variable row type, too.
    pub(crate) fn flat_mut<'w>(&self, ecs: &'w mut World, id: TableId) -> Option<FlatColumnMut<'w>> {
        self.check(ecs);
        if !self.flat {
            return None;
        }
        let ecs = ecs.as_unsafe_world_cell();
        // SAFETY: the cell is made from `&mut World`, which stays borrowed as long as what is returned; of
        // the storages only this column is written and only the table's entities are read.
        let table = unsafe { ecs.storages() }.tables.get(id)?;
        let column = table.get_column(self.component)?;
        let count = table.entity_count() as usize;
        // SAFETY: the column holds `count` rows of `size` initialized bytes.
        let bytes = unsafe { bytes_of(column, count, self.size) };
        // SAFETY: the column has one changed tick per row.
        let changed = unsafe { column.get_changed_ticks_slice(count) };
        Some(FlatColumnMut {
            // SAFETY: exclusive: the world is mutably borrowed, and these are the only references into the
            // data.
            bytes: unsafe { slice::from_raw_parts_mut(UnsafeCell::raw_get(bytes.as_ptr()), bytes.len()) },
            // SAFETY: as above, into the ticks.
            changed: unsafe { slice::from_raw_parts_mut(UnsafeCell::raw_get(changed.as_ptr()), count) },
            entities: table.entities(),
        })
    }

    /// Gives `entity` a row, which it must not have. `scratch` is memory to align it in.
    ///
    /// # Panics
    ///
    /// When there is no such entity, or a flat row is not of its length.
    pub(crate) fn insert(&self, ecs: &mut World, entity: Entity, bytes: &[u8], scratch: &mut Scratch) {
        self.check(ecs);
        let mut entity = ecs.entity_mut(entity);
        if self.flat {
            assert_eq!(bytes.len(), self.size, "a flat row has its type's length");
            let row = scratch.aligned(bytes);
            // SAFETY: the component is of this world; the pointer is to `size` bytes, aligned to 8, which is
            // the most a row's alignment can be, and bevy copies them out.
            unsafe { entity.insert_by_id(self.component, OwningPtr::new(row)) };
        } else {
            let row: Box<[u8]> = bytes.into();
            OwningPtr::make(row, |row| {
                // SAFETY: the component is of this world, and a `Box<[u8]>` is what it holds; bevy takes it
                // over.
                unsafe { entity.insert_by_id(self.component, row) };
            });
        }
    }
}

/// Makes an entity with these rows, of different types, which goes straight to the table that has exactly them.
/// Returns where it stands there: at the end. Cost: one move; with one row at a time it were as many.
///
/// # Panics
///
/// When a flat row is not of its length, or a type comes twice.
pub(crate) fn spawn(
    ecs: &mut World,
    states: &[RowState],
    rows: &[(RowId, &[u8])],
    scratch: &mut Scratch,
) -> (Entity, RowAt) {
    let column = |row: RowId| &states[row.index()].column;
    scratch.components.clear();
    let mut words = 0;
    for (row, bytes) in rows {
        let column = column(*row);
        column.check(ecs);
        assert!(!column.flat || bytes.len() == column.size, "a flat row has its type's length");
        scratch.components.push(column.component);
        words += words_of(column.size);
    }
    scratch.words.clear();
    scratch.words.resize(words.max(1), 0);
    let start = scratch.words.as_mut_ptr();
    let mut at = 0;
    let values = rows.iter().map(|(row, bytes)| {
        let column = column(*row);
        // SAFETY: the loop above made room for every row, so `at` is within the vector; nobody touches the
        // vector until the values are gone.
        let place = unsafe { NonNull::new_unchecked(start.add(at)) }.cast::<u8>();
        at += words_of(column.size);
        if column.flat {
            // SAFETY: `bytes` has `size` bytes (asserted above), and they fit; the vector is not `bytes`.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), place.as_ptr(), column.size) };
        } else {
            // SAFETY: the place has the size of a `Box<[u8]>` and, being of a `u64`, its alignment.
            unsafe { place.cast::<Box<[u8]>>().write((*bytes).into()) };
        }
        // SAFETY: an owned value of the column's component is there: bytes need no drop, and the box is
        // bevy's from now on.
        unsafe { OwningPtr::new(place) }
    });
    let mut entity = ecs.spawn_empty();
    // SAFETY: the components are of this world, and the values are theirs, in the same order; each is aligned
    // to 8, the most that a component asks for.
    unsafe { entity.insert_by_ids(&scratch.components, values) };
    (entity.id(), entity.location().into())
}

/// Words of memory for a value of `size` bytes.
fn words_of(size: usize) -> usize {
    size.div_ceil(8)
}

/// Memory to put rows into with the alignment that bevy asks for.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    words: Vec<u64>,
    components: Vec<ComponentId>,
}

impl Scratch {
    fn aligned(&mut self, bytes: &[u8]) -> NonNull<u8> {
        self.words.clear();
        self.words.resize(words_of(bytes.len()).max(1), 0);
        let start = self.words.as_mut_ptr().cast::<u8>();
        // SAFETY: the vector has at least `bytes.len()` bytes, is exclusively borrowed, and is not `bytes`.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), start, bytes.len()) };
        NonNull::new(start).expect("a vector's pointer is not null")
    }
}

/// # Safety
///
/// The value is a `Box<[u8]>`.
unsafe fn drop_box(value: OwningPtr<'_>) {
    // SAFETY: upheld by the caller.
    unsafe { value.drop_as::<Box<[u8]>>() }
}

/// The column's data as bytes.
///
/// # Safety
///
/// The column holds `count` rows of `size` initialized bytes.
unsafe fn bytes_of(column: &bevy_ecs::storage::Column, count: usize, size: usize) -> &[UnsafeCell<u8>] {
    if count == 0 || size == 0 {
        return &[];
    }
    // SAFETY: row 0 exists. The pointer is the allocation's own, so it reaches all rows.
    let first =
        unsafe { column.get_data_unchecked(bevy_ecs::storage::TableRow::new(nonmax::NonMaxU32::ZERO)) };
    // SAFETY: `count * size` initialized bytes start there, in one allocation, for as long as the column
    // lives.
    unsafe { slice::from_raw_parts(first.as_ptr().cast::<UnsafeCell<u8>>(), count * size) }
}
