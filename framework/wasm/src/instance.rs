//! One instance of a guest, and buffers in its memory.

use std::sync::Arc;

use evertick_world::{FaultKind, GuestFault};
use wasmtime::{InstancePre, Memory, Store, TypedFunc};

use crate::config::{GuestLimits, epochs};
use crate::fault::fault;
use crate::memory;
use crate::scope::{self, Entry};
use crate::state::GuestState;
use crate::symbols::Symbols;

/// What the host puts into guest memory starts at a multiple of this.
const ALIGN: u32 = 16;

/// A guest that is ready to be called. After a trap it is thrown away with its store.
pub(crate) struct Instance {
    pub(crate) store: Store<GuestState>,
    pub(crate) memory: Memory,
    instance: wasmtime::Instance,
    alloc: TypedFunc<u32, u32>,
    call: TypedFunc<(u32, u32, u32), u64>,
    run: TypedFunc<(u32, u32), u64>,
    call_epochs: u64,
    run_epochs: u64,
    init_epochs: u64,
    symbols: Arc<Symbols>,
}

impl Instance {
    /// Makes an instance and runs its start function.
    pub(crate) fn start(
        pre: &InstancePre<GuestState>,
        module: &Arc<str>,
        limits: &GuestLimits,
        symbols: &Arc<Symbols>,
    ) -> Result<Self, GuestFault> {
        let engine = pre.module().engine();
        let mut store = Store::new(engine, GuestState::new(module, limits));
        store.limiter(|state| &mut state.limits);
        let call_epochs = epochs(limits.call_time_max);
        store.set_epoch_deadline(call_epochs);
        let instance = pre.instantiate(&mut store).map_err(|error| start_fault(&error, symbols))?;
        let missing = |error: wasmtime::Error| {
            GuestFault::new(
                FaultKind::Unavailable,
                format!("an export is not as the ABI wants it: {error:#}"),
            )
        };
        let memory = instance
            .get_memory(&mut store, "memory")
            .ok_or_else(|| GuestFault::new(FaultKind::Unavailable, "the module exports no memory"))?;
        let alloc = instance.get_typed_func(&mut store, "evertick_alloc").map_err(missing)?;
        let call = instance.get_typed_func(&mut store, "evertick_call").map_err(missing)?;
        let run = instance.get_typed_func(&mut store, "evertick_run").map_err(missing)?;
        store.data_mut().memory = Some(memory);
        let run_epochs = epochs(limits.run_time_max);
        let init_epochs = epochs(limits.init_time_max);
        let symbols = Arc::clone(symbols);
        Ok(Self { store, memory, instance, alloc, call, run, call_epochs, run_epochs, init_epochs, symbols })
    }

    /// The ABI version that the module says it has.
    pub(crate) fn abi(&mut self) -> Result<u32, GuestFault> {
        self.ask("evertick_abi")
    }

    /// The module's description, as it gives it: packed pointer and length.
    pub(crate) fn describe(&mut self) -> Result<u64, GuestFault> {
        self.ask("evertick_describe")
    }

    fn ask<R: wasmtime::WasmResults>(&mut self, export: &str) -> Result<R, GuestFault> {
        self.refill(self.init_epochs); // no tick waits for it
        let export = self
            .instance
            .get_typed_func::<(), R>(&mut self.store, export)
            .map_err(|error| GuestFault::new(FaultKind::Unavailable, format!("{error:#}")))?;
        let result = export.call(&mut self.store, ());
        result.map_err(|error| self.fault(&error))
    }

    /// Starts the clock and the log's allowance for a reducer call.
    pub(crate) fn before_call(&mut self) {
        self.refill(self.call_epochs);
    }

    /// Starts the clock and the log's allowance for a reducer that makes or upgrades the world.
    pub(crate) fn before_preparing(&mut self) {
        self.refill(self.init_epochs);
    }

    /// Starts the clock and the log's allowance for a system's run.
    pub(crate) fn before_run(&mut self) {
        self.refill(self.run_epochs);
    }

