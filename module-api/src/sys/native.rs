//! The host of the thread, and the numbers of the module that runs on it.

use std::cell::Cell;
use std::ptr::NonNull;

use evertick_schema::{EntityId, Timestamp};

use crate::native::Host;
use crate::slot::{Numbering, Slot};
use crate::space::Focus;

/// What runs on this thread.
#[derive(Clone, Copy)]
struct Running {
    host: NonNull<dyn Host>,
    numbering: NonNull<Numbering>,
}

thread_local! {
    static RUNNING: Cell<Option<Running>> = const { Cell::new(None) };
}

/// Puts back what ran before, also when the module panics.
struct Restore(Option<Running>);

impl Drop for Restore {
    fn drop(&mut self) {
        RUNNING.set(self.0);
    }
}

/// Runs `module` with its host functions going to `host`.
pub(crate) fn enter<R>(host: &mut dyn Host, numbering: &Numbering, module: impl FnOnce() -> R) -> R {
    let host: NonNull<dyn Host + '_> = NonNull::from(host);
    // SAFETY: only the lifetime is forgotten. The pointer is used while `RUNNING` holds it, and `Restore` takes it
    // out before this function returns or unwinds, while the borrow that it came from is still there.
    let host: NonNull<dyn Host> = unsafe { std::mem::transmute(host) };
    let running = Running { host, numbering: NonNull::from(numbering) };
    let _restore = Restore(RUNNING.replace(Some(running)));
    module()
}

/// Calls the host. It is taken out meanwhile, so that it is never borrowed twice.
fn with<R>(call: impl FnOnce(&mut (dyn Host + 'static)) -> R) -> R {
    let Some(running) = RUNNING.take() else {
        panic!("this works only inside a reducer or system that a server or a `TestWorld` runs");
    };
    let _restore = Restore(Some(running));
    let mut host = running.host;
    // SAFETY: `enter` is on the stack and holds the exclusive borrow; nobody else has the pointer, as it is
    // taken out of `RUNNING` until this call is over.
    call(unsafe { host.as_mut() })
}

pub(crate) fn slot_number(slot: &Slot) -> Option<u32> {
    // SAFETY: `enter` is on the stack and holds the shared borrow of the numbering.
    let numbering = RUNNING.get().map(|running| unsafe { running.numbering.as_ref() });
    numbering.and_then(|numbering| numbering.number(slot))
}

pub(crate) fn get(row: u32, entity: EntityId, out: &mut [u8]) -> i32 {
    with(|host| host.get(row, entity, out))
}

pub(crate) fn put(row: u32, entity: EntityId, bytes: &[u8], mode: u32) -> i32 {
    with(|host| host.put(row, entity, bytes, mode))
}

pub(crate) fn insert(row: u32, bytes: &[u8]) -> i64 {
    with(|host| host.insert(row, bytes))
}

pub(crate) fn remove(row: u32, entity: EntityId) -> bool {
    with(|host| host.remove(row, entity))
}

pub(crate) fn spawn() -> EntityId {
    with(Host::spawn)
}

pub(crate) fn despawn(entity: EntityId) -> bool {
    with(|host| host.despawn(entity))
}

pub(crate) fn find(row: u32, field: u32, key: &[u8], out: &mut [u8]) -> i32 {
    with(|host| host.find(row, field, key, out))
}

pub(crate) fn scan(
    row: u32,
    field: Option<u16>,
    lo: Option<&[u8]>,
    hi: Option<&[u8]>,
    cursor: &mut [u8; 16],
    out: &mut [u8],
) -> i32 {
    with(|host| host.scan(row, field, lo, hi, cursor, out))
}

pub(crate) fn near(space: u32, at: [f32; 2], radius: f32, row: Option<u32>, out: &mut [EntityId]) -> i32 {
    with(|host| host.near(space, at, radius, row, out))
}

pub(crate) fn emit(row: u32, bytes: &[u8]) {
    with(|host| host.emit(row, bytes));
}

pub(crate) fn after(at: Timestamp, reducer: u32, args: &[u8]) -> u64 {
    with(|host| host.after(at, reducer, args))
}

pub(crate) fn cancel(timer: u64) -> bool {
    with(|host| host.cancel(timer))
}

pub(crate) fn detached(reducer: u32, args: &[u8]) {
    with(|host| host.detached(reducer, args));
}

pub(crate) fn focus(focus: Focus) {
    with(|host| host.focus(focus));
}

pub(crate) fn join(group: u64, on: bool) {
    with(|host| host.join(group, on));
}

pub(crate) fn log(level: u32, text: &str) {
    with(|host| host.log(level, text));
}

pub(crate) fn random() -> u64 {
    with(Host::random)
}
