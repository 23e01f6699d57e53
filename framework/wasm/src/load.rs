//! From a module's bytes to a guest: compile or fetch, look it over, let it describe itself.

use std::fmt;
use std::sync::Arc;

use evertick_schema::{ABI_VERSION, DescriptionError, ModuleDescription, Problem, ReducerKind};
use evertick_world::GuestFault;
use wasmtime::{ExternType, FuncType, Module, Store, ValType};

use crate::cache::{self, CompiledKey};
use crate::config::GuestLimits;
use crate::engine::Engine;
use crate::guest::WasmGuest;
use crate::instance::Instance;
use crate::outcome::output;
use crate::state::GuestState;
use crate::symbols::Symbols;

/// The module that all imports come from.
pub(crate) const IMPORT_MODULE: &str = "evertick_1";

/// The name in logs until the module has said its own.
const UNNAMED: &str = "a module being loaded";

/// The longest description, in bytes: 4,096 row types with a kilobyte each.
const DESCRIPTION_BYTES_MAX: usize = 4 << 20;

/// The most problems of a description that are listed.
const PROBLEMS_MAX: usize = 20;

/// Why a module could not be loaded. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The bytes are too many to be compiled.
    #[error(
        "the module has {bytes} bytes, more than {max}: build it with the `module` profile, or raise EngineConfig::module_bytes_max"
    )]
    TooLarge {
        /// The module's size in bytes.
        bytes: usize,
        /// The most that is compiled.
        max: usize,
    },
    /// The bytes are no WebAssembly module that can run here.
    #[error(
        "this is not a WebAssembly module that Evertick can run: {0}; give it the .wasm file of a crate with crate-type \"cdylib\", built for wasm32-unknown-unknown"
    )]
    NotWasm(String),
    /// The module imports what Evertick does not give.
    #[error(
        "the module imports {import}, which Evertick does not provide{hint}; guests have the imports of docs/abi.md and nothing else: no WASI, no JavaScript"
    )]
    Import {
        /// Module and name.
        import: String,
        /// What is there instead, if anything is.
        hint: String,
    },
    /// An export is missing or of another type.
    #[error("the module has no export {name}: {signature}; does its lib.rs say `export_module!`?")]
    Export {
        /// The export's name.
        name: &'static str,
        /// What it has to be.
        signature: &'static str,
    },
    /// The module was built against another version of the ABI.
    #[error(
        "the module is built for ABI {got}, this server speaks {want}: rebuild it with the evertick-module of the server's version"
    )]
    Abi {
        /// The module's version.
        got: u32,
        /// The server's.
        want: u32,
    },
    /// The module failed before it could be asked for anything.
    #[error("the module can't be started or fails to describe itself: {fault}{}", Trace(fault))]
    Fault {
        /// How it failed.
        fault: GuestFault,
    },
    /// The description is not JSON of a description.
    #[error(transparent)]
    Description(#[from] DescriptionError),
    /// The description has problems; each names module, row and field.
    #[error("the module's schema is not valid:{}", List(.0))]
    Schema(Vec<Problem>),
}

/// A fault's backtrace on lines of its own, if it has one.
struct Trace<'a>(&'a GuestFault);

impl fmt::Display for Trace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.backtrace.lines().try_for_each(|frame| write!(f, "\n  {frame}"))
    }
}

/// Problems, one a line.
struct List<'a>(&'a [Problem]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(PROBLEMS_MAX).try_for_each(|problem| write!(f, "\n  {problem}"))?;
        match self.0.len().saturating_sub(PROBLEMS_MAX) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

impl Engine {
    /// Compiles a module, or fetches it from the cache, checks that it is a guest, and has it describe itself.
    ///
    /// Cost: compiling takes 40–120 ms for 300 KB on all processors; from the cache 0.4 ms.
    pub fn load(
        &self,
        wasm: &[u8],
        limits: GuestLimits,
    ) -> Result<(ModuleDescription, WasmGuest), LoadError> {
        let module = self.compile(wasm)?;
        check_imports(self, &module, &limits)?;
        check_exports(&module)?;
        let pre =
            self.linker.instantiate_pre(&module).map_err(|error| LoadError::NotWasm(format!("{error:#}")))?;

        let symbols = Arc::new(Symbols::of(wasm));
        let unnamed = Arc::from(UNNAMED);
        let failed = |fault| LoadError::Fault { fault };
        let mut instance = Instance::start(&pre, &unnamed, &limits, &symbols).map_err(failed)?;
        let got = instance.abi().map_err(failed)?;
        if got != ABI_VERSION {
            return Err(LoadError::Abi { got, want: ABI_VERSION });
        }
        let packed = instance.describe().map_err(failed)?;
        let json =
            output(instance.memory(), packed, DESCRIPTION_BYTES_MAX, "a description").map_err(failed)?;
        let description = ModuleDescription::from_json(json)?;
        description.check().map_err(LoadError::Schema)?;
        if !description.predictions.is_empty() {
            check_function(&module, &PREDICT)?;
        }
        drop(instance);

        let name = Arc::from(description.name.as_str());
        let prepares = |kind| matches!(kind, ReducerKind::Init | ReducerKind::Upgrade);
        let numbered = (0u32..).zip(&description.reducers);
        let preparing =
            numbered.filter(|(_, reducer)| prepares(reducer.kind)).map(|(number, _)| number).collect();
        let guest = WasmGuest::start(Arc::clone(&self.ticker), pre, name, limits, symbols, preparing)
            .map_err(failed)?;
        Ok((description, guest))
    }

