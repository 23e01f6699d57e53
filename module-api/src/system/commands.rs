//! Structural changes by systems, applied after their run.

use std::cell::RefCell;
use std::fmt;

use evertick_schema::{Duration, EntityId, ParamDef, Timestamp};

use crate::assemble::Numbers;
use crate::bundle::{Bundle, RowSink};
use crate::ctx::later;
use crate::rows::{Component, Event, ModuleCall, ModuleRow, Resource, TableRow};
use crate::sys;
use crate::system::param::SystemParam;
use crate::system::view::View;

const SPAWN: u8 = 0;
const SET: u8 = 1;
const REMOVE: u8 = 2;
const DESPAWN: u8 = 3;
const EMIT: u8 = 4;
const INSERT: u8 = 5;
const AFTER: u8 = 6;
const DETACHED: u8 = 7;

/// What a system wants changed that it can't change in place. All of it happens after the run, in order; what is not
/// possible then (the entity is gone, the key is taken) is skipped and counted.
pub struct Commands<'run> {
    buffer: &'run RefCell<Vec<u8>>,
    now: Timestamp,
}

impl<'run> SystemParam<'run> for Commands<'run> {
    fn describe(_numbers: &Numbers<'_>) -> ParamDef {
        ParamDef::Commands
    }

    fn from_view(view: &'run View<'_>, _param: usize) -> Self {
        Self { buffer: &view.commands, now: view.now() }
    }
}

impl Commands<'_> {
    /// A new entity with these components. Its id is not known before the run is over.
    pub fn spawn<B: Bundle>(&mut self, bundle: B) {
        let mut buffer = self.buffer.borrow_mut();
        buffer.push(SPAWN);
        buffer.extend_from_slice(&B::ROWS.to_le_bytes());
        bundle.each(&mut Rows(&mut buffer));
    }

    /// Gives `entity` this component, in place of the one it may have.
    pub fn set<T: Component>(&mut self, entity: EntityId, row: T) {
        let number = sys::row_number::<T>();
        let mut buffer = self.buffer.borrow_mut();
        sys::with_bytes(&row, |bytes| set(&mut buffer, entity, number, bytes));
    }

    /// Removes the `T` of `entity`.
    pub fn remove<T: Component>(&mut self, entity: EntityId) {
        let number = sys::row_number::<T>();
        let mut buffer = self.buffer.borrow_mut();
        buffer.push(REMOVE);
        buffer.extend_from_slice(&entity.0.to_le_bytes());
        buffer.extend_from_slice(&number.to_le_bytes());
    }

    /// Removes `entity` with all its rows.
    pub fn despawn(&mut self, entity: EntityId) {
        let mut buffer = self.buffer.borrow_mut();
        buffer.push(DESPAWN);
        buffer.extend_from_slice(&entity.0.to_le_bytes());
    }

    /// Sends an event to whom its type says.
    pub fn emit<T: Event>(&mut self, event: T) {
        self.row(EMIT, &event);
    }

    /// A new row of a table.
    pub fn insert<T: TableRow>(&mut self, row: T) {
        self.row(INSERT, &row);
    }

    /// Sets the resource `T`.
    pub fn set_resource<T: Resource>(&mut self, row: T) {
        self.row(INSERT, &row);
    }

    /// Schedules a call for `delay` from now, by the server itself. It is part of the world, and ends with it.
    pub fn after<C: ModuleCall>(&mut self, delay: Duration, call: C) {
        let number = sys::reducer_number::<C>();
        let mut buffer = self.buffer.borrow_mut();
        buffer.push(AFTER);
        buffer.extend_from_slice(&later(self.now, delay).0.to_le_bytes());
        buffer.extend_from_slice(&number.to_le_bytes());
        with_len(&mut buffer, |buffer| call.encode(buffer));
    }

    /// Queues a call that runs after the tick, as a transaction of its own, by the server itself.
    pub fn detached<C: ModuleCall>(&mut self, call: C) {
        let number = sys::reducer_number::<C>();
        let mut buffer = self.buffer.borrow_mut();
        buffer.push(DETACHED);
        buffer.extend_from_slice(&number.to_le_bytes());
        with_len(&mut buffer, |buffer| call.encode(buffer));
    }

    fn row<T: ModuleRow>(&self, op: u8, row: &T) {
        let mut buffer = self.buffer.borrow_mut();
        buffer.push(op);
        append(&mut buffer, row);
    }
}

impl fmt::Debug for Commands<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Commands({} bytes)", self.buffer.borrow().len())
    }
}

/// Appends the rows of a bundle.
struct Rows<'a>(&'a mut Vec<u8>);

impl RowSink for Rows<'_> {
    fn row<T: Component>(&mut self, row: &T) {
        append(self.0, row);
    }
}

/// Appends number, length and bytes of a row.
fn append<T: ModuleRow>(buffer: &mut Vec<u8>, row: &T) {
    buffer.extend_from_slice(&sys::row_number::<T>().to_le_bytes());
    with_len(buffer, |buffer| row.encode(buffer));
}

/// Appends what `fill` appends, with its length before it.
fn with_len(buffer: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    let at = buffer.len();
    buffer.extend_from_slice(&[0; 4]);
    fill(buffer);
    let len = (buffer.len() - at - 4) as u32;
    buffer[at..at + 4].copy_from_slice(&len.to_le_bytes());
}

/// Appends a `set`.
pub(crate) fn set(buffer: &mut Vec<u8>, entity: EntityId, row: u32, bytes: &[u8]) {
    buffer.push(SET);
    buffer.extend_from_slice(&entity.0.to_le_bytes());
    buffer.extend_from_slice(&row.to_le_bytes());
    buffer.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    buffer.extend_from_slice(bytes);
}
