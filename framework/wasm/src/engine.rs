//! wasmtime, set up for games: see [`Engine`].

use std::sync::Arc;

use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, Linker, OptLevel, PoolingAllocationConfig,
    WasmBacktraceDetails,
};

use crate::cache::CompiledCache;
use crate::config::{BACKTRACE_FRAMES_MAX, EngineConfig, KEEP_RESIDENT_BYTES, MEMORY_BYTES_CEILING};
use crate::imports;
use crate::state::GuestState;
use crate::ticker::Ticker;

/// Compiles guests and carries the clock behind their deadlines. A server has one; a clone is the same one.
///
/// Epoch interruption is on (a check per function and loop iteration; no fuel), NaN bits are whatever the
/// processor makes of them, instances come from a pool. What would let two machines differ (relaxed SIMD,
/// threads) is off.
#[derive(Clone)]
pub struct Engine {
    pub(crate) wasmtime: wasmtime::Engine,
    pub(crate) linker: Arc<Linker<GuestState>>,
    pub(crate) config: Arc<EngineConfig>,
    pub(crate) cache: Option<Arc<dyn CompiledCache>>,
    pub(crate) ticker: Arc<Ticker>,
}

/// Why an engine could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// wasmtime refused the settings or the machine.
    #[error(
        "the WebAssembly engine could not be set up: {0}; if address space is short (a container limit, ulimit -v), lower EngineConfig::instances_max: each instance reserves a little more than 4 GiB"
    )]
    Wasmtime(String),
    /// The thread that counts guests' time did not start.
    #[error("the thread that counts guests' time could not be started: {0}; raise the limit on threads")]
    Ticker(#[from] std::io::Error),
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Engine {
    /// Sets wasmtime up. With a `cache`, a module is compiled once per machine instead of once per start.
    pub fn new(config: EngineConfig, cache: Option<Arc<dyn CompiledCache>>) -> Result<Self, EngineError> {
        let setup = |error: wasmtime::Error| EngineError::Wasmtime(format!("{error:#}"));
        let wasmtime = wasmtime::Engine::new(&settings(&config)).map_err(setup)?;
        let mut linker = Linker::new(&wasmtime);
        imports::define(&mut linker).map_err(setup)?;
        let ticker = Ticker::start(wasmtime.clone())?;
        Ok(Self {
            wasmtime,
            linker: Arc::new(linker),
            config: Arc::new(config),
            cache,
            ticker: Arc::new(ticker),
        })
    }
}

/// The engine settings; the reasons for the numbers are measurements, see `docs/abi.md`.
fn settings(config: &EngineConfig) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(config.instances_max)
        .total_memories(config.instances_max)
        .total_tables(config.instances_max)
        .max_memory_size(MEMORY_BYTES_CEILING)
        .table_elements(config.table_elements_max)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        // Resets an instance's memory by the pages it touched; without it, by all that stay resident.
        .pagemap_scan(Enabled::Auto);

    let mut settings = Config::new();
    settings
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .epoch_interruption(true)
        .cranelift_opt_level(OptLevel::Speed)
        .max_wasm_stack(config.stack_bytes_max)
        // wasmtime would parse the DWARF anew for every frame of every trap: milliseconds. See `symbols`.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .wasm_backtrace_max_frames(std::num::NonZero::new(BACKTRACE_FRAMES_MAX))
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false);
    settings
}
