//! Running a module natively: what `evertick-testing` builds on.
//!
//! An [`Instance`] is a module with its numbers assigned. It runs reducers and systems on a [`Host`], which is to a native
//! module what the imports of the ABI are to one in WebAssembly.

use evertick_schema::{EntityId, Identity, ModuleDescription, ParamDef, RowLayout, SessionId, Timestamp};

use crate::assemble::{Assembled, Module};
pub use crate::bundle::RowSink;
use crate::ctx::Ctx;
pub use crate::native_run::{ColumnInput, FlatColumn, RunInput, TableInput, VariableColumn};
use crate::space::Focus;
use crate::sys;

/// The functions that the ABI imports. Numbers and result codes are the ABI's.
pub trait Host {
    /// Writes the row of `entity` to `out` if it fits. Its length, or -1 when there is none.
    fn get(&mut self, row: u32, entity: EntityId, out: &mut [u8]) -> i32;
    /// Writes a row of `entity`: 0, -1 no entity or row, -2 duplicate key, -3 present, -4 another place.
    fn put(&mut self, row: u32, entity: EntityId, bytes: &[u8], mode: u32) -> i32;
    /// Inserts a row of a table or resource: its entity, or -2.
    fn insert(&mut self, row: u32, bytes: &[u8]) -> i64;
    /// Removes a row of `entity`.
    fn remove(&mut self, row: u32, entity: EntityId) -> bool;
    /// A new entity.
    fn spawn(&mut self) -> EntityId;
    /// Removes an entity with all its rows.
    fn despawn(&mut self, entity: EntityId) -> bool;
    /// Writes entity and row of a unique key to `out` if they fit. Their length, or -1 when there is none.
    fn find(&mut self, row: u32, field: u32, key: &[u8], out: &mut [u8]) -> i32;
    /// Writes the next rows of a scan to `out`. How many, 0 at the end, or minus the room that the next one needs.
    fn scan(
        &mut self,
        row: u32,
        field: Option<u16>,
        lo: Option<&[u8]>,
        hi: Option<&[u8]>,
        cursor: &mut [u8; 16],
        out: &mut [u8],
    ) -> i32;
    /// Writes the entities near a point to `out`, as many as fit. How many there are.
    fn near(&mut self, space: u32, at: [f32; 2], radius: f32, row: Option<u32>, out: &mut [EntityId]) -> i32;
    /// Sends an event.
    fn emit(&mut self, row: u32, bytes: &[u8]);
    /// Schedules a call. Its timer.
    fn after(&mut self, at: Timestamp, reducer: u32, args: &[u8]) -> u64;
    /// Takes a scheduled call back.
    fn cancel(&mut self, timer: u64) -> bool;
    /// Queues a call of its own.
    fn detached(&mut self, reducer: u32, args: &[u8]);
    /// Sets what the caller's session looks at.
    fn focus(&mut self, focus: Focus);
    /// Joins the caller's session to a group, or takes it out.
    fn join(&mut self, group: u64, on: bool);
    /// Writes a line to the log.
    fn log(&mut self, level: u32, text: &str);
    /// A random number.
    fn random(&mut self) -> u64;
}

/// A module ready to run.
pub struct Instance {
    assembled: Assembled,
    description: ModuleDescription,
    layouts: Vec<RowLayout>,
}

impl Instance {
    /// Assigns the module's numbers.
    ///
    /// # Errors
    ///
    /// What is wrong with the module, line by line: its description's problems, and systems that would have a row
    /// twice at once.
    pub fn new(module: &Module) -> Result<Self, Vec<String>> {
        let assembled = Assembled::new(module);
        let description = assembled.describe();
        let mut problems = assembled.conflicts();
        if let Err(found) = description.check() {
            problems.extend(found.iter().map(ToString::to_string));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let layouts = description.rows.iter().map(|row| RowLayout::of(&row.fields)).collect();
        Ok(Self { assembled, description, layouts })
    }

    /// What the module says about itself.
    pub fn description(&self) -> &ModuleDescription {
        &self.description
    }

    /// Runs reducer number `reducer` and gives back the ABI's outcome: no bytes for `Ok(())`.
    ///
    /// # Panics
    ///
    /// When the reducer does, or `args` are not its arguments.
    pub fn call(
        &self,
        host: &mut dyn Host,
        reducer: u32,
        (now, session, sender): (Timestamp, SessionId, Identity),
        args: &[u8],
    ) -> Vec<u8> {
        let mut out = Vec::new();
        sys::enter(host, &self.assembled.numbering, || {
            self.assembled.call(reducer, &mut Ctx::new(now, session, sender), args, &mut out);
        });
        out
    }

    /// Runs system number `system` on `input`, whose flat columns it writes in place. Gives back its command buffer.
    ///
    /// # Panics
    ///
    /// When the system does, or `input` is not what its description asks for.
    pub fn run(&self, host: &mut dyn Host, system: u32, input: &mut RunInput) -> Vec<u8> {
        let Some(def) = self.description.systems.get(system as usize) else {
            panic!("there is no system number {system}");
        };
        input.check(def, &self.layouts);
        sys::enter(host, &self.assembled.numbering, || {
            input.with_view(|view| self.assembled.run(system, view))
        })
    }

    /// Changes `row` as prediction number `prediction` does for an input's `args` and a tick of `seconds`.
    ///
    /// # Panics
    ///
    /// When the prediction does, or uses anything of the server; when `row` or `args` are not of the types in its description.
    pub fn predict(&self, prediction: u32, row: &mut [u8], args: &[u8], seconds: f32) {
        self.assembled.predict(prediction, row, args, seconds);
    }

    /// The row numbers of the columns that parameter number `param` of system number `system` shows.
    pub fn columns(&self, system: u32, param: usize) -> Vec<u32> {
        let def = self.description.systems.get(system as usize).and_then(|system| system.params.get(param));
        def.map(columns).unwrap_or_default()
    }
}

/// The row numbers of a parameter's columns.
pub(crate) fn columns(param: &ParamDef) -> Vec<u32> {
    match param {
        ParamDef::Query { terms } => {
            terms.iter().filter(|term| term.access.has_column()).map(|term| term.row).collect()
        }
        ParamDef::Res { row } | ParamDef::ResMut { row } => vec![*row],
        ParamDef::Table { .. } | ParamDef::Near | ParamDef::Commands | ParamDef::Now | ParamDef::Rng => {
            Vec::new()
        }
    }
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Instance({})", self.description.name)
    }
}
