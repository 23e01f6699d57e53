//! The imports. Every pointer that goes out is that of a slice.

use evertick_schema::{EntityId, Timestamp};

use crate::slot::Slot;
use crate::space::Focus;

mod import {
    use evertick_schema::EntityId;

    #[link(wasm_import_module = "evertick_1")]
    unsafe extern "C" {
        pub(super) fn get(row: u32, entity: u64, out: *mut u8, cap: usize) -> i32;
        pub(super) fn put(row: u32, entity: u64, ptr: *const u8, len: usize, mode: u32) -> i32;
        pub(super) fn insert(row: u32, ptr: *const u8, len: usize) -> i64;
        pub(super) safe fn remove(row: u32, entity: u64) -> i32;
        pub(super) safe fn spawn() -> u64;
        pub(super) safe fn despawn(entity: u64) -> i32;
        pub(super) fn find(
            row: u32,
            field: u32,
            key: *const u8,
            key_len: usize,
            out: *mut u8,
            cap: usize,
        ) -> i32;
        #[allow(clippy::too_many_arguments)]
        pub(super) fn scan(
            row: u32,
            field: u32,
            lo: *const u8,
            lo_len: u32,
            hi: *const u8,
            hi_len: u32,
            cursor: *mut u8,
            out: *mut u8,
            cap: usize,
        ) -> i32;
        pub(super) fn near(
            space: u32,
            x: f32,
            y: f32,
            radius: f32,
            row: u32,
            out: *mut EntityId,
            cap: usize,
        ) -> i32;
        pub(super) fn emit(row: u32, ptr: *const u8, len: usize);
        pub(super) fn after(at_us: i64, reducer: u32, ptr: *const u8, len: usize) -> u64;
        pub(super) safe fn cancel(timer: u64) -> i32;
        pub(super) fn detached(reducer: u32, ptr: *const u8, len: usize);
        pub(super) safe fn focus(kind: u32, entity: u64, space: u32, x: f32, y: f32, radius: f32);
        pub(super) safe fn join(group: u64, on: u32);
        pub(super) fn log(level: u32, ptr: *const u8, len: usize);
        pub(super) safe fn random() -> u64;
    }
}

/// For a length or a row that is not given.
const NONE: u32 = u32::MAX;

#[inline]
pub(crate) fn slot_number(slot: &Slot) -> Option<u32> {
    slot.number()
}

#[inline]
pub(crate) fn get(row: u32, entity: EntityId, out: &mut [u8]) -> i32 {
    // SAFETY: the host writes at most `out.len()` bytes, all within `out`.
    unsafe { import::get(row, entity.0, out.as_mut_ptr(), out.len()) }
}

#[inline]
pub(crate) fn put(row: u32, entity: EntityId, bytes: &[u8], mode: u32) -> i32 {
    // SAFETY: the host only reads `bytes`.
    unsafe { import::put(row, entity.0, bytes.as_ptr(), bytes.len(), mode) }
}

#[inline]
pub(crate) fn insert(row: u32, bytes: &[u8]) -> i64 {
    // SAFETY: the host only reads `bytes`.
    unsafe { import::insert(row, bytes.as_ptr(), bytes.len()) }
}

pub(crate) fn remove(row: u32, entity: EntityId) -> bool {
    import::remove(row, entity.0) == 1
}

pub(crate) fn spawn() -> EntityId {
    EntityId(import::spawn())
}

pub(crate) fn despawn(entity: EntityId) -> bool {
    import::despawn(entity.0) == 1
}

#[inline]
pub(crate) fn find(row: u32, field: u32, key: &[u8], out: &mut [u8]) -> i32 {
    // SAFETY: the host reads `key` and writes at most `out.len()` bytes, all within `out`.
    unsafe { import::find(row, field, key.as_ptr(), key.len(), out.as_mut_ptr(), out.len()) }
}

pub(crate) fn scan(
    row: u32,
    field: Option<u16>,
    lo: Option<&[u8]>,
    hi: Option<&[u8]>,
    cursor: &mut [u8; 16],
    out: &mut [u8],
) -> i32 {
    let bound = |bytes: Option<&[u8]>| match bytes {
        Some(bytes) => (bytes.as_ptr(), bytes.len() as u32),
        None => (std::ptr::null(), NONE),
    };
    let ((lo, lo_len), (hi, hi_len)) = (bound(lo), bound(hi));
    let field = field.map_or(NONE, u32::from);
    // SAFETY: the host reads the bounds, writes the 16 bytes of `cursor` and at most `out.len()` bytes of `out`.
    unsafe {
        import::scan(row, field, lo, lo_len, hi, hi_len, cursor.as_mut_ptr(), out.as_mut_ptr(), out.len())
    }
}

pub(crate) fn near(space: u32, at: [f32; 2], radius: f32, row: Option<u32>, out: &mut [EntityId]) -> i32 {
    // SAFETY: the host writes at most `out.len()` ids, all within `out`; any `u64` is an id.
    unsafe { import::near(space, at[0], at[1], radius, row.unwrap_or(NONE), out.as_mut_ptr(), out.len()) }
}

pub(crate) fn emit(row: u32, bytes: &[u8]) {
    // SAFETY: the host only reads `bytes`.
    unsafe { import::emit(row, bytes.as_ptr(), bytes.len()) }
}

pub(crate) fn after(at: Timestamp, reducer: u32, args: &[u8]) -> u64 {
    // SAFETY: the host only reads `args`.
    unsafe { import::after(at.0, reducer, args.as_ptr(), args.len()) }
}

pub(crate) fn cancel(timer: u64) -> bool {
    import::cancel(timer) == 1
}

pub(crate) fn detached(reducer: u32, args: &[u8]) {
    // SAFETY: the host only reads `args`.
    unsafe { import::detached(reducer, args.as_ptr(), args.len()) }
}

pub(crate) fn focus(focus: Focus) {
    match focus {
        Focus::None => import::focus(0, 0, 0, 0.0, 0.0, 0.0),
        Focus::Entity { entity, radius } => import::focus(1, entity.0, 0, 0.0, 0.0, radius),
        Focus::Point { place, radius } => {
            import::focus(2, 0, place.space, place.at.x, place.at.y, radius);
        }
    }
}

pub(crate) fn join(group: u64, on: bool) {
    import::join(group, u32::from(on));
}

pub(crate) fn log(level: u32, text: &str) {
    // SAFETY: the host only reads `text`.
    unsafe { import::log(level, text.as_ptr(), text.len()) }
}

pub(crate) fn random() -> u64 {
    import::random()
}
