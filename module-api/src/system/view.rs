//! The view: what the host lays into memory for one run of a system.
//!
//! The `Raw` types are the ABI's, byte for byte on a 32-bit target; natively [`crate::native`] builds the same with
//! pointers of its own size. All raw pointers of systems are read here and in [`super::data`].

use std::cell::RefCell;
use std::ptr::NonNull;

use evertick_schema::{Duration, EntityId, Timestamp};

use crate::rows::ModuleRow;
use crate::sys;

/// `evertick_run`'s view.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct RawView {
    pub(crate) now_us: i64,
    pub(crate) delta_us: i64,
    pub(crate) tick: u64,
    pub(crate) params: u32,
    pub(crate) params_ptr: *const RawParam,
}

/// One parameter's tables.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct RawParam {
    pub(crate) tables: u32,
    pub(crate) tables_ptr: *const RawTable,
}

/// Entities of one table, and columns of their rows.
#[derive(Debug)]
#[repr(C)]
pub struct RawTable {
    pub(crate) rows: u32,
    pub(crate) entities_ptr: *const EntityId,
    pub(crate) columns: u32,
    pub(crate) columns_ptr: *const RawColumn,
}

/// Rows of one type.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct RawColumn {
    pub(crate) ptr: *mut u8,
    pub(crate) len: u32,
    pub(crate) blob_ptr: *const u8,
    pub(crate) blob_len: u32,
}

#[cfg(target_arch = "wasm32")]
const _: () = assert!(
    size_of::<RawView>() == 32
        && size_of::<RawParam>() == 8
        && size_of::<RawTable>() == 16
        && size_of::<RawColumn>() == 16,
    "the view's types are the ABI's"
);

/// One run of a system: what it is shown, and where its commands go.
pub struct View<'run> {
    raw: &'run RawView,
    pub(crate) commands: RefCell<Vec<u8>>,
    /// Rows with variable fields, decoded for the run.
    decoded: RefCell<Vec<Box<dyn Decoded>>>,
}

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("tick", &self.raw.tick).finish_non_exhaustive()
    }
}

impl<'run> View<'run> {
    /// Shows what `raw` points to. Commands go to the end of `commands`.
    ///
    /// # Safety
    ///
    /// During `'run`, all that `raw` points to is there, in the lengths that it says and aligned for its types. Flat
    /// columns hold valid rows of the types that the system's description names in their place. Columns that the
    /// system writes are nobody else's.
    pub(crate) unsafe fn new(raw: &'run RawView, commands: Vec<u8>) -> Self {
        Self { raw, commands: RefCell::new(commands), decoded: RefCell::default() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(self.raw.now_us)
    }

    pub(crate) fn delta(&self) -> Duration {
        Duration(self.raw.delta_us)
    }

    pub(crate) fn tick(&self) -> u64 {
        self.raw.tick
    }

    /// The tables of parameter number `param`.
    pub(crate) fn tables(&self, param: usize) -> &'run [RawTable] {
        // SAFETY: `View::new` was promised that the lists are there.
        let params = unsafe { slice(self.raw.params_ptr, self.raw.params) };
        let Some(param) = params.get(param) else { panic!("the host's view has too few parameters") };
        // SAFETY: as above.
        unsafe { slice(param.tables_ptr, param.tables) }
    }

    /// Where the rows of `T` in column number `column` are: `table.rows` of them, one behind the other.
    pub(crate) fn column<T: ModuleRow>(&self, table: &RawTable, column: usize, writes: bool) -> NonNull<T> {
        match self.optional_column(table, column, writes) {
            Some(rows) => rows,
            None => panic!("the host's view lacks a column of {}", T::NAME),
        }
    }

    /// The same, or `None` when the table has no such rows.
    pub(crate) fn optional_column<T: ModuleRow>(
        &self,
        table: &RawTable,
        column: usize,
        writes: bool,
    ) -> Option<NonNull<T>> {
        if table.rows == 0 {
            return Some(NonNull::dangling());
        }
        // SAFETY: `View::new` was promised that the list is there.
        let columns = unsafe { slice(table.columns_ptr, table.columns) };
        let Some(raw) = columns.get(column) else { panic!("the host's view has too few columns") };
        let ptr = NonNull::new(raw.ptr)?;
        if !T::FLAT {
            return Some(self.decode(table, *raw, writes));
        }
        let rows: NonNull<T> = ptr.cast();
        let fits = raw.len as usize == table.rows as usize * size_of::<T>() && rows.is_aligned();
        assert!(fits, "the host's column of {} has the wrong length or alignment", T::NAME);
        Some(rows)
    }

