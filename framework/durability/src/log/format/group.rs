//! A group of records: what is written and synced at once.

use super::{GroupHeader, Invalid, Kind, block_up};

/// The most bytes that one record may have.
pub(crate) const RECORD_BYTES_MAX: usize = 1 << 30;

/// The most bytes that stand before a record's body: two variable-length numbers.
const RECORD_HEADER_MAX: usize = 20;

/// Records on their way to the disk, in the bytes that the file will have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    /// Room for the header, the records, and after [`Self::seal_up`] padding.
    bytes: Vec<u8>,
    /// Length of header and records.
    len: usize,
    pub(crate) first_seq: u64,
    pub(crate) last_seq: u64,
    pub(crate) records: u32,
    /// Bytes of the records' bodies.
    pub(crate) body_bytes: usize,
}

impl Group {
    pub(crate) fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Header and records, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.len.max(GroupHeader::LEN)
    }

    /// What [`Self::len`] would be with a further record, at most.
    pub(crate) fn len_with(&self, body: &[u8]) -> usize {
        self.len() + body.len() + RECORD_HEADER_MAX
    }

    /// What it holds in memory, in bytes.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Adds a record. Its number is above that of the one before.
    pub(crate) fn push(&mut self, seq: u64, body: &[u8]) {
        if self.is_empty() {
            self.bytes.clear();
            self.bytes.resize(GroupHeader::LEN, 0);
            self.first_seq = seq;
            self.last_seq = seq;
        }
        write_varint(&mut self.bytes, seq - self.last_seq);
        write_varint(&mut self.bytes, body.len() as u64);
        self.bytes.extend_from_slice(body);
        self.len = self.bytes.len();
        self.last_seq = seq;
        self.records += 1;
        self.body_bytes += body.len();
    }

    /// Forgets the records and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
        self.records = 0;
        self.body_bytes = 0;
        self.bytes.clear();
    }

    /// Its bytes for this place, in whole blocks, and the chain value that the next group carries.
    pub(crate) fn seal_up(&mut self, salt: u64, offset: u64, previous: u32) -> (&[u8], u32) {
        self.bytes.truncate(self.len);
        let payload = &self.bytes[GroupHeader::LEN..];
        let header = GroupHeader {
            salt,
            offset,
            first_seq: self.first_seq,
            last_seq: self.last_seq,
            payload_len: payload.len() as u32,
            payload_crc: crc32c::crc32c(payload),
            previous,
            records: self.records,
            kind: Kind::Records,
        };
        self.bytes.resize(block_up(self.len as u64) as usize, 0);
        let chain = header.encode(self.bytes.first_chunk_mut().expect("room for the header is kept"));
        (&self.bytes, chain)
    }
}

/// A mark or seal for this place: one block, and its chain value.
pub(crate) fn mark(kind: Kind, salt: u64, offset: u64, previous: u32, last_seq: u64) -> (Vec<u8>, u32) {
    let header = GroupHeader {
        salt,
        offset,
        first_seq: last_seq,
        last_seq,
        payload_len: 0,
        payload_crc: 0,
        previous,
        records: 0,
        kind,
    };
    let mut bytes = vec![0; super::BLOCK as usize];
    let chain = header.encode(bytes.first_chunk_mut().expect("a block is longer than a header"));
    (bytes, chain)
}

/// Where reading stands in a group's records.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Payload {
    at: usize,
    last_seq: u64,
    /// How many records are still to come.
    left: u32,
    /// What the last one's number must be.
    end_seq: u64,
    begun: bool,
}

impl Payload {
    pub(crate) fn new(header: &GroupHeader) -> Self {
        Self {
            at: 0,
            last_seq: header.first_seq,
            left: header.records,
            end_seq: header.last_seq,
            begun: false,
        }
    }

    /// The next record of `payload`: its number and where its body is. Bounded by the header's count.
    pub(crate) fn next(&mut self, payload: &[u8]) -> Result<Option<(u64, std::ops::Range<usize>)>, Invalid> {
        if self.left == 0 {
            let ends = self.at == payload.len() && self.last_seq == self.end_seq;
            return if ends { Ok(None) } else { Err("a group does not end where it should") };
        }
        let step = read_varint(payload, &mut self.at).ok_or("a record's number is malformed")?;
        let len = read_varint(payload, &mut self.at).ok_or("a record's length is malformed")?;
        if (step == 0) == self.begun {
            return Err("a record's number does not follow the one before");
        }
        self.begun = true;
        let seq = self.last_seq.checked_add(step).ok_or("a record's number is malformed")?;
        let end = usize::try_from(len).ok().and_then(|len| self.at.checked_add(len));
        let end = end.filter(|end| *end <= payload.len()).ok_or("a record is longer than its group")?;
        let body = self.at..end;
        self.at = end;
        self.last_seq = seq;
        self.left -= 1;
        Ok(Some((seq, body)))
    }
}

fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn read_varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        let bits = u64::from(byte & 0x7f);
        value |= bits.checked_shl(shift).filter(|shifted| shifted >> shift == bits)?;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}
