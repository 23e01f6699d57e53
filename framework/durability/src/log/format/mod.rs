//! The bytes of segments. The full text, with the reasons, is `docs/log.md`.

mod group;
mod group_header;
mod segment_header;

pub(crate) use group::{Group, Payload, RECORD_BYTES_MAX, mark};
pub(crate) use group_header::{GroupHeader, Kind};
pub(crate) use segment_header::{PREAMBLE_BYTES_MAX, SegmentEnd, SegmentHeader};

/// Groups begin at multiples of this, so no write ever touches bytes that are already safe. It is the page size of
/// file systems and disks: a smaller write would cost the same.
pub(crate) const BLOCK: u64 = 4096;

/// Why bytes are not what they should be.
pub(crate) type Invalid = &'static str;

/// The next multiple of [`BLOCK`].
pub(crate) fn block_up(bytes: u64) -> u64 {
    bytes.next_multiple_of(BLOCK)
}

/// Reads little-endian numbers off the front of a slice that is known to be long enough.
pub(crate) struct Numbers<'a>(pub(crate) &'a [u8]);

impl Numbers<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (head, rest) = self.0.split_first_chunk().expect("the caller has checked the length");
        self.0 = rest;
        *head
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }
}
