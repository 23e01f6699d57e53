//! The host's functions, the same on both sides of the ABI.
//!
//! In WebAssembly they are imports; natively they go to the [`Host`](crate::native::Host) that the thread is
//! running a module on. Both have the signatures and result codes of the ABI, with slices for pointers, so
//! all other code of this crate is the same.

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
mod wasm;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use native::*;
#[cfg(target_arch = "wasm32")]
pub(crate) use wasm::*;

use std::cell::Cell;

use evertick_schema::{EntityId, Row};

use crate::errors::{Duplicate, WriteError};
use crate::rows::{Buffer, ModuleCall, ModuleRow};

/// How `put` treats what is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PutMode {
    Set = 0,
    Insert = 1,
    Update = 2,
}

/// The number of row type `T` in the running module.
#[inline]
pub(crate) fn row_number<T: ModuleRow>() -> u32 {
    match slot_number(T::slot()) {
        Some(number) => number,
        None => unlisted("row type", T::NAME, "rows"),
    }
}

/// The number of the reducer that `C` calls in the running module.
#[inline]
pub(crate) fn reducer_number<C: ModuleCall>() -> u32 {
    match slot_number(C::slot()) {
        Some(number) => number,
        None => unlisted("reducer", C::NAME, "reducers"),
    }
}

#[cold]
fn unlisted(what: &str, name: &str, list: &str) -> ! {
    panic!(
        "the {what} `{name}` is in no plugin of this module: add it to `{list}: [..]` of its file's `plugin!`"
    );
}

thread_local! {
    /// A buffer that encoding reuses.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Calls `take` with what `fill` appends to a reused buffer.
pub(crate) fn with_scratch<R>(fill: impl FnOnce(&mut Vec<u8>), take: impl FnOnce(&[u8]) -> R) -> R {
    with_scratch_mut(|scratch| {
        fill(scratch);
        take(scratch)
    })
}

/// Calls `work` with a reused empty buffer.
pub(crate) fn with_scratch_mut<R>(work: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let mut scratch = SCRATCH.take();
    scratch.clear();
    let result = work(&mut scratch);
    SCRATCH.set(scratch);
    result
}

/// Calls `take` with the bytes of `row`: a flat row's are its memory.
#[inline]
pub(crate) fn with_bytes<T: ModuleRow, R>(row: &T, take: impl FnOnce(&[u8]) -> R) -> R {
    if T::FLAT {
        // SAFETY: `ModuleRow` says that a flat row has no padding, so all its bytes are initialized; the slice
        // lives no longer than the borrow of `row`.
        let bytes =
            unsafe { std::slice::from_raw_parts(std::ptr::from_ref(row).cast::<u8>(), size_of::<T>()) };
        take(bytes)
    } else {
        with_scratch(|out| row.encode(out), take)
    }
}

/// Calls `take` with the bytes that `fill` writes: it says how many there are, negative for none, and when
/// they are more than it was given room for it has written nothing.
#[inline]
pub(crate) fn with_filled<T: ModuleRow, R>(
    mut fill: impl FnMut(&mut [u8]) -> i32,
    take: impl FnOnce(&[u8]) -> R,
) -> Option<R> {
    let mut buffer = T::Buffer::zeroed();
    let room = buffer.bytes();
    let len = usize::try_from(fill(room)).ok()?;
    if let Some(filled) = room.get(..len) {
        return Some(take(filled));
    }
    let mut large = vec![0; len];
    let again = fill(&mut large);
    assert_eq!(usize::try_from(again), Ok(len), "a row changed its length between two reads");
    Some(take(&large))
}

/// Reads a row that the host gave.
#[inline]
pub(crate) fn decode<T: Row>(bytes: &[u8]) -> T {
    match T::decode(bytes) {
        Ok(row) => row,
        Err(error) => panic!("the host gave bytes that are no {}: {error}", T::NAME),
    }
}

/// Splits what `find` gives.
#[inline]
pub(crate) fn decode_found<T: Row>(bytes: &[u8]) -> (EntityId, T) {
    match bytes.split_first_chunk() {
        Some((id, row)) => (EntityId(u64::from_le_bytes(*id)), decode(row)),
        None => panic!("the host gave {} bytes for an id and a {}", bytes.len(), T::NAME),
    }
}

/// The row of `T` that `entity` has.
#[inline]
pub(crate) fn read<T: ModuleRow>(entity: EntityId) -> Option<T> {
    let row = row_number::<T>();
    with_filled::<T, _>(|room| get(row, entity, room), decode)
}

/// Writes a row of `entity`.
#[inline]
pub(crate) fn write<T: ModuleRow>(entity: EntityId, row: &T, mode: PutMode) -> Result<(), WriteError> {
    let number = row_number::<T>();
    let code = with_bytes(row, |bytes| put(number, entity, bytes, mode as u32));
    let row = T::NAME;
    match code {
        0 => Ok(()),
        -1 => Err(WriteError::NoEntity { row }),
        -2 => Err(WriteError::Duplicate(Duplicate { row })),
        -3 => Err(WriteError::Present { row }),
        -4 => Err(WriteError::TwoPlaces { row }),
        code => panic!("the host answered {code} to a write of {row}"),
    }
}