    fn compile(&self, wasm: &[u8]) -> Result<Module, LoadError> {
        let max = self.config.module_bytes_max;
        if wasm.len() > max {
            return Err(LoadError::TooLarge { bytes: wasm.len(), max });
        }
        let Some(cache) = self.cache.as_deref() else { return self.compile_now(wasm) };
        let key = CompiledKey::of(&self.wasmtime, wasm);
        if let Some(module) = cache::fetch(&self.wasmtime, cache, &key) {
            return Ok(module);
        }
        let module = self.compile_now(wasm)?;
        cache::keep(&module, cache, &key);
        Ok(module)
    }

    fn compile_now(&self, wasm: &[u8]) -> Result<Module, LoadError> {
        Module::from_binary(&self.wasmtime, wasm).map_err(|error| LoadError::NotWasm(format!("{error:#}")))
    }
}

/// Every import must be one of ours, with our signature.
fn check_imports(engine: &Engine, module: &Module, limits: &GuestLimits) -> Result<(), LoadError> {
    let mut store = Store::new(&engine.wasmtime, GuestState::new(&Arc::from(UNNAMED), limits));
    for import in module.imports() {
        let given = engine.linker.get_by_import(&mut store, &import).map(|given| given.ty(&store));
        let hint = match (given, import.ty()) {
            (Some(ExternType::Func(given)), ExternType::Func(wanted)) if FuncType::eq(&given, &wanted) => {
                continue;
            }
            (Some(ExternType::Func(given)), ExternType::Func(wanted)) => {
                format!(" as {wanted}: it is {given}")
            }
            _ => String::new(),
        };
        return Err(LoadError::Import { import: format!("{}.{}", import.module(), import.name()), hint });
    }
    Ok(())
}

/// A function that a guest exports: name, parameters, results, and how to say that.
type Export = (&'static str, &'static [ValType], &'static [ValType], &'static str);

/// Those of every guest.
const EXPORTS: [Export; 5] = [
    ("evertick_abi", &[], &[ValType::I32], "() -> i32"),
    ("evertick_describe", &[], &[ValType::I64], "() -> i64"),
    ("evertick_alloc", &[ValType::I32], &[ValType::I32], "(i32) -> i32"),
    ("evertick_call", &[ValType::I32, ValType::I32, ValType::I32], &[ValType::I64], "(i32, i32, i32) -> i64"),
    ("evertick_run", &[ValType::I32, ValType::I32], &[ValType::I64], "(i32, i32) -> i64"),
];

/// That of a guest with predictions. The server never calls it: clients do.
const PREDICT: Export = (
    "evertick_predict",
    &[ValType::I32, ValType::I32, ValType::I32, ValType::I32, ValType::I32, ValType::F32],
    &[],
    "(i32, i32, i32, i32, i32, f32)",
);

fn check_exports(module: &Module) -> Result<(), LoadError> {
    if !matches!(module.get_export("memory"), Some(ExternType::Memory(_))) {
        return Err(LoadError::Export { name: "memory", signature: "a linear memory" });
    }
    EXPORTS.iter().try_for_each(|export| check_function(module, export))
}

fn check_function(module: &Module, &(name, params, results, signature): &Export) -> Result<(), LoadError> {
    match module.get_export(name) {
        Some(ExternType::Func(ty)) if same(ty.params(), params) && same(ty.results(), results) => Ok(()),
        _ => Err(LoadError::Export { name, signature }),
    }
}

fn same(have: impl ExactSizeIterator<Item = ValType>, want: &[ValType]) -> bool {
    have.len() == want.len() && have.zip(want).all(|(have, want)| ValType::eq(&have, want))
}
