//! The first 64 bytes of a group.

use super::{Invalid, Numbers};

const MAGIC: u32 = u32::from_le_bytes(*b"EvGr");

/// What a group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Kind {
    /// Records.
    Records = 0,
    /// Nothing but the proof that all before it was synced.
    Mark = 1,
    /// As a mark, and that a later segment holds synced groups.
    Seal = 2,
}

/// What stands before a group's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupHeader {
    /// That of the segment: bytes that an earlier use of the sectors left have another.
    pub(crate) salt: u64,
    /// Where in the segment the group begins.
    pub(crate) offset: u64,
    /// Numbers of its first and last record; in a mark both that of the record before.
    pub(crate) first_seq: u64,
    pub(crate) last_seq: u64,
    pub(crate) payload_len: u32,
    pub(crate) payload_crc: u32,
    /// [`Self::chain`] of the group before; of the segment's header in the first one.
    pub(crate) previous: u32,
    pub(crate) records: u32,
    pub(crate) kind: Kind,
}

impl GroupHeader {
    pub(crate) const LEN: usize = 64;

    /// Writes it into its place and returns its chain value.
    pub(crate) fn encode(&self, out: &mut [u8; Self::LEN]) -> u32 {
        out[0..4].copy_from_slice(&MAGIC.to_le_bytes());
        let fields = [self.salt, self.offset, self.first_seq, self.last_seq];
        for (at, field) in (8..).step_by(8).zip(fields) {
            out[at..at + 8].copy_from_slice(&field.to_le_bytes());
        }
        let fields = [self.payload_len, self.payload_crc, self.previous, self.records, self.kind as u32, 0];
        for (at, field) in (40..).step_by(4).zip(fields) {
            out[at..at + 4].copy_from_slice(&field.to_le_bytes());
        }
        let crc = crc32c::crc32c(&out[8..]);
        out[4..8].copy_from_slice(&crc.to_le_bytes());
        crc
    }

    /// Reads one that must belong to this segment and place. Returns its chain value too.
    pub(crate) fn decode(bytes: &[u8], salt: u64, offset: u64) -> Result<(Self, u32), Invalid> {
        let bytes: &[u8; Self::LEN] = bytes.first_chunk().ok_or("the file ends within a group's header")?;
        let mut numbers = Numbers(bytes);
        if numbers.u32() != MAGIC {
            return Err("no group begins here");
        }
        let crc = numbers.u32();
        if crc32c::crc32c(&bytes[8..]) != crc {
            return Err("the checksum of a group's header does not match");
        }
        let header = Self {
            salt: numbers.u64(),
            offset: numbers.u64(),
            first_seq: numbers.u64(),
            last_seq: numbers.u64(),
            payload_len: numbers.u32(),
            payload_crc: numbers.u32(),
            previous: numbers.u32(),
            records: numbers.u32(),
            kind: match numbers.u32() {
                0 => Kind::Records,
                1 => Kind::Mark,
                2 => Kind::Seal,
                _ => return Err("a group is of an unknown kind"),
            },
        };
        if header.salt != salt {
            return Err("a group belongs to another segment");
        }
        if header.offset != offset {
            return Err("a group belongs to another place");
        }
        if header.first_seq > header.last_seq {
            return Err("a group's records run backwards");
        }
        Ok((header, crc))
    }
}
