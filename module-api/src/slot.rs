//! Numbers of row types and reducers, as static as the types themselves.
//!
//! In WebAssembly there is one module per instance, so a type's number stands in its own static. Natively
//! several modules can share a process, each with its own numbering: there the static holds a process-wide id
//! that the numbering of the running module translates.

use std::sync::atomic::{AtomicU32, Ordering};

/// The static behind a row type or reducer. 0 is "not yet".
#[derive(Debug, Default)]
pub struct Slot(AtomicU32);

impl Slot {
    /// Without a number.
    pub const fn new() -> Self {
        Self(AtomicU32::new(0))
    }
}

/// The numbers of one module's row types and reducers.
#[derive(Debug, Default)]
pub(crate) struct Numbering {
    /// By process-wide id.
    #[cfg(not(target_arch = "wasm32"))]
    numbers: Vec<Option<u32>>,
}

#[cfg(target_arch = "wasm32")]
impl Numbering {
    pub(crate) fn assign(&mut self, slot: &Slot, number: u32) {
        slot.0.store(number + 1, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn number(&self, slot: &Slot) -> Option<u32> {
        slot.number()
    }
}

#[cfg(target_arch = "wasm32")]
impl Slot {
    #[inline]
    pub(crate) fn number(&self) -> Option<u32> {
        self.0.load(Ordering::Relaxed).checked_sub(1)
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Slot {
    fn id(&self) -> usize {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let mut id = self.0.load(Ordering::Relaxed);
        if id == 0 {
            let fresh = NEXT.fetch_add(1, Ordering::Relaxed);
            id = match self.0.compare_exchange(0, fresh, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => fresh,
                Err(theirs) => theirs,
            };
        }
        id as usize
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Numbering {
    pub(crate) fn assign(&mut self, slot: &Slot, number: u32) {
        let id = slot.id();
        if self.numbers.len() <= id {
            self.numbers.resize(id + 1, None);
        }
        self.numbers[id] = Some(number);
    }

    pub(crate) fn number(&self, slot: &Slot) -> Option<u32> {
        self.numbers.get(slot.id()).copied().flatten()
    }
}
