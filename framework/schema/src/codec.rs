//! Writing and reading row bytes.

use thiserror::Error;

/// Why bytes are not a row of the expected type.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum RowError {
    #[error("{got} bytes where the row needs {want}")]
    Length { want: usize, got: usize },
    #[error("byte {value} at {at} is not a bool")]
    Bool { at: usize, value: u8 },
    #[error("value {value} at {at} is not of enum {name}")]
    Enum { at: usize, name: String, value: u32 },
    #[error("the text at {at} is not UTF-8")]
    Utf8 { at: usize },
    #[error(
        "the variable field at {at} points to {offset}, not to {want}: tails stand in field order without gaps"
    )]
    Offset { at: usize, offset: usize, want: usize },
    #[error("an option at {at} has {len} values")]
    Option { at: usize, len: usize },
    #[error("a row of more than {max} bytes")]
    TooLong { max: usize },
}

/// Builds one row's bytes at the end of a buffer.
///
/// The caller reserves the fixed part, then fields write themselves at their offsets and append their tails.
#[derive(Debug)]
pub struct RowWriter<'buf> {
    bytes: &'buf mut Vec<u8>,
    start: usize,
}

impl<'buf> RowWriter<'buf> {
    /// Starts a row with a fixed part of `size` bytes behind what `bytes` already holds.
    pub fn new(bytes: &'buf mut Vec<u8>, size: usize) -> Self {
        let start = bytes.len();
        bytes.resize(start + size, 0);
        Self { bytes, start }
    }

    /// Writes `value` at `at`, counted from the row's first byte.
    pub fn put(&mut self, at: usize, value: &[u8]) {
        self.bytes[self.start + at..self.start + at + value.len()].copy_from_slice(value);
    }

    /// Writes the variable field at `at`: `len` elements whose fixed parts together take `bytes` zeroed bytes
    /// at the end of the row. Returns where they start, counted from the row's first byte.
    pub fn tail(&mut self, at: usize, len: usize, bytes: usize) -> usize {
        if len == 0 {
            return 0; // (0, 0) stands there already
        }
        let offset = self.bytes.len() - self.start;
        self.bytes.resize(self.bytes.len() + bytes, 0);
        self.put(at, &(offset as u32).to_le_bytes());
        self.put(at + 4, &(len as u32).to_le_bytes());
        offset
    }

    /// Bytes of the row so far.
    pub const fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Whether the row has no bytes so far.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Reads fields from one row's bytes. Every read is checked.
#[derive(Clone, Copy, Debug)]
pub struct RowReader<'row> {
    bytes: &'row [u8],
}

impl<'row> RowReader<'row> {
    /// Reads from `bytes`, which start with the row's first byte.
    pub const fn new(bytes: &'row [u8]) -> Self {
        Self { bytes }
    }

    /// `N` bytes at `at`.
    pub fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], RowError> {
        match self.bytes.get(at..).and_then(|rest| rest.first_chunk()) {
            Some(array) => Ok(*array),
            None => Err(RowError::Length { want: at.saturating_add(N), got: self.bytes.len() }),
        }
    }

    /// `len` bytes at `at`.
    pub fn slice(&self, at: usize, len: usize) -> Result<&'row [u8], RowError> {
        let end = at.saturating_add(len);
        self.bytes.get(at..end).ok_or(RowError::Length { want: end, got: self.bytes.len() })
    }

    /// The `(offset, len)` of the variable field at `at`.
    pub fn tail(&self, at: usize) -> Result<(usize, usize), RowError> {
        let offset = u32::from_le_bytes(self.array(at)?);
        let len = u32::from_le_bytes(self.array(at + 4)?);
        Ok((offset as usize, len as usize))
    }

    /// The row's length in bytes.
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are no bytes at all.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}
