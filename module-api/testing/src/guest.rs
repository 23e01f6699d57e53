//! A module linked into the test, as the world's guest.

use evertick_module::Module;
use evertick_module::native::Instance;
use evertick_world::{FaultKind, Guest, GuestFault, Outcome, RowId, SystemView, Tx};

use crate::host::TxHost;
use crate::panics::{Caught, catch};
use crate::{outcome, run};

/// Runs a module natively. A panic in it is a fault of the guest, with a backtrace.
#[derive(Debug)]
pub struct NativeGuest {
    instance: Instance,
    module: u16,
}

impl NativeGuest {
    /// A guest for `module`, which is number `number` of its simulation.
    ///
    /// # Errors
    ///
    /// What is wrong with the module, line by line.
    pub fn new(module: &Module, number: u16) -> Result<Self, Vec<String>> {
        Ok(Self { instance: Instance::new(module)?, module: number })
    }

    /// The module, its numbers assigned.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }
}

impl Guest for NativeGuest {
    fn call(
        &mut self,
        tx: &mut Tx<'_>,
        rows: &[RowId],
        reducer: u32,
        args: &[u8],
    ) -> Result<Outcome, GuestFault> {
        let caller = tx.caller();
        let cause = (tx.now(), caller.session, caller.identity);
        let mut host = TxHost::new(tx, rows, self.module);
        let out = catch(|| self.instance.call(&mut host, reducer, cause, args)).map_err(fault)?;
        outcome::read(out)
    }

    fn run(&mut self, system: u32, view: &mut SystemView<'_>) -> Result<(), GuestFault> {
        run::run(&self.instance, system, view)
    }
}

/// A module's panic is to the native guest what a trap is to one in WebAssembly.
pub(crate) fn fault(Caught { message, backtrace }: Caught) -> GuestFault {
    GuestFault { kind: FaultKind::Trap, message, backtrace }
}