    /// Decodes a column of rows with variable fields. They live as long as the view.
    fn decode<T: ModuleRow>(&self, table: &RawTable, raw: RawColumn, writes: bool) -> NonNull<T> {
        // SAFETY: `View::new` was promised that the lists are there.
        let original = unsafe { Original::new(table, raw) };
        let rows: Box<[T]> = original.rows().map(sys::decode).collect();
        let rows = NonNull::from(Box::leak(rows));
        self.decoded.borrow_mut().push(Box::new(DecodedRows { rows, original, writes }));
        rows.cast()
    }

    /// Ends the run: gives back the commands, those for changed rows with variable fields first, so that a row
    /// which the system also removed stays removed.
    pub(crate) fn finish(self) -> Vec<u8> {
        let commands = self.commands.into_inner();
        let mut changes = Vec::new();
        for rows in self.decoded.into_inner() {
            rows.changes(&mut changes);
        }
        if changes.is_empty() {
            return commands;
        }
        changes.extend_from_slice(&commands);
        changes
    }
}

/// The list at `ptr`, which may be null when it is empty.
///
/// # Safety
///
/// During `'a` there are `len` values at `ptr`, if `len` is not 0.
pub(crate) unsafe fn slice<'a, T>(ptr: *const T, len: u32) -> &'a [T] {
    if len == 0 {
        return &[];
    }
    // SAFETY: the caller promises it.
    unsafe { std::slice::from_raw_parts(ptr, len as usize) }
}

/// The bytes of a column of rows with variable fields, as the host gave them.
struct Original {
    entities: NonNull<[EntityId]>,
    spans: NonNull<[[u32; 2]]>,
    blob: NonNull<[u8]>,
}

impl Original {
    /// # Safety
    ///
    /// What `table` and `raw` point to is there for as long as the value is used.
    unsafe fn new(table: &RawTable, raw: RawColumn) -> Self {
        // SAFETY: the caller promises it.
        let (entities, spans, blob) = unsafe {
            (
                slice(table.entities_ptr, table.rows),
                slice(raw.ptr.cast_const().cast::<[u32; 2]>(), table.rows),
                slice(raw.blob_ptr, raw.blob_len),
            )
        };
        Self { entities: entities.into(), spans: spans.into(), blob: blob.into() }
    }

    fn entities(&self) -> &[EntityId] {
        // SAFETY: `new` was promised that it is there.
        unsafe { self.entities.as_ref() }
    }

    fn rows(&self) -> impl Iterator<Item = &[u8]> {
        // SAFETY: `new` was promised that both are there.
        let (spans, blob) = unsafe { (self.spans.as_ref(), self.blob.as_ref()) };
        spans.iter().map(move |[offset, len]| {
            let end = (*offset as usize).saturating_add(*len as usize);
            blob.get(*offset as usize..end).expect("the host's spans lie within their blob")
        })
    }
}

/// Rows decoded for a run.
trait Decoded {
    /// Appends a command for every row that is no longer what it was.
    fn changes(&self, commands: &mut Vec<u8>);
}

/// Owns the rows; queries of the run point to them.
struct DecodedRows<T> {
    rows: NonNull<[T]>,
    original: Original,
    writes: bool,
}

impl<T: ModuleRow> Decoded for DecodedRows<T> {
    fn changes(&self, commands: &mut Vec<u8>) {
        if !self.writes {
            return;
        }
        let row = sys::row_number::<T>();
        let mut bytes = Vec::new();
        // SAFETY: the rows are this value's own; the run is over, so no query points to them any more.
        let rows = unsafe { self.rows.as_ref() };
        for ((entity, was), now) in self.original.entities().iter().zip(self.original.rows()).zip(rows) {
            bytes.clear();
            now.encode(&mut bytes);
            if bytes != was {
                super::commands::set(commands, *entity, row, &bytes);
            }
        }
    }
}

impl<T> Drop for DecodedRows<T> {
    fn drop(&mut self) {
        // SAFETY: the rows came from `Box::leak` in `View::decode` and are dropped once, here, after the run.
        drop(unsafe { Box::from_raw(self.rows.as_ptr()) });
    }
}
