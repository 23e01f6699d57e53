//! Reducer calls: what the guest is handed, and the call itself.
//!
//! Hot path: nothing is allocated.

use evertick_world::{GuestFault, Tx};

use crate::instance::{Buffer, Instance};
use crate::scope::{Entry, Numbers};

/// Bytes in front of the arguments: now, session, sender.
const HEADER_BYTES: usize = 8 + 8 + 32;

/// Where calls' input goes in guest memory.
#[derive(Debug, Default)]
pub(crate) struct CallBuffer {
    input: Buffer,
}

impl CallBuffer {
    /// Calls `reducer` on `tx`; the instance's clock has been started.
    pub(crate) fn call(
        &mut self,
        instance: &mut Instance,
        tx: &mut Tx<'_>,
        numbers: Numbers<'_>,
        reducer: u32,
        args: &[u8],
    ) -> Result<u64, GuestFault> {
        let len = HEADER_BYTES + args.len();
        let ptr = self.input.reserve(instance, len)?;
        let input = &mut instance.memory_mut()[ptr as usize..][..len];
        let (header, rest) = input.split_at_mut(HEADER_BYTES);
        let caller = tx.caller();
        header[..8].copy_from_slice(&tx.now().0.to_le_bytes());
        header[8..16].copy_from_slice(&caller.session.0.to_le_bytes());
        header[16..].copy_from_slice(&caller.identity.0);
        rest.copy_from_slice(args);
        // The buffer's capacity is a u32, so the length is one.
        instance.call(Entry::call(tx, numbers), reducer, ptr, len as u32)
    }
}
