//! From plugins to a module.

use std::fmt;

use evertick_schema::{
    ABI_VERSION, ModuleDescription, PredictionDef, ReducerDef, Row, RowDef, RowError, SystemDef,
};

use crate::builtin::{Owner, Player};
use crate::conflicts;
use crate::ctx::Ctx;
use crate::rows::{ModuleCall, ModuleRow};
use crate::slot::{Numbering, Slot};
use crate::system::View;

/// Decodes the arguments, runs a reducer and encodes how it ended.
pub type RunReducer = fn(&mut Ctx, &[u8], &mut Vec<u8>) -> Result<(), RowError>;

/// Runs a system on what a view shows.
pub type RunSystem = fn(&View<'_>);

/// Reads the row and the input's arguments, and changes the row by them and the seconds of a tick.
pub type RunPrediction = fn(&mut [u8], &[u8], f32) -> Result<(), RowError>;

/// What one file adds to its module; made by [`plugin!`](crate::plugin!).
#[derive(Clone, Copy)]
pub struct Plugin {
    rows: &'static [RowEntry],
    reducers: &'static [ReducerEntry],
    systems: &'static [SystemEntry],
    predictions: &'static [PredictionEntry],
}

impl Plugin {
    #[doc(hidden)]
    pub const fn __new(
        rows: &'static [RowEntry],
        reducers: &'static [ReducerEntry],
        systems: &'static [SystemEntry],
        predictions: &'static [PredictionEntry],
    ) -> Self {
        Self { rows, reducers, systems, predictions }
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plugin({} rows, ", self.rows.len())?;
        write!(f, "{} reducers, {} systems, ", self.reducers.len(), self.systems.len())?;
        write!(f, "{} predictions)", self.predictions.len())
    }
}

/// A row type in a plugin's list.
#[derive(Clone, Copy)]
pub struct RowEntry {
    name: &'static str,
    def: fn() -> RowDef,
    slot: fn() -> &'static Slot,
}

impl RowEntry {
    /// The entry of `T`.
    pub const fn of<T: ModuleRow>() -> Self {
        Self { name: T::NAME, def: T::def, slot: T::slot }
    }
}

/// A reducer in a plugin's list.
#[derive(Clone, Copy)]
pub struct ReducerEntry {
    /// Its description.
    pub describe: fn() -> ReducerDef,
    /// Its code.
    pub run: RunReducer,
    /// Where its number stands.
    pub slot: fn() -> &'static Slot,
}

/// A system in a plugin's list.
#[derive(Clone, Copy)]
pub struct SystemEntry {
    /// Its description.
    pub describe: fn(&Numbers<'_>) -> SystemDef,
    /// Its code.
    pub run: RunSystem,
}

/// A prediction in a plugin's list.
#[derive(Clone, Copy)]
pub struct PredictionEntry {
    /// Its description.
    pub describe: fn(&Numbers<'_>) -> PredictionDef,
    /// Its code.
    pub run: RunPrediction,
}

/// The numbers that descriptions of systems and predictions name.
#[derive(Debug)]
pub struct Numbers<'a>(&'a Numbering);

impl Numbers<'_> {
    /// The number of `T`; one that is not there when `T` is in no plugin, which the description's check finds.
    pub fn row<T: ModuleRow>(&self) -> u32 {
        self.0.number(T::slot()).unwrap_or(u32::MAX)
    }

    /// The number of the reducer that `C` calls; likewise.
    pub fn reducer<C: ModuleCall>(&self) -> u32 {
        self.0.number(C::slot()).unwrap_or(u32::MAX)
    }
}

/// A module: a name and plugins. [`export_module!`](crate::export_module!) makes one.
#[derive(Clone, Copy, Debug)]
pub struct Module {
    name: &'static str,
    plugins: &'static [Plugin],
}

impl Module {
    /// A module called `name` of these plugins, in this order.
    pub const fn new(name: &'static str, plugins: &'static [Plugin]) -> Self {
        Self { name, plugins }
    }

    /// The module's name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What the module says about itself. It is not checked.
    pub fn description(&self) -> ModuleDescription {
        Assembled::new(self).describe()
    }

    /// The names of the row types, in the order of their numbers.
    fn rows(&self) -> impl Iterator<Item = RowEntry> + '_ {
        // A file may list the row types that every world has; they are there in any case.
        let builtin = [RowEntry::of::<Player>(), RowEntry::of::<Owner>()];
        let own = self.plugins.iter().flat_map(|plugin| plugin.rows);
        let own = own.filter(|row| ![Player::NAME, Owner::NAME].contains(&row.name)).copied();
        builtin.into_iter().chain(own)
    }
}

/// A module with its numbers assigned.
pub(crate) struct Assembled {
    module: Module,
    pub(crate) numbering: Numbering,
    reducers: Vec<ReducerEntry>,
    systems: Vec<SystemEntry>,
    predictions: Vec<PredictionEntry>,
}

impl Assembled {
    pub(crate) fn new(module: &Module) -> Self {
        let mut numbering = Numbering::default();
        for (number, row) in (0..).zip(module.rows()) {
            numbering.assign((row.slot)(), number);
        }
        let reducers: Vec<_> = module.plugins.iter().flat_map(|plugin| plugin.reducers).copied().collect();
        for (number, reducer) in (0..).zip(&reducers) {
            numbering.assign((reducer.slot)(), number);
        }
        let systems = module.plugins.iter().flat_map(|plugin| plugin.systems).copied().collect();
        let predictions = module.plugins.iter().flat_map(|plugin| plugin.predictions).copied().collect();
        Self { module: *module, numbering, reducers, systems, predictions }
    }

    pub(crate) fn describe(&self) -> ModuleDescription {
        let numbers = Numbers(&self.numbering);
        ModuleDescription {
            abi: ABI_VERSION,
            name: self.module.name.to_owned(),
            rows: self.module.rows().map(|row| (row.def)()).collect(),
            reducers: self.reducers.iter().map(|reducer| (reducer.describe)()).collect(),
            systems: self.systems.iter().map(|system| (system.describe)(&numbers)).collect(),
            predictions: self.predictions.iter().map(|entry| (entry.describe)(&numbers)).collect(),
        }
    }

    /// What is wrong with the systems: two of a system's parameters would give the same row to be written.
    pub(crate) fn conflicts(&self) -> Vec<String> {
        conflicts::find(&self.describe())
    }

    /// Runs reducer number `reducer`. `out` is empty, and stays so when the reducer returns `Ok(())`.
    #[inline]
    pub(crate) fn call(&self, reducer: u32, ctx: &mut Ctx, args: &[u8], out: &mut Vec<u8>) {
        let Some(entry) = self.reducers.get(reducer as usize) else {
            panic!("module {} has no reducer number {reducer}", self.module.name);
        };
        if let Err(error) = (entry.run)(ctx, args, out) {
            panic!("the host called reducer number {reducer} with bad arguments: {error}");
        }
    }

    /// Runs system number `system`, and leaves its commands in the view.
    #[inline]
    pub(crate) fn run(&self, system: u32, view: &View<'_>) {
        let Some(entry) = self.systems.get(system as usize) else {
            panic!("module {} has no system number {system}", self.module.name);
        };
        (entry.run)(view);
    }

    /// Changes `row` as prediction number `prediction` does for an input's `args` and a tick of `seconds`.
    #[inline]
    pub(crate) fn predict(&self, prediction: u32, row: &mut [u8], args: &[u8], seconds: f32) {
        let Some(entry) = self.predictions.get(prediction as usize) else {
            panic!("module {} has no prediction number {prediction}", self.module.name);
        };
        if let Err(error) = (entry.run)(row, args, seconds) {
            panic!("prediction number {prediction} was called with a bad row or bad arguments: {error}");
        }
    }
}
