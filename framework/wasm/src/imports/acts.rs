//! Imports that change the world. Reducers only.

use evertick_schema::{EntityId, SessionId, Timestamp};
use evertick_world::{Focus, Place, TimerId, WriteError};

use super::{Guest, NONE, in_tx, row_id, small, split};
use crate::memory::{self, Misuse, misuse};

/// Return values of `put` and `insert`, beside [`NONE`].
const DUPLICATE: i32 = -2;
const PRESENT: i32 = -3;
const TWO_PLACES: i32 = -4;

/// What a failed write returns, or that it is misuse.
#[cold]
fn code(error: &WriteError) -> wasmtime::Result<i32> {
    match error {
        WriteError::NoEntity { .. } | WriteError::Absent { .. } => Ok(NONE),
        WriteError::DuplicateKey { .. } => Ok(DUPLICATE),
        WriteError::Present { .. } => Ok(PRESENT),
        WriteError::TwoPlaces { .. } => Ok(TWO_PLACES),
        _ => Err(over(error)),
    }
}

/// A write that no return value stands for.
#[cold]
fn over(error: &WriteError) -> wasmtime::Error {
    Misuse::trap(error.to_string())
}

pub(super) fn put(
    mut guest: Guest<'_>,
    row: u32,
    entity: u64,
    ptr: u32,
    len: u32,
    mode: u32,
) -> wasmtime::Result<i32> {
    let (memory, state) = split(&mut guest)?;
    let bytes = memory::read(memory, ptr, len)?;
    in_tx(&mut state.scope, "put", |tx, numbers| {
        let row = row_id(numbers.rows, row)?;
        let entity = EntityId(entity);
        let written = match mode {
            0 => tx.set(row, entity, bytes),
            1 => tx.insert(row, entity, bytes),
            2 => tx.update(row, entity, bytes),
            _ => return misuse!("put has modes 0, 1 and 2, not {mode}"),
        };
        written.map_or_else(|error| code(&error), |()| Ok(0))
    })
}

pub(super) fn insert(mut guest: Guest<'_>, row: u32, ptr: u32, len: u32) -> wasmtime::Result<i64> {
    let (memory, state) = split(&mut guest)?;
    let bytes = memory::read(memory, ptr, len)?;
    in_tx(&mut state.scope, "insert", |tx, numbers| {
        match tx.insert_row(row_id(numbers.rows, row)?, bytes) {
            // Ids are positive as i64 up to region 32767; above, they wrap, and −2 is no id that is ever assigned.
            Ok(entity) => Ok(entity.0 as i64),
            Err(error) => code(&error).map(i64::from),
        }
    })
}

pub(super) fn remove(mut guest: Guest<'_>, row: u32, entity: u64) -> wasmtime::Result<i32> {
    let (_, state) = split(&mut guest)?;
    let removed = in_tx(&mut state.scope, "remove", |tx, numbers| {
        Ok(tx.remove(row_id(numbers.rows, row)?, EntityId(entity)))
    })?;
    Ok(i32::from(removed))
}

pub(super) fn spawn(mut guest: Guest<'_>) -> wasmtime::Result<u64> {
    let (_, state) = split(&mut guest)?;
    let entity = in_tx(&mut state.scope, "spawn", |tx, _| match tx.spawn() {
        EntityId::NONE => misuse!("{}", tx.over_limit().map_or_else(String::new, ToString::to_string)),
        entity => Ok(entity),
    })?;
    Ok(entity.0)
}

pub(super) fn despawn(mut guest: Guest<'_>, entity: u64) -> wasmtime::Result<i32> {
    let (_, state) = split(&mut guest)?;
    let despawned = in_tx(&mut state.scope, "despawn", |tx, _| Ok(tx.despawn(EntityId(entity))))?;
    Ok(i32::from(despawned))
}

pub(super) fn emit(mut guest: Guest<'_>, row: u32, ptr: u32, len: u32) -> wasmtime::Result<()> {
    let (memory, state) = split(&mut guest)?;
    let bytes = memory::read(memory, ptr, len)?;
    in_tx(&mut state.scope, "emit", |tx, numbers| {
        tx.emit(row_id(numbers.rows, row)?, bytes).map_err(|error| over(&error))
    })
}

pub(super) fn after(
    mut guest: Guest<'_>,
    at_us: i64,
    reducer: u32,
    ptr: u32,
    len: u32,
) -> wasmtime::Result<u64> {
    let (memory, state) = split(&mut guest)?;
    let args = small(memory, ptr, len)?;
    let timer = in_tx(&mut state.scope, "after", |tx, numbers| {
        tx.after(Timestamp(at_us), numbers.module, reducer, args).map_err(|error| over(&error))
    })?;
    Ok(timer.0)
}

pub(super) fn cancel(mut guest: Guest<'_>, timer: u64) -> wasmtime::Result<i32> {
    let (_, state) = split(&mut guest)?;
    let cancelled = in_tx(&mut state.scope, "cancel", |tx, _| Ok(tx.cancel(TimerId(timer))))?;
    Ok(i32::from(cancelled))
}

pub(super) fn detached(mut guest: Guest<'_>, reducer: u32, ptr: u32, len: u32) -> wasmtime::Result<()> {
    let (memory, state) = split(&mut guest)?;
    let args = small(memory, ptr, len)?;
    in_tx(&mut state.scope, "detached", |tx, numbers| {
        tx.detached(numbers.module, reducer, args).map_err(|error| over(&error))
    })
}

pub(super) fn focus(
    mut guest: Guest<'_>,
    kind: u32,
    entity: u64,
    space: u32,
    x: f32,
    y: f32,
    radius: f32,
) -> wasmtime::Result<()> {
    let focus = match kind {
        0 => Focus::None,
        1 => Focus::Entity { entity: EntityId(entity), radius },
        2 => Focus::Point { place: Place { space, at: [x, y] }, radius },
        _ => return misuse!("focus has kinds 0, 1 and 2, not {kind}"),
    };
    let (_, state) = split(&mut guest)?;
    in_tx(&mut state.scope, "focus", |tx, _| {
        let session = tx.caller().session;
        if session != SessionId::NONE {
            tx.focus(session, focus);
        }
        Ok(())
    })
}

pub(super) fn join(mut guest: Guest<'_>, group: u64, on: u32) -> wasmtime::Result<()> {
    let (_, state) = split(&mut guest)?;
    in_tx(&mut state.scope, "join", |tx, _| {
        let session = tx.caller().session;
        match on {
            0 | 1 if session == SessionId::NONE => {}
            0 => tx.leave(session, group),
            1 => tx.join(session, group),
            _ => return misuse!("join has on 0 and 1, not {on}"),
        }
        Ok(())
    })
}
