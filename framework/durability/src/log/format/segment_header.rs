//! The beginning of a segment.

use super::{BLOCK, Invalid, Numbers, block_up};
use crate::log::damage::DamageKind;

const MAGIC: u64 = u64::from_le_bytes(*b"EvertLog");
const VERSION: u32 = 1;
/// Length of the fixed part.
const FIXED: usize = 96;

/// How much may stand before a segment's first group.
pub(crate) const PREAMBLE_BYTES_MAX: usize = 64 << 20;

/// Where a segment ends, as its successor tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentEnd {
    pub(crate) index: u64,
    pub(crate) salt: u64,
    /// Behind its last synced group, in bytes. What stands there is not part of the log.
    pub(crate) end: u64,
    /// Chain value of its last synced group.
    pub(crate) chain: u32,
}

/// What a segment begins with. It is synced before the file gets its name, so it is never torn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) index: u64,
    pub(crate) salt: u64,
    /// All its records have higher numbers.
    pub(crate) after_seq: u64,
    /// The segment before; none before the first.
    pub(crate) previous: Option<SegmentEnd>,
    /// What the caller wants to stand in every segment.
    pub(crate) preamble: Vec<u8>,
}

impl SegmentHeader {
    /// Its length in the file, in bytes: whole blocks.
    pub(crate) fn len(&self) -> u64 {
        block_up((FIXED + self.preamble.len()) as u64)
    }

    /// The bytes, padded to whole blocks, and the chain value that its first group carries.
    pub(crate) fn encode(&self) -> (Vec<u8>, u32) {
        let mut out = Vec::with_capacity(self.len() as usize);
        let none = SegmentEnd { index: 0, salt: 0, end: 0, chain: 0 };
        let previous = self.previous.as_ref().unwrap_or(&none);
        out.extend(MAGIC.to_le_bytes());
        out.extend([0; 4]);
        out.extend(VERSION.to_le_bytes());
        for number in [self.index, self.salt, self.after_seq, previous.index, previous.salt, previous.end] {
            out.extend(number.to_le_bytes());
        }
        out.extend(previous.chain.to_le_bytes());
        out.extend((self.preamble.len() as u32).to_le_bytes());
        out.extend(crc32c::crc32c(&self.preamble).to_le_bytes());
        out.resize(FIXED, 0);
        let crc = crc32c::crc32c(&out[12..]);
        out[8..12].copy_from_slice(&crc.to_le_bytes());
        out.extend(&self.preamble);
        out.resize(self.len() as usize, 0);
        (out, crc)
    }

    /// Reads the one of segment `index`. `read` gives the file's first so many bytes, or fewer when it is shorter.
    /// Returns its chain value too.
    pub(crate) fn decode(
        index: u64,
        mut read: impl FnMut(usize) -> Result<Vec<u8>, DamageKind>,
    ) -> Result<(Self, u32), DamageKind> {
        let invalid = |why: Invalid| Err(DamageKind::Header(why));
        let bytes = read(BLOCK as usize)?;
        let Some(fixed) = bytes.get(..FIXED) else { return invalid("the file is too short") };
        let mut numbers = Numbers(fixed);
        if numbers.u64() != MAGIC {
            return invalid("it does not begin as a segment does");
        }
        let crc = numbers.u32();
        let version = numbers.u32();
        if crc32c::crc32c(&fixed[12..]) != crc {
            return invalid("its checksum does not match");
        }
        if version != VERSION {
            return Err(DamageKind::Version(version));
        }
        let mut header = Self {
            index: numbers.u64(),
            salt: numbers.u64(),
            after_seq: numbers.u64(),
            previous: None,
            preamble: Vec::new(),
        };
        let previous = SegmentEnd {
            index: numbers.u64(),
            salt: numbers.u64(),
            end: numbers.u64(),
            chain: numbers.u32(),
        };
        header.previous = (previous.index != 0).then_some(previous);
        if header.index != index {
            return invalid("the file has the name of another segment");
        }
        let preamble_len = numbers.u32() as usize;
        let preamble_crc = numbers.u32();
        if preamble_len > PREAMBLE_BYTES_MAX {
            return invalid("its preamble is too long");
        }
        let end = FIXED + preamble_len;
        let blocks = block_up(end as u64) as usize;
        let bytes = if blocks <= bytes.len() { bytes } else { read(blocks)? };
        let Some(bytes) = bytes.get(..blocks) else { return invalid("the file ends within its preamble") };
        let preamble = &bytes[FIXED..end];
        if crc32c::crc32c(preamble) != preamble_crc {
            return invalid("the checksum of its preamble does not match");
        }
        if bytes[end..].iter().any(|byte| *byte != 0) {
            return invalid("its padding is not empty");
        }
        header.preamble = preamble.to_vec();
        Ok((header, crc))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn read_of(bytes: &[u8]) -> impl FnMut(usize) -> Result<Vec<u8>, DamageKind> {
        move |len| Ok(bytes[..len.min(bytes.len())].to_vec())
    }

    #[test]
    fn headers_come_back_and_no_changed_byte_goes_unseen() {
        let header = SegmentHeader {
            index: 7,
            salt: 99,
            after_seq: 1000,
            previous: Some(SegmentEnd { index: 6, salt: 98, end: 8192, chain: 5 }),
            preamble: (0..5000).map(|n| n as u8).collect(),
        };
        let (bytes, chain) = header.encode();
        assert_eq!(bytes.len() as u64, 2 * BLOCK);
        assert_eq!(SegmentHeader::decode(7, read_of(&bytes)), Ok((header, chain)));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert!(SegmentHeader::decode(7, read_of(&damaged)).is_err(), "byte {at}");
        }
        assert!(SegmentHeader::decode(8, read_of(&bytes)).is_err());
        assert!(SegmentHeader::decode(7, read_of(&bytes[..FIXED + 4999])).is_err());
        assert!(SegmentHeader::decode(7, read_of(&bytes[..50])).is_err());
    }
}
