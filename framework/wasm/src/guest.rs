//! [`WasmGuest`]: a module that the world can call.

use std::fmt;
use std::sync::Arc;

use evertick_world::{FaultKind, Guest, GuestFault, Outcome, RowId, SystemView, Tx};
use wasmtime::InstancePre;

use crate::calls::CallBuffer;
use crate::config::GuestLimits;
use crate::instance::Instance;
use crate::outcome::outcome;
use crate::scope::Numbers;
use crate::state::GuestState;
use crate::sweep::Sweeper;
use crate::symbols::Symbols;
use crate::ticker::Ticker;

/// The most failed calls that pass before an instance is tried again.
const BACK_OFF_MAX: u32 = 256;

/// A loaded module with one long-lived instance, which is replaced after a trap.
///
/// A call that fails, for whatever reason, costs the module that call: the next one gets a fresh instance. A
/// module whose instances can't be started any more is [`FaultKind::Unavailable`], and tried again after 1, 2,
/// 4, … at most 256 calls.
pub struct WasmGuest {
    /// Keeps the clock going that interrupts the guest.
    _ticker: Arc<Ticker>,
    pre: InstancePre<GuestState>,
    module: Arc<str>,
    limits: GuestLimits,
    symbols: Arc<Symbols>,
    live: Option<Box<Live>>,
    back_off: BackOff,
    position: u16,
    /// The numbers of the init and upgrade reducers: they have a time limit of their own.
    preparing: Vec<u32>,
}

/// An instance with what the host keeps in its memory. They live and die together.
struct Live {
    instance: Instance,
    calls: CallBuffer,
    sweeper: Sweeper,
}

impl fmt::Debug for WasmGuest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WasmGuest")
            .field("module", &self.module)
            .field("live", &self.live.is_some())
            .finish_non_exhaustive()
    }
}

impl WasmGuest {
    /// A guest with its first instance.
    pub(crate) fn start(
        ticker: Arc<Ticker>,
        pre: InstancePre<GuestState>,
        module: Arc<str>,
        limits: GuestLimits,
        symbols: Arc<Symbols>,
        preparing: Vec<u32>,
    ) -> Result<Self, GuestFault> {
        let (live, back_off) = (None, BackOff::default());
        let mut guest =
            Self { _ticker: ticker, pre, module, limits, symbols, live, back_off, position: 0, preparing };
        guest.live = Some(guest.take_live()?);
        Ok(guest)
    }

    /// The same guest, as the simulation's module number `position`: its timers and detached calls name it by
    /// that. 0, the first, unless said otherwise.
    #[must_use]
    pub fn at_position(self, position: u16) -> Self {
        Self { position, ..self }
    }

    /// The running instance, or a new one. It is taken out so that whatever ends the call badly, a panic in
    /// a host function included, leaves none behind.
    fn take_live(&mut self) -> Result<Box<Live>, GuestFault> {
        match self.live.take() {
            Some(live) => Ok(live),
            None => self.restart(),
        }
    }

    #[cold]
    fn restart(&mut self) -> Result<Box<Live>, GuestFault> {
        if self.back_off.rests() {
            let message = format!("the module {} can't be started; its log has the reason", self.module);
            return Err(GuestFault::new(FaultKind::Unavailable, message));
        }
        match Instance::start(&self.pre, &self.module, &self.limits, &self.symbols) {
            Ok(instance) => {
                self.back_off = BackOff::default();
                Ok(Box::new(Live { instance, calls: CallBuffer::default(), sweeper: Sweeper::default() }))
            }
            Err(fault) => {
                self.back_off.failed();
                tracing::error!(
                    target: "evertick::guest",
                    module = &*self.module,
                    fault = %fault,
                    backtrace = %fault.backtrace,
                    "the module can't be started; calls to it fail until it can"
                );
                Err(GuestFault { kind: FaultKind::Unavailable, ..fault })
            }
        }
    }
}

impl Guest for WasmGuest {
    fn call(
        &mut self,
        tx: &mut Tx<'_>,
        rows: &[RowId],
        reducer: u32,
        args: &[u8],
    ) -> Result<Outcome, GuestFault> {
        let mut live = self.take_live()?;
        let numbers = Numbers { rows, module: self.position };
        if self.preparing.contains(&reducer) {
            live.instance.before_preparing();
        } else {
            live.instance.before_call();
        }
        // The usual outcome is made where it is returned: see `Misuse::trap` for what copying it would cost.
        match live.calls.call(&mut live.instance, tx, numbers, reducer, args)? {
            0 => {
                self.live = Some(live);
                Ok(Outcome::Ok(Vec::new()))
            }
            packed => {
                let outcome = outcome(live.instance.memory(), packed, self.limits.output_bytes_max)?;
                self.live = Some(live);
                Ok(outcome)
            }
        }
    }

    fn run(&mut self, system: u32, view: &mut SystemView<'_>) -> Result<(), GuestFault> {
        let mut live = self.take_live()?;
        live.sweeper.run(&mut live.instance, &self.limits, system, view)?;
        self.live = Some(live);
        Ok(())
    }

    /// The next call gets a fresh instance.
    fn renew(&mut self) {
        self.live = None;
        self.back_off = BackOff::default();
    }
}

/// Counts calls, not time: the same calls give the same answers.
#[derive(Debug, Default)]
struct BackOff {
    failures: u32,
    rest: u32,
}

impl BackOff {
    /// Whether this call is one of those that pass without a try.
    fn rests(&mut self) -> bool {
        let rests = self.rest > 0;
        self.rest = self.rest.saturating_sub(1);
        rests
    }

    fn failed(&mut self) {
        self.rest = 1u32.checked_shl(self.failures).map_or(BACK_OFF_MAX, |rest| rest.min(BACK_OFF_MAX));
        self.failures = self.failures.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_become_rare_but_never_stop() {
        let mut back_off = BackOff::default();
        let mut tries = Vec::new();
        for call in 0..1_200 {
            if !back_off.rests() {
                tries.push(call);
                back_off.failed();
            }
        }
        assert_eq!(tries, [0, 2, 5, 10, 19, 36, 69, 134, 263, 520, 777, 1034]);
    }
}
