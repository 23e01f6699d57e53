//! Numbers and byte strings of records.
//!
//! A number is a varint: seven bits a byte, lowest first, the top bit set on all but the last. A signed number is
//! folded to an unsigned one first (zigzag). Reading is bounded by the input, and never panics.

use thiserror::Error;

/// Why bytes are not a record, or not a chunk of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{what} at byte {at}")]
pub struct Malformed {
    /// What is wrong.
    pub what: &'static str,
    /// Where, from the start of the record.
    pub at: usize,
}

/// Appends a number.
#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed number.
#[inline]
pub(crate) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, (value << 1 ^ value >> 63) as u64);
}

/// Appends a byte string with its length.
pub(crate) fn put_blob(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Bytes that are read from the front.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    pub(crate) fn malformed<T>(&self, what: &'static str) -> Result<T, Malformed> {
        Err(Malformed { what, at: self.at })
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        let Some(byte) = self.bytes.get(self.at) else {
            return self.malformed("the end where a byte is due");
        };
        self.at += 1;
        Ok(*byte)
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                return self.malformed("a number beyond 64 bits");
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        self.malformed("a number that does not end")
    }

    pub(crate) fn signed(&mut self) -> Result<i64, Malformed> {
        let folded = self.varint()?;
        Ok((folded >> 1) as i64 ^ -((folded & 1) as i64))
    }

    /// A number that fits `T`.
    pub(crate) fn small<T: TryFrom<u64>>(&mut self) -> Result<T, Malformed> {
        let value = self.varint()?;
        T::try_from(value).or_else(|_| self.malformed("a number that is too large"))
    }

    /// How many of something follow, each of at least one byte.
    pub(crate) fn count(&mut self) -> Result<usize, Malformed> {
        let count: usize = self.small()?;
        if count > self.bytes.len() - self.at {
            return self.malformed("a count of more than there can be");
        }
        Ok(count)
    }

    #[inline]
    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        match self.bytes[self.at..].get(..len) {
            Some(bytes) => {
                self.at += len;
                Ok(bytes)
            }
            None => self.malformed("fewer bytes than are due"),
        }
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        match self.bytes[self.at..].first_chunk() {
            Some(bytes) => {
                self.at += N;
                Ok(*bytes)
            }
            None => self.malformed("fewer bytes than are due"),
        }
    }

    pub(crate) fn blob(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.small()?;
        self.take(len)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Malformed> {
        let bytes = self.blob()?;
        str::from_utf8(bytes).or_else(|_| self.malformed("text that is not UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(value: u64, signed: i64, blob: Vec<u8>) {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            put_signed(&mut out, signed);
            put_blob(&mut out, &blob);
            let mut input = Input::new(&out);
            prop_assert_eq!(input.varint(), Ok(value));
            prop_assert_eq!(input.signed(), Ok(signed));
            prop_assert_eq!(input.blob(), Ok(&blob[..]));
            prop_assert!(input.is_empty());
        }
    }

    #[test]
    fn numbers_that_are_too_long_are_refused() {
        assert_eq!(Input::new(&[0xff; 9]).varint().map_err(|error| error.at), Err(9));
        assert!(Input::new(&[0xff; 11]).varint().is_err());
        let mut most = [0xff; 10];
        most[9] = 1;
        assert_eq!(Input::new(&most).varint(), Ok(u64::MAX));
        most[9] = 2;
        assert!(Input::new(&most).varint().is_err());
    }

    #[test]
    fn counts_are_bounded_by_what_is_there() {
        assert_eq!(Input::new(&[2, 0, 0]).count(), Ok(2));
        assert!(Input::new(&[3, 0, 0]).count().is_err());
    }
}
