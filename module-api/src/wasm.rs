//! The exports' bodies.

use std::alloc::Layout;
use std::cell::RefCell;
use std::sync::OnceLock;

use evertick_schema::{Identity, SessionId, Timestamp};

use crate::assemble::{Assembled, Module};
use crate::ctx::Ctx;
use crate::log::{self, Level};
use crate::system::view::{RawView, View};

/// What stands before a call's arguments: now, session, sender.
const HEADER: usize = 48;
/// How the host wants its buffers aligned.
const ALIGN: usize = 16;

static GUEST: OnceLock<Assembled> = OnceLock::new();

thread_local! {
    /// What the last call or run gave back. The host reads it before it calls again.
    static OUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

#[inline]
fn guest(module: fn() -> Module) -> &'static Assembled {
    GUEST.get_or_init(|| {
        std::panic::set_hook(Box::new(|info| log::write(Level::Error, format_args!("{info}"))));
        let assembled = Assembled::new(&module());
        let conflicts = assembled.conflicts();
        assert!(conflicts.is_empty(), "{}", conflicts.join("; "));
        assembled
    })
}

fn packed(bytes: &[u8]) -> u64 {
    if bytes.is_empty() { 0 } else { (bytes.as_ptr() as u64) << 32 | bytes.len() as u64 }
}

/// `evertick_describe`. The instance is thrown away after it, so the JSON stays.
pub fn describe(module: fn() -> Module) -> u64 {
    packed(module().description().to_json().leak())
}

/// `evertick_alloc`.
pub fn alloc(len: u32) -> u32 {
    match Layout::from_size_align(len as usize, ALIGN) {
        // SAFETY: the layout has a size.
        Ok(layout) if len > 0 => unsafe { std::alloc::alloc(layout) as u32 },
        Ok(_) => ALIGN as u32,
        Err(_) => 0,
    }
}

/// `evertick_call`.
///
/// # Safety
///
/// `len` bytes at `ptr` are initialized and nobody writes them during the call.
pub unsafe fn call(module: fn() -> Module, reducer: u32, ptr: u32, len: u32) -> u64 {
    let guest = guest(module);
    // SAFETY: the caller promises it.
    let input = unsafe { std::slice::from_raw_parts(ptr as *const u8, len as usize) };
    let Some((header, args)) = input.split_first_chunk::<HEADER>() else {
        panic!("the host called with {} bytes, fewer than a header", input.len());
    };
    let (now, rest) = header.split_first_chunk().expect("a header has 48 bytes");
    let (session, sender) = rest.split_first_chunk().expect("a header has 48 bytes");
    let sender = sender.first_chunk().expect("a header has 48 bytes");
    let mut ctx = Ctx::new(
        Timestamp(i64::from_le_bytes(*now)),
        SessionId(u64::from_le_bytes(*session)),
        Identity(*sender),
    );
    OUT.with_borrow_mut(|out| {
        out.clear();
        guest.call(reducer, &mut ctx, args, out);
        packed(out)
    })
}

/// `evertick_run`.
///
/// # Safety
///
/// At `view` is a view as the ABI says, with what the system's description asks for, and nobody else touches it or what it
/// points to during the call.
pub unsafe fn run(module: fn() -> Module, system: u32, view: u32) -> u64 {
    let guest = guest(module);
    OUT.with_borrow_mut(|out| {
        out.clear();
        // SAFETY: the caller promises it; that no column is given twice to be written was checked in `guest`.
        let view = unsafe { View::new(&*(view as *const RawView), std::mem::take(out)) };
        guest.run(system, &view);
        *out = view.finish();
        packed(out)
    })
}

/// `evertick_predict`.
///
/// # Safety
///
/// The bytes of the row and those of the arguments, each an address and a length, are initialized, do not overlap, and nobody
/// else touches them during the call.
pub unsafe fn predict(
    module: fn() -> Module,
    prediction: u32,
    row: (u32, u32),
    args: (u32, u32),
    seconds: f32,
) {
    let guest = guest(module);
    // SAFETY: the caller promises it.
    let row = unsafe { std::slice::from_raw_parts_mut(row.0 as *mut u8, row.1 as usize) };
    // SAFETY: the caller promises it.
    let args = unsafe { std::slice::from_raw_parts(args.0 as *const u8, args.1 as usize) };
    guest.predict(prediction, row, args, seconds);
}
