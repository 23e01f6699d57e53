//! Imports that read the world: [`Source`]'s methods, and the imports on top of them.

use evertick_schema::{EntityId, IndexDef, Type};
use evertick_world::{Place, RowId, RowType, Undeclared};

use super::{Guest, NONE, count_of, row_id, small, split, write_record};
use crate::memory::{self, Misuse, misuse};
use crate::scope::{Scope, Source};
use crate::state::GuestState;

/// Stands for "of any type", "by no index" and "without bound".
pub(super) const ANY: u32 = u32::MAX;

/// A system read what it does not declare.
#[cold]
pub(super) fn undeclared(error: Undeclared) -> wasmtime::Error {
    Misuse::trap(error.to_string())
}

impl Source<'_, '_> {
    /// The row type that the module calls `row`.
    pub(super) fn row_id(&self, row: u32) -> wasmtime::Result<RowId> {
        match self {
            Self::Call(_, rows) => row_id(rows, row),
            Self::Run(view) => row_id(view.rows(), row),
        }
    }

    fn row_type(&self, row: RowId) -> wasmtime::Result<&RowType> {
        match self {
            Self::Call(tx, _) => Ok(tx.row(row)),
            Self::Run(view) => view.row_type(row).map_err(undeclared),
        }
    }

    pub(super) fn get(&self, row: RowId, entity: EntityId) -> wasmtime::Result<Option<&[u8]>> {
        match self {
            Self::Call(tx, _) => Ok(tx.get(row, entity)),
            Self::Run(view) => view.get(row, entity).map_err(undeclared),
        }
    }

    fn find(&self, row: RowId, field: u16, key: &[u8]) -> wasmtime::Result<Option<EntityId>> {
        match self {
            Self::Call(tx, _) => Ok(tx.find(row, field, key)),
            Self::Run(view) => view.find(row, field, key).map_err(undeclared),
        }
    }

    fn near(
        &self,
        place: Place,
        radius: f32,
        with: Option<RowId>,
        out: &mut Vec<EntityId>,
    ) -> wasmtime::Result<()> {
        match self {
            Self::Call(tx, _) => tx.near(place, radius, with, out),
            Self::Run(view) => view.near(place, radius, with, out).map_err(undeclared)?,
        }
        Ok(())
    }

    /// The index on `field`, and that `keys` can be looked up in it.
    pub(super) fn index(&self, row: RowId, field: u32, keys: &[Option<&[u8]>]) -> wasmtime::Result<IndexDef> {
        let row = self.row_type(row)?;
        let Some(index) = row.def.indexes.iter().find(|index| u32::from(index.field) == field) else {
            return misuse!("{} has no index on field {field}", row.name);
        };
        let layout = &row.layout.fields[usize::from(index.field)];
        for key in keys.iter().flatten() {
            if layout.ty != Type::String && key.len() != layout.size as usize {
                return misuse!(
                    "a key of {} bytes for field {field} of {}, which has {}",
                    key.len(),
                    row.name,
                    layout.size
                );
            }
        }
        Ok(*index)
    }
}

/// Runs `with` on what the guest reads from, or traps where there is nothing to read from.
#[inline(always)]
pub(super) fn reading<R>(
    scope: &mut Scope,
    import: &str,
    with: impl FnOnce(Source<'_, '_>) -> wasmtime::Result<R>,
) -> wasmtime::Result<R> {
    match scope.source(with) {
        Some(result) => result,
        None => misuse!("{import} can only be called in a reducer or a system"),
    }
}

pub(super) fn get(mut guest: Guest<'_>, row: u32, entity: u64, out: u32, cap: u32) -> wasmtime::Result<i32> {
    let (memory, state) = split(&mut guest)?;
    let out = memory::write(memory, out, cap)?;
    reading(&mut state.scope, "get", |source| {
        let Some(row) = source.get(source.row_id(row)?, EntityId(entity))? else { return Ok(NONE) };
        if let Some(out) = out.get_mut(..row.len()) {
            out.copy_from_slice(row);
        }
        Ok(count_of(row.len()))
    })
}

pub(super) fn find(
    mut guest: Guest<'_>,
    row: u32,
    field: u32,
    key: u32,
    key_len: u32,
    out: u32,
    cap: u32,
) -> wasmtime::Result<i32> {
    let (memory, state) = split(&mut guest)?;
    let GuestState { scope, key: copy, .. } = state;
    // The key and the room for the row may overlap in a guest's memory.
    copy.clear();
    copy.extend_from_slice(small(memory, key, key_len)?);
    let out = memory::write(memory, out, cap)?;
    reading(scope, "find", |source| {
        let row = source.row_id(row)?;
        let index = source.index(row, field, &[Some(copy)])?;
        if !index.unique {
            return misuse!("find needs a unique index, and that on field {field} is none; use scan");
        }
        let Some(entity) = source.find(row, index.field, copy)? else { return Ok(NONE) };
        match source.get(row, entity)? {
            Some(row) => Ok(count_of(write_record(out, entity, row))),
            None => Ok(NONE),
        }
    })
}

#[allow(clippy::too_many_arguments, reason = "the ABI's signature")]
pub(super) fn near(
    mut guest: Guest<'_>,
    space: u32,
    x: f32,
    y: f32,
    radius: f32,
    row: u32,
    out: u32,
    cap: u32,
) -> wasmtime::Result<i32> {
    let (memory, state) = split(&mut guest)?;
    let GuestState { scope, found, .. } = state;
    let bytes = cap
        .checked_mul(8)
        .ok_or_else(|| Misuse::trap(format!("there is no room for {cap} ids at {out:#x}")))?;
    let out = memory::write(memory, out, bytes)?;
    found.clear();
    reading(scope, "near", |source| {
        let with = if row == ANY { None } else { Some(source.row_id(row)?) };
        source.near(Place { space, at: [x, y] }, radius, with, found)
    })?;
    for (out, entity) in out.as_chunks_mut().0.iter_mut().zip(&*found) {
        *out = entity.0.to_le_bytes();
    }
    Ok(count_of(found.len()))
}

pub(super) fn random(mut guest: Guest<'_>) -> wasmtime::Result<u64> {
    let (_, state) = split(&mut guest)?;
    reading(&mut state.scope, "random", |source| {
        Ok(match source {
            Source::Call(tx, _) => tx.random(),
            Source::Run(view) => view.random(),
        })
    })
}
