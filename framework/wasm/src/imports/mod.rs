//! The functions that guests import: thin, checked adapters between guest memory and the world.
//!
//! Every one of them first turns numbers into things (a row type, a slice of memory, a key) or traps with a
//! word on what was wrong, and only then touches the world. None keeps anything of the guest's memory, none
//! calls back into the guest.

mod acts;
mod reads;
mod scans;

use evertick_schema::{EntityId, ROW_BYTES_MAX};
use evertick_world::{RowId, Tx};
use wasmtime::{Caller, Linker};

use crate::load::IMPORT_MODULE;
use crate::memory::{self, Misuse, misuse};
use crate::scope::{Numbers, Scope};
use crate::state::{GuestState, Level};

pub(crate) use scans::OpenScans;

/// Defines all imports.
pub(crate) fn define(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    linker
        .func_wrap(IMPORT_MODULE, "get", reads::get)?
        .func_wrap(IMPORT_MODULE, "find", reads::find)?
        .func_wrap(IMPORT_MODULE, "near", reads::near)?
        .func_wrap(IMPORT_MODULE, "scan", scans::scan)?
        .func_wrap(IMPORT_MODULE, "put", acts::put)?
        .func_wrap(IMPORT_MODULE, "insert", acts::insert)?
        .func_wrap(IMPORT_MODULE, "remove", acts::remove)?
        .func_wrap(IMPORT_MODULE, "spawn", acts::spawn)?
        .func_wrap(IMPORT_MODULE, "despawn", acts::despawn)?
        .func_wrap(IMPORT_MODULE, "emit", acts::emit)?
        .func_wrap(IMPORT_MODULE, "after", acts::after)?
        .func_wrap(IMPORT_MODULE, "cancel", acts::cancel)?
        .func_wrap(IMPORT_MODULE, "detached", acts::detached)?
        .func_wrap(IMPORT_MODULE, "focus", acts::focus)?
        .func_wrap(IMPORT_MODULE, "join", acts::join)?
        .func_wrap(IMPORT_MODULE, "log", log)?
        .func_wrap(IMPORT_MODULE, "random", reads::random)?;
    Ok(())
}

/// What every import is called with first.
type Guest<'a> = Caller<'a, GuestState>;

/// The guest's memory and, beside it, everything else.
#[inline(always)]
fn split<'a>(guest: &'a mut Guest<'_>) -> wasmtime::Result<(&'a mut [u8], &'a mut GuestState)> {
    match guest.data().memory {
        Some(memory) => Ok(memory.data_and_store_mut(guest)),
        None => misuse!("the start function of a module can't call imports"),
    }
}

/// Runs `with` on the transaction, or traps where there is none.
#[inline(always)]
fn in_tx<R>(
    scope: &mut Scope,
    import: &str,
    with: impl FnOnce(&mut Tx<'_>, Numbers<'_>) -> wasmtime::Result<R>,
) -> wasmtime::Result<R> {
    match scope.tx(with) {
        Some(result) => result,
        None if scope.is_open() => {
            misuse!("a system called {import}; systems change what they declare, and the rest by commands")
        }
        None => misuse!("{import} can only be called in a reducer"),
    }
}

/// The row type that the module calls `row`.
#[inline]
fn row_id(rows: &[RowId], row: u32) -> wasmtime::Result<RowId> {
    match rows.get(row as usize) {
        Some(id) => Ok(*id),
        None => misuse!("there is no row type {row}: the module has {}", rows.len()),
    }
}

fn log(mut guest: Guest<'_>, level: u32, ptr: u32, len: u32) -> wasmtime::Result<()> {
    let (memory, state) = split(&mut guest)?;
    if !state.scope.is_open() {
        return misuse!("log can only be called in a reducer or a system");
    }
    let level = Level::of(level).ok_or_else(|| Misuse::trap(format!("there is no log level {level}")))?;
    let text = str::from_utf8(memory::read(memory, ptr, len)?)
        .map_err(|_| Misuse::trap("the text of a log line is not UTF-8"))?;
    state.log.line(level, text);
    Ok(())
}

/// A return value for "there is none".
const NONE: i32 = -1;

/// A length or count as a return value. Rows have at most a megabyte, and worlds a few million entities.
fn count_of(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// `len` bytes at `ptr` that stand for a row: arguments, a key.
#[inline]
fn small(memory: &[u8], ptr: u32, len: u32) -> wasmtime::Result<&[u8]> {
    let bytes = memory::read(memory, ptr, len)?;
    if bytes.len() > ROW_BYTES_MAX {
        return misuse!("{len} bytes are no key and no arguments: {ROW_BYTES_MAX} is the most");
    }
    Ok(bytes)
}

/// Writes `entity` and `row` to the front of `out`, if they fit; returns how many bytes that takes.
fn write_record(out: &mut [u8], entity: EntityId, row: &[u8]) -> usize {
    let need = 8 + row.len();
    if need <= out.len() {
        out[..8].copy_from_slice(&entity.0.to_le_bytes());
        out[8..need].copy_from_slice(row);
    }
    need
}
