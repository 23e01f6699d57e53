//! What the embedder may set: about the engine once, about each guest.

use std::time::Duration;

/// How often a running guest is asked whether its time is up. A deadline is late by at most two of these.
pub const EPOCH_TICK: Duration = Duration::from_millis(2);

/// Bytes of a guest's memory that stay resident when its instance is replaced.
pub(crate) const KEEP_RESIDENT_BYTES: usize = 1 << 20;

/// The most frames of a guest backtrace.
pub(crate) const BACKTRACE_FRAMES_MAX: usize = 16;

/// The largest memory a 32-bit guest can have at all.
pub(crate) const MEMORY_BYTES_CEILING: usize = 1 << 32;

/// Settings of an [`Engine`](crate::Engine). They hold for all its guests.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The most instances alive at a time: one per loaded guest, and one more while a module is described.
    /// Each reserves a little more than 4 GiB of address space, and memory only as it is used.
    pub instances_max: u32,
    /// Bytes of native stack that a guest may use. The calling thread needs that much to spare.
    pub stack_bytes_max: usize,
    /// The most elements of a guest's function table.
    pub table_elements_max: usize,
    /// The largest module that is compiled, in bytes.
    pub module_bytes_max: usize,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            instances_max: 64,
            stack_bytes_max: 512 << 10,
            table_elements_max: 20_000,
            module_bytes_max: 64 << 20,
        }
    }
}

/// What one guest may use. Over a limit, the call fails and leaves nothing behind.
#[derive(Clone, Debug)]
pub struct GuestLimits {
    /// Bytes of linear memory, the copies of swept columns included.
    pub memory_bytes_max: usize,
    /// The most elements of the function table; at most [`EngineConfig::table_elements_max`].
    pub table_elements_max: usize,
    /// Time for one reducer call and for the start of an instance.
    pub call_time_max: Duration,
    /// Time for one run of a system.
    pub run_time_max: Duration,
    /// Time for `evertick_describe` and for the init and upgrade reducers, which make the world: nobody waits for a tick then.
    pub init_time_max: Duration,
    /// Bytes of a call's result, a refusal, or a system's command buffer.
    pub output_bytes_max: usize,
    /// Bytes of text that one call or run may log; the rest is dropped and counted.
    pub log_bytes_per_call_max: usize,
    /// Lines that one call or run may log; the rest is dropped and counted.
    pub log_lines_per_call_max: u32,
}

impl Default for GuestLimits {
    fn default() -> Self {
        Self {
            memory_bytes_max: 256 << 20,
            table_elements_max: 20_000,
            call_time_max: Duration::from_millis(50),
            run_time_max: Duration::from_millis(250),
            init_time_max: Duration::from_secs(30),
            output_bytes_max: 4 << 20,
            log_bytes_per_call_max: 16 << 10,
            log_lines_per_call_max: 64,
        }
    }
}

/// The epoch ticks after which `time` has surely passed.
pub(crate) fn epochs(time: Duration) -> u64 {
    let ticks = time.as_micros().div_ceil(EPOCH_TICK.as_micros());
    u64::try_from(ticks).unwrap_or(u64::MAX / 2).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_never_early() {
        assert_eq!(epochs(Duration::ZERO), 1);
        assert_eq!(epochs(Duration::from_millis(2)), 2);
        assert_eq!(epochs(Duration::from_micros(2_001)), 3);
        assert!(epochs(Duration::MAX) > u64::MAX / 4);
    }
}
