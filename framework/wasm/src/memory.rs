//! Guest memory, as bytes that nobody trusts.
//!
//! A guest names its memory by pointer and length, both `u32`. Here they become slices, or nothing. A slice
//! is never kept over a call into the guest: memory may grow in any of them.

use std::ops::Range;

/// What a guest returns as `ptr << 32 | len`.
pub(crate) fn unpack(packed: u64) -> (u32, u32) {
    ((packed >> 32) as u32, packed as u32)
}

/// The place of `len` bytes at `ptr`. Cannot overflow: both are 32 bits.
fn range(ptr: u32, len: usize) -> Range<usize> {
    ptr as usize..(ptr as usize).saturating_add(len)
}

/// `len` bytes at `ptr`.
#[inline]
pub(crate) fn read(memory: &[u8], ptr: u32, len: u32) -> Result<&[u8], Misuse> {
    memory.get(range(ptr, len as usize)).ok_or_else(|| outside(memory, ptr, len))
}

/// `len` bytes at `ptr`, to be written.
#[inline]
pub(crate) fn write(memory: &mut [u8], ptr: u32, len: u32) -> Result<&mut [u8], Misuse> {
    let size = memory.len();
    memory.get_mut(range(ptr, len as usize)).ok_or_else(|| outside_of(size, ptr, len))
}

#[cold]
fn outside(memory: &[u8], ptr: u32, len: u32) -> Misuse {
    outside_of(memory.len(), ptr, len)
}

#[cold]
fn outside_of(size: usize, ptr: u32, len: u32) -> Misuse {
    Misuse(format!("{len} bytes at {ptr:#x} are not within the guest's memory of {size} bytes"))
}

/// A guest broke the ABI. It costs it the call.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Misuse(pub(crate) String);

impl Misuse {
    /// As what a host function returns to trap: a thin pointer, so that results of host functions stay in
    /// registers. (A result that is copied through memory in other pieces than it was written in waits for all
    /// stores before it; with rows that are not in the cache that was a tenth of a call.)
    #[cold]
    pub(crate) fn trap(message: impl Into<String>) -> wasmtime::Error {
        wasmtime::Error::new(Self(message.into()))
    }
}

/// `Err(Misuse::trap(format!(..)))`
macro_rules! misuse {
    ($($arg:tt)*) => { Err(crate::memory::Misuse::trap(format!($($arg)*))) };
}
pub(crate) use misuse;

/// Cuts little-endian numbers and byte strings off the front of what a guest wrote.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut<'a>(pub(crate) &'a [u8]);

impl<'a> Cut<'a> {
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn bytes(&mut self, len: u32) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len as usize)?;
        self.0 = rest;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]
    use super::*;

    #[test]
    fn only_what_lies_within_memory_can_be_had() {
        let mut memory = *b"0123456789";
        assert_eq!(read(&memory, 8, 2).unwrap(), b"89");
        assert_eq!(read(&memory, 10, 0).unwrap(), b"");
        for (ptr, len) in [(8, 3), (11, 0), (u32::MAX, u32::MAX), (0, u32::MAX), (u32::MAX, 1)] {
            assert!(read(&memory, ptr, len).is_err());
            assert!(write(&mut memory, ptr, len).is_err());
        }
    }

    #[test]
    fn a_packed_pointer_is_high_and_a_length_low() {
        assert_eq!(unpack(0x0001_0000_0000_0020), (0x1_0000, 0x20));
    }

    #[test]
    fn cutting_stops_at_the_end() {
        let mut cut = Cut(&[1, 2, 0, 9, 8]);
        assert_eq!((cut.u8(), cut.u16()), (Some(1), Some(2)));
        assert_eq!(cut.u32(), None);
        assert_eq!((cut.bytes(3), cut.bytes(2)), (None, Some(&[9, 8][..])));
    }
}
