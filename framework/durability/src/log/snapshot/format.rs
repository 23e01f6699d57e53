//! The bytes of snapshot files. The full text is `docs/log.md`.

use crate::log::format::{Invalid, Numbers};

const MAGIC: u64 = u64::from_le_bytes(*b"EvertSnp");
pub(super) const VERSION: u32 = 1;

/// Length of the header's fixed part.
pub(super) const HEADER: usize = 48;
/// What stands before each chunk: its length and the chained checksum.
pub(super) const CHUNK_HEADER: usize = 8;
/// Length of the footer.
pub(super) const FOOTER: usize = 48;
/// Where a chunk's length would be, this begins the footer.
pub(super) const END: u32 = u32::MAX;
/// The most bytes that one chunk may have.
pub(super) const CHUNK_BYTES_MAX: usize = 1 << 30;

/// What is known of a snapshot without reading it all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// The last record that was made before the snapshot was begun. What came later must be redone from the log.
    pub seq: u64,
    /// The last record whose effects may be in it: without the log up to there it is inconsistent.
    pub needs_seq: u64,
    /// How many chunks it has.
    pub chunks: u64,
    /// Length of the file in bytes.
    pub file_bytes: u64,
}

/// The beginning of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) salt: u64,
    pub(super) seq: u64,
    pub(super) preamble_len: u32,
    pub(super) preamble_crc: u32,
}

impl Header {
    /// The bytes, and the checksum that the chunks' are chained to.
    pub(super) fn encode(&self) -> ([u8; HEADER], u32) {
        let mut out = [0; HEADER];
        out[0..8].copy_from_slice(&MAGIC.to_le_bytes());
        out[12..16].copy_from_slice(&VERSION.to_le_bytes());
        out[16..24].copy_from_slice(&self.salt.to_le_bytes());
        out[24..32].copy_from_slice(&self.seq.to_le_bytes());
        out[32..36].copy_from_slice(&self.preamble_len.to_le_bytes());
        out[36..40].copy_from_slice(&self.preamble_crc.to_le_bytes());
        let crc = crc32c::crc32c(&out[12..]);
        out[8..12].copy_from_slice(&crc.to_le_bytes());
        (out, crc)
    }

    /// Reads one, its version too, and the checksum that the chunks' are chained to.
    pub(super) fn decode(bytes: &[u8; HEADER]) -> Result<(Self, u32, u32), Invalid> {
        let mut numbers = Numbers(bytes);
        if numbers.u64() != MAGIC {
            return Err("it does not begin as a snapshot does");
        }
        let crc = numbers.u32();
        if crc32c::crc32c(&bytes[12..]) != crc {
            return Err("the checksum of its header does not match");
        }
        let version = numbers.u32();
        let header = Self {
            salt: numbers.u64(),
            seq: numbers.u64(),
            preamble_len: numbers.u32(),
            preamble_crc: numbers.u32(),
        };
        Ok((header, version, crc))
    }
}

/// The end of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) salt: u64,
    pub(super) needs_seq: u64,
    pub(super) chunks: u64,
    /// Length of the file, this included.
    pub(super) file_bytes: u64,
    /// The last chunk's checksum, which all before are chained into.
    pub(super) chain: u32,
}

impl Footer {
    pub(super) fn encode(&self) -> [u8; FOOTER] {
        let mut out = [0; FOOTER];
        out[0..4].copy_from_slice(&END.to_le_bytes());
        let fields = [self.salt, self.needs_seq, self.chunks, self.file_bytes];
        for (at, field) in (8..).step_by(8).zip(fields) {
            out[at..at + 8].copy_from_slice(&field.to_le_bytes());
        }
        out[40..44].copy_from_slice(&self.chain.to_le_bytes());
        let crc = crc32c::crc32c(&out[8..]);
        out[4..8].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(super) fn decode(bytes: &[u8; FOOTER]) -> Result<Self, Invalid> {
        let mut numbers = Numbers(bytes);
        if numbers.u32() != END {
            return Err("it does not end as a snapshot does");
        }
        if numbers.u32() != crc32c::crc32c(&bytes[8..]) {
            return Err("the checksum of its footer does not match");
        }
        Ok(Self {
            salt: numbers.u64(),
            needs_seq: numbers.u64(),
            chunks: numbers.u64(),
            file_bytes: numbers.u64(),
            chain: numbers.u32(),
        })
    }
}

/// A chunk's checksum: over its length, its bytes and, by the one before, all that came earlier.
pub(super) fn chunk_crc(previous: u32, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(previous, &(bytes.len() as u32).to_le_bytes()), bytes)
}
