//! Reading bytes that anybody may have sent.

use crate::error::ProtocolError;

/// Takes values off the front of a message. Nothing it does can panic or allocate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Bytes that are left.
    pub(crate) const fn len(&self) -> usize {
        self.rest.len()
    }

    /// All that is left.
    pub(crate) const fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// The next `len` bytes.
    pub(crate) fn take(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], ProtocolError> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(ProtocolError::Truncated(what))?;
        self.rest = rest;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], ProtocolError> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(ProtocolError::Truncated(what))?;
        self.rest = rest;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self, what: &'static str) -> Result<u8, ProtocolError> {
        Ok(self.array::<1>(what)?[0])
    }

    pub(crate) fn u16(&mut self, what: &'static str) -> Result<u16, ProtocolError> {
        Ok(u16::from_le_bytes(self.array(what)?))
    }

    pub(crate) fn u64(&mut self, what: &'static str) -> Result<u64, ProtocolError> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    pub(crate) fn i64(&mut self, what: &'static str) -> Result<i64, ProtocolError> {
        Ok(i64::from_le_bytes(self.array(what)?))
    }

    /// A varint of up to 64 bits, in its shortest form.
    pub(crate) fn varint(&mut self, what: &'static str) -> Result<u64, ProtocolError> {
        let mut value = 0u64;
        for (index, byte) in self.rest.iter().enumerate() {
            let bits = u64::from(byte & 0x7f);
            if index == 9 && *byte > 1 {
                return Err(ProtocolError::Varint(what));
            }
            value |= bits << (7 * index);
            if byte & 0x80 == 0 {
                if *byte == 0 && index > 0 {
                    return Err(ProtocolError::Varint(what));
                }
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        Err(ProtocolError::Truncated(what))
    }

    pub(crate) fn varint_u32(&mut self, what: &'static str) -> Result<u32, ProtocolError> {
        u32::try_from(self.varint(what)?).map_err(|_| ProtocolError::Varint(what))
    }

    /// A zigzag varint of up to 64 bits.
    pub(crate) fn zigzag(&mut self, what: &'static str) -> Result<i64, ProtocolError> {
        let value = self.varint(what)?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub(crate) fn zigzag_i32(&mut self, what: &'static str) -> Result<i32, ProtocolError> {
        i32::try_from(self.zigzag(what)?).map_err(|_| ProtocolError::Varint(what))
    }

    /// How many things follow, each of at least `bytes_each`: never more than the bytes that are left allow.
    pub(crate) fn count(&mut self, bytes_each: usize, what: &'static str) -> Result<usize, ProtocolError> {
        let count = self.varint_u32(what)? as usize;
        if count.saturating_mul(bytes_each) > self.rest.len() {
            return Err(ProtocolError::Truncated(what));
        }
        Ok(count)
    }

    /// Bytes with their length before them, `max` at most.
    pub(crate) fn bytes(&mut self, max: usize, what: &'static str) -> Result<&'a [u8], ProtocolError> {
        let len = self.varint_u32(what)? as usize;
        if len > max {
            return Err(ProtocolError::TooMuch { what, value: len as u64, max: max as u64 });
        }
        self.take(len, what)
    }

    /// Text with its length before it, `max` bytes at most.
    pub(crate) fn text(&mut self, max: usize, what: &'static str) -> Result<&'a str, ProtocolError> {
        str::from_utf8(self.bytes(max, what)?).map_err(|_| ProtocolError::Utf8(what))
    }

    /// Makes sure that nothing is left.
    pub(crate) fn finish(self, what: &'static str) -> Result<(), ProtocolError> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(ProtocolError::LeftOver { what, left: self.rest.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::put;

    #[test]
    fn varints_have_one_form() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut out = Vec::new();
            put::varint(&mut out, value);
            assert_eq!(out.len(), put::varint_len(value));
            assert_eq!(Reader::new(&out).varint("v"), Ok(value));
        }
        for signed in [0, -1, 1, i64::MIN, i64::MAX] {
            let mut out = Vec::new();
            put::zigzag(&mut out, signed);
            assert_eq!(Reader::new(&out).zigzag("v"), Ok(signed));
        }
        let over_long =
            [&[0x80u8, 0x00][..], &[0xff; 10], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]];
        for bytes in over_long {
            assert_eq!(Reader::new(bytes).varint("v"), Err(ProtocolError::Varint("v")));
        }
        assert_eq!(Reader::new(&[0x80]).varint("v"), Err(ProtocolError::Truncated("v")));
    }

    #[test]
    fn counts_never_exceed_what_is_there() {
        assert_eq!(Reader::new(&[3, 0, 0]).count(1, "n"), Err(ProtocolError::Truncated("n")));
        assert_eq!(Reader::new(&[2, 0, 0]).count(1, "n"), Ok(2));
        assert!(matches!(Reader::new(&[9; 10]).bytes(8, "b"), Err(ProtocolError::TooMuch { max: 8, .. })));
    }
}