    fn refill(&mut self, epochs: u64) {
        self.store.set_epoch_deadline(epochs);
        self.store.data_mut().refill();
    }

    /// Runs a reducer; returns its packed outcome.
    pub(crate) fn call(
        &mut self,
        entry: Entry<'_>,
        reducer: u32,
        ptr: u32,
        len: u32,
    ) -> Result<u64, GuestFault> {
        let call = &self.call;
        let result = scope::enter(&mut self.store, entry, |store| call.call(store, (reducer, ptr, len)));
        self.settle(result)
    }

    /// Runs a system; returns its packed command buffer.
    pub(crate) fn run(&mut self, entry: Entry<'_>, system: u32, view: u32) -> Result<u64, GuestFault> {
        let run = &self.run;
        let result = scope::enter(&mut self.store, entry, |store| run.call(store, (system, view)));
        self.settle(result)
    }

    fn settle(&mut self, result: wasmtime::Result<u64>) -> Result<u64, GuestFault> {
        self.store.data_mut().log.settle();
        result.map_err(|error| self.fault(&error))
    }

    #[cold]
    fn fault(&self, error: &wasmtime::Error) -> GuestFault {
        fault(error, self.store.data().log.last_error(), &self.symbols)
    }

    /// All of the guest's memory, to be written.
    pub(crate) fn memory_mut(&mut self) -> &mut [u8] {
        self.memory.data_mut(&mut self.store)
    }

    /// All of the guest's memory.
    pub(crate) fn memory(&self) -> &[u8] {
        self.memory.data(&self.store)
    }

    /// `len` bytes that the guest gives away for good.
    fn alloc(&mut self, len: u32) -> Result<u32, GuestFault> {
        let result = self.alloc.call(&mut self.store, len);
        let ptr = result.map_err(|error| self.fault(&error))?;
        if ptr == 0 || !ptr.is_multiple_of(ALIGN) {
            return Err(GuestFault::new(
                FaultKind::Memory,
                format!("evertick_alloc({len}) returned {ptr:#x}, which is not {ALIGN}-aligned memory"),
            ));
        }
        memory::read(self.memory(), ptr, len).map_err(|error| {
            GuestFault::new(
                FaultKind::Memory,
                format!("evertick_alloc({len}) returned memory that is not there: {error}"),
            )
        })?;
        Ok(ptr)
    }
}

/// What went wrong before there was an instance: a trap in the start function, or no room for it.
fn start_fault(error: &wasmtime::Error, symbols: &Symbols) -> GuestFault {
    if error.is::<wasmtime::PoolConcurrencyLimitError>() {
        let message = format!("no instance is free: {error:#}; raise EngineConfig::instances_max");
        return GuestFault::new(FaultKind::Unavailable, message);
    }
    fault(error, None, symbols)
}

/// A place in guest memory that the host uses again and again.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    ptr: u32,
    capacity: u32,
}

impl Buffer {
    /// Makes room for `len` bytes; returns where. Its contents are lost when it grows.
    pub(crate) fn reserve(&mut self, instance: &mut Instance, len: usize) -> Result<u32, GuestFault> {
        if len <= self.capacity as usize && self.capacity > 0 {
            return Ok(self.ptr);
        }
        let want = len.max(2 * self.capacity as usize).max(ALIGN as usize).next_multiple_of(ALIGN as usize);
        let capacity = u32::try_from(want).map_err(|_| {
            GuestFault::new(FaultKind::Memory, format!("{len} bytes are more than a guest can address"))
        })?;
        self.ptr = instance.alloc(capacity)?;
        self.capacity = capacity;
        Ok(self.ptr)
    }

    /// Makes room for `len` bytes and lends it.
    pub(crate) fn room<'i>(
        &mut self,
        instance: &'i mut Instance,
        len: usize,
    ) -> Result<&'i mut [u8], GuestFault> {
        let ptr = self.reserve(instance, len)?;
        Ok(&mut instance.memory_mut()[ptr as usize..][..len])
    }

    /// Where it is; 0 as long as nobody asked for room.
    pub(crate) fn ptr(&self) -> u32 {
        self.ptr
    }
}
