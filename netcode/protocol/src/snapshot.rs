//! Snapshots, which are large and go to many: compressed once, for all.

use std::borrow::Cow;
use std::sync::OnceLock;

use bytes::Bytes;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;

use crate::block::{COMPRESSED, SNAPSHOT, read_kind};
use crate::error::ProtocolError;
use crate::limits::SERVER_MESSAGE_BYTES_MAX;
use crate::put;
use crate::reader::Reader;

/// Snapshots below so many bytes are not compressed.
const COMPRESS_BYTES_MIN: usize = 256;
/// Little effort: the next levels take three times as long and save a few hundredths more.
const LEVEL: u8 = 1;

/// A topic's whole content as a block, which is compressed by the first who asks for it.
#[derive(Debug)]
pub struct Snapshot {
    block: Bytes,
    wire: OnceLock<Bytes>,
}

impl Snapshot {
    /// A snapshot of what a [`BlockWriter`](crate::BlockWriter) has finished after
    /// [`begin_snapshot`](crate::BlockWriter::begin_snapshot).
    pub const fn new(block: Bytes) -> Self {
        Self { block, wire: OnceLock::new() }
    }

    /// The block as it was written.
    pub const fn block(&self) -> &Bytes {
        &self.block
    }

    /// The block as it is sent: compressed if that saves an eighth, and there are 256 bytes at least.
    ///
    /// Cost: the first time about 15 µs and 10 ns a byte; others who ask meanwhile wait.
    pub fn wire(&self) -> &Bytes {
        self.wire.get_or_init(|| {
            let compressed = (self.block.len() >= COMPRESS_BYTES_MIN).then(|| compress(&self.block));
            match compressed.and_then(Result::ok) {
                Some(smaller) if smaller.len() <= self.block.len() - self.block.len() / 8 => smaller.into(),
                _ => self.block.clone(),
            }
        })
    }
}

/// A block's parts.
struct Parts<'a> {
    topic: &'a [u8],
    flags: u8,
    /// Between the flags and the sections.
    middle: &'a [u8],
    sections: Reader<'a>,
}

fn cut(body: &[u8]) -> Result<Parts<'_>, ProtocolError> {
    let mut reader = Reader::new(body);
    reader.varint_u32("a block's topic")?;
    let topic = &body[..body.len() - reader.len()];
    let flags = reader.u8("a block's flags")?;
    let start = reader;
    reader.u16("a block's roster version")?;
    if flags & SNAPSHOT != 0 {
        read_kind(&mut reader)?;
    }
    let middle = &start.rest()[..start.len() - reader.len()];
    Ok(Parts { topic, flags, middle, sections: reader })
}

/// The whole block, its length included, with its sections compressed.
fn compress(block: &[u8]) -> Result<Vec<u8>, ProtocolError> {
    let body = Reader::new(block).bytes(SERVER_MESSAGE_BYTES_MAX, "a snapshot")?;
    let Parts { topic, flags, middle, sections } = cut(body)?;
    let packed = compress_to_vec(sections.rest(), LEVEL);
    let raw_len = sections.len() as u64;
    let len = topic.len() + 1 + middle.len() + put::varint_len(raw_len) + packed.len();
    let mut out = Vec::with_capacity(put::varint_len(len as u64) + len);
    put::varint(&mut out, len as u64);
    out.extend_from_slice(topic);
    out.push(flags | COMPRESSED);
    out.extend_from_slice(middle);
    put::varint(&mut out, raw_len);
    out.extend_from_slice(&packed);
    Ok(out)
}

/// A block, without its length, as it was before it was compressed. Costs and takes no more than what comes out, which is at most
/// 1032 times what goes in and at most 16 MiB.
pub(crate) fn plain(body: &[u8]) -> Result<Cow<'_, [u8]>, ProtocolError> {
    let Parts { topic, flags, middle, sections: mut reader } = cut(body)?;
    if flags != SNAPSHOT | COMPRESSED {
        return Ok(Cow::Borrowed(body));
    }
    let raw_len = reader.varint_u32("a snapshot's raw length")? as usize;
    if raw_len > SERVER_MESSAGE_BYTES_MAX {
        let max = SERVER_MESSAGE_BYTES_MAX as u64;
        return Err(ProtocolError::TooMuch { what: "a snapshot's raw length", value: raw_len as u64, max });
    }
    let packed = reader.rest();
    let malformed = ProtocolError::Malformed("the compressed sections of a snapshot");
    let sections = decompress_to_vec_with_limit(packed, raw_len).map_err(|_| malformed.clone())?;
    if sections.len() != raw_len {
        return Err(malformed);
    }
    Ok(Cow::Owned([topic, &[SNAPSHOT], middle, &sections].concat()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use evertick_schema::EntityId;

    use super::*;
    use crate::{BlockWriter, TopicId, TopicKind};

    fn snapshot(entities: u32) -> Snapshot {
        let mut writer = BlockWriter::new();
        writer.begin_snapshot(TopicId(300), 7, TopicKind::Detail { space: 1, x: -4, y: 70_000 });
        let roster: Vec<_> = (0..entities).map(|slot| (slot, EntityId(1000 + 3 * u64::from(slot)))).collect();
        writer.enter(&roster);
        Snapshot::new(writer.finish())
    }

    fn body(block: &[u8]) -> &[u8] {
        Reader::new(block).bytes(usize::MAX, "block").unwrap()
    }

    #[test]
    fn what_is_compressed_comes_out_again() {
        let large = snapshot(1000);
        assert!(large.wire().len() * 4 < large.block().len(), "{} bytes", large.wire().len());
        assert_eq!(plain(body(large.wire())).unwrap(), body(large.block()));
        assert!(std::ptr::eq(large.wire(), large.wire()));

        let small = snapshot(100);
        assert_eq!(small.wire(), small.block());
        assert!(matches!(plain(body(small.wire())), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn lengths_must_be_what_they_say() {
        let large = snapshot(1000);
        let wire = body(large.wire());
        let Parts { topic, flags, middle, sections: mut rest } = cut(wire).unwrap();
        let raw_len = rest.varint("length").unwrap();
        let with = |raw_len: u64, packed: &[u8]| {
            let mut out = [topic, &[flags], middle].concat();
            put::varint(&mut out, raw_len);
            out.extend_from_slice(packed);
            out
        };
        assert!(plain(&with(raw_len, rest.rest())).is_ok());
        let malformed = ProtocolError::Malformed("the compressed sections of a snapshot");
        for wrong in [0, raw_len - 1, raw_len + 1, 16 << 20] {
            assert_eq!(plain(&with(wrong, rest.rest())), Err(malformed.clone()), "{wrong}");
        }
        assert_eq!(plain(&with(raw_len, &rest.rest()[..rest.len() - 3])), Err(malformed));
        assert!(matches!(plain(&with((16 << 20) + 1, rest.rest())), Err(ProtocolError::TooMuch { .. })));
    }
}
