//! A hint to the processor.

/// The bytes of a line of the caches. Where it is another, hints are too many or too few.
pub const CACHE_LINE_BYTES: usize = 64;

/// Asks the processor to fetch so many bytes from an address on, at least 1, which are to be read soon. Nothing is read, so any address will do.
///
/// Cost: one instruction, and a line of the nearest cache, for each [`CACHE_LINE_BYTES`]. Worth it where what is there is in no near cache, and
/// some hundred nanoseconds of other work are at hand.
///
/// ```
/// let rows = vec![1, 2, 3];
/// evertick_protocol::prefetch(rows.as_ptr(), size_of_val(&rows[..]));
/// ```
#[inline(always)]
pub fn prefetch<T: ?Sized>(address: *const T, bytes: usize) {
    for at in (0..bytes).step_by(CACHE_LINE_BYTES) {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: a hint: no address makes it fault, and a program can't see what it does.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast::<i8>().wrapping_add(at)) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _no_hint = (address, at);
    }
}
