//! The bytes of an image: numbers and byte strings, in blocks with a checksum each.
//!
//! A block is its length, 4 bytes, CRC32C of all blocks' contents up to its end, 4 bytes, and its contents; an
//! empty block is the end. So a reader takes no byte more than the image has, and knows of damage before it makes
//! anything of a block.

use std::io::{self, Read, Write};

use super::ImageError;

/// The most bytes in a block.
const BLOCK_BYTES_MAX: usize = 64 << 10;

/// Writes an image.
pub(crate) struct Out<'o, W> {
    to: &'o mut W,
    block: Vec<u8>,
    sum: u32,
}

impl<'o, W: Write> Out<'o, W> {
    pub(crate) fn new(to: &'o mut W) -> Self {
        Self { to, block: Vec::with_capacity(BLOCK_BYTES_MAX), sum: 0 }
    }

    pub(crate) fn put(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while self.block.len() + bytes.len() > BLOCK_BYTES_MAX {
            let (now, later) = bytes.split_at(BLOCK_BYTES_MAX - self.block.len());
            self.block.extend_from_slice(now);
            self.flush()?;
            bytes = later;
        }
        self.block.extend_from_slice(bytes);
        Ok(())
    }

    pub(crate) fn u64(&mut self, number: u64) -> io::Result<()> {
        self.put(&number.to_le_bytes())
    }

    /// A byte string with its length.
    pub(crate) fn blob(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.u64(bytes.len() as u64)?;
        self.put(bytes)
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        if !self.block.is_empty() {
            self.flush()?;
        }
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sum = crc32c::crc32c_append(self.sum, &self.block);
        self.to.write_all(&(self.block.len() as u32).to_le_bytes())?;
        self.to.write_all(&self.sum.to_le_bytes())?;
        self.to.write_all(&self.block)?;
        self.block.clear();
        Ok(())
    }
}

/// Reads an image.
pub(crate) struct In<'i, R> {
    from: &'i mut R,
    block: Vec<u8>,
    at: usize,
    sum: u32,
    /// A byte string that was in several blocks.
    joined: Vec<u8>,
}

impl<'i, R: Read> In<'i, R> {
    pub(crate) fn new(from: &'i mut R) -> Self {
        Self { from, block: Vec::new(), at: 0, sum: 0, joined: Vec::new() }
    }

    /// The next `len` bytes. Memory grows with what is there, not with what `len` says.
    pub(crate) fn bytes(&mut self, len: usize) -> Result<&[u8], ImageError> {
        if self.at == self.block.len() && len > 0 {
            self.next_block()?;
        }
        if self.block.len() - self.at >= len {
            self.at += len;
            return Ok(&self.block[self.at - len..self.at]);
        }
        self.joined.clear();
        loop {
            let here = (len - self.joined.len()).min(self.block.len() - self.at);
            self.joined.extend_from_slice(&self.block[self.at..self.at + here]);
            self.at += here;
            if self.joined.len() == len {
                return Ok(&self.joined);
            }
            self.next_block()?;
        }
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], ImageError> {
        self.bytes(N)?.try_into().map_err(|_| ImageError::Damaged("a value has too few bytes"))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, ImageError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A byte string with its length.
    pub(crate) fn blob(&mut self) -> Result<&[u8], ImageError> {
        let len = self.u64()? as usize;
        self.bytes(len)
    }

    /// The end must be here.
    pub(crate) fn finish(mut self) -> Result<(), ImageError> {
        if self.at < self.block.len() {
            return Err(ImageError::Damaged("something stands behind its end"));
        }
        match self.read_block()? {
            0 => Ok(()),
            _ => Err(ImageError::Damaged("something stands behind its end")),
        }
    }

    fn next_block(&mut self) -> Result<(), ImageError> {
        match self.read_block()? {
            0 => Err(ImageError::Damaged("it ends too early")),
            _ => Ok(()),
        }
    }

    fn read_block(&mut self) -> Result<usize, ImageError> {
        let is_first = self.block.is_empty();
        let (mut len, mut sum) = ([0; 4], [0; 4]);
        self.fill(|from| from.read_exact(&mut len).and_then(|()| from.read_exact(&mut sum)))?;
        let len = u32::from_le_bytes(len) as usize;
        if len > BLOCK_BYTES_MAX {
            let damaged = ImageError::Damaged("a block has an impossible length");
            return Err(if is_first { ImageError::NotAnImage } else { damaged });
        }
        let mut block = std::mem::take(&mut self.block);
        block.resize(len, 0);
        self.fill(|from| from.read_exact(&mut block))?;
        (self.block, self.at) = (block, 0);
        self.sum = crc32c::crc32c_append(self.sum, &self.block);
        if self.sum != u32::from_le_bytes(sum) {
            return Err(ImageError::Damaged("a block's checksum is wrong"));
        }
        Ok(len)
    }

    fn fill(&mut self, read: impl FnOnce(&mut R) -> io::Result<()>) -> Result<(), ImageError> {
        read(self.from).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => ImageError::Damaged("it ends too early"),
            _ => ImageError::Io(error),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

    use super::*;

    fn image(parts: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut out = Out::new(&mut bytes);
        parts.iter().for_each(|part| out.blob(part).unwrap());
        out.finish().unwrap();
        bytes
    }

    #[test]
    fn strings_come_back_whatever_block_they_are_in() {
        let parts =
            [vec![], vec![1; 3], vec![2; BLOCK_BYTES_MAX - 19], vec![3; 5 * BLOCK_BYTES_MAX], vec![4]];
        let mut bytes = image(&parts);
        bytes.extend([9; 5]);
        let mut rest = &bytes[..];
        let mut input = In::new(&mut rest);
        for part in &parts {
            assert_eq!(input.blob().unwrap(), part);
        }
        input.finish().unwrap();
        assert_eq!(rest, [9; 5], "no more is read than the image has");
    }

    #[test]
    fn damage_is_found_wherever_it_is() {
        let bytes = image(&[vec![7; 100]]);
        let read = |bytes: &[u8]| {
            let mut rest = bytes;
            let mut input = In::new(&mut rest);
            input.blob().map(<[u8]>::to_vec).and_then(|blob| input.finish().map(|()| blob))
        };
        assert_eq!(read(&bytes).unwrap(), [7; 100]);
        for at in 0..bytes.len() {
            assert!(read(&bytes[..at]).is_err(), "cut at {at}");
            let mut flipped = bytes.clone();
            flipped[at] ^= 4;
            assert!(read(&flipped).is_err(), "flipped at {at}");
        }
    }
}
