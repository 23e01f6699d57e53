//! Whole messages on a QUIC stream.
//!
//! ```text
//! stream  = kind u8 (0 or 1), then records
//! record  = varint (n + 1), then a message of n bytes
//!         | varint 0, code u16, length u8, reason: the sender's last words; the stream ends here
//! ```
//!
//! The end is a record of the control stream, not QUIC's own CONNECTION_CLOSE, because that one overtakes and throws away what the
//! peer has not read yet.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::error::{CloseReason, TransportError};

/// The first byte of the stream that the client opens, in both directions.
pub(crate) const CONTROL: u8 = 0;

/// The first byte of the one stream that the server opens for the world.
pub(crate) const WORLD: u8 = 1;

/// The first byte of a server's stream with one message of the latest lane, and no records.
pub(crate) const LATEST: u8 = 2;

/// The longest close reason in bytes; as much as a WebSocket carries.
const REASON_BYTES_MAX: usize = 123;

/// The most bytes of a varint for 32 bits.
const PREFIX_BYTES_MAX: u32 = 5;

/// What is reserved at once for a message whose bytes have not arrived: a peer must send what it makes us hold.
const RESERVED_BYTES_MAX: usize = 4096;

/// The prefix of a message of `length` bytes.
pub(crate) fn put_prefix(length: usize, out: &mut BytesMut) {
    let mut value = length as u64 + 1;
    while value >= 0x80 {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

/// The record that ends a stream.
pub(crate) fn close_record(code: u16, reason: &str) -> Bytes {
    let reason = &reason[..reason.floor_char_boundary(REASON_BYTES_MAX)];
    let mut record = BytesMut::with_capacity(4 + reason.len());
    record.put_u8(0);
    record.put_u16_le(code);
    record.put_u8(reason.len() as u8);
    record.put_slice(reason.as_bytes());
    record.freeze()
}

/// One record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Record {
    Message(Bytes),
    Close(CloseReason),
}

/// Makes records of the stream's chunks, which may be cut anywhere.
#[derive(Debug)]
pub(crate) struct Deframer {
    message_bytes_max: usize,
    /// Arrived and not looked at.
    chunk: Bytes,
    state: State,
}

#[derive(Debug)]
enum State {
    Prefix {
        value: u64,
        bytes: u32,
    },
    Message {
        length: usize,
        bytes: BytesMut,
    },
    /// `bytes` has everything behind the zero.
    Close {
        bytes: BytesMut,
    },
}

const START: State = State::Prefix { value: 0, bytes: 0 };

impl Deframer {
    pub(crate) fn new(message_bytes_max: usize) -> Self {
        Self { message_bytes_max, chunk: Bytes::new(), state: START }
    }

    /// Takes the next bytes of the stream, once [`Deframer::next`] has nothing more to give.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty(), "the last chunk was not used up");
        self.chunk = chunk;
    }

    /// Whether the stream may end here.
    pub(crate) fn is_between_records(&self) -> bool {
        self.chunk.is_empty() && matches!(self.state, State::Prefix { bytes: 0, .. })
    }

    /// The next record, if all of it has arrived. A message within one chunk is not copied.
    pub(crate) fn next(&mut self) -> Result<Option<Record>, TransportError> {
        while !self.chunk.is_empty() {
            match &mut self.state {
                State::Prefix { value, bytes } => {
                    let byte = self.chunk.get_u8();
                    *value |= u64::from(byte & 0x7f) << (7 * *bytes);
                    *bytes += 1;
                    if byte & 0x80 != 0 {
                        if *bytes == PREFIX_BYTES_MAX {
                            return Err(broken("the length of a message does not end"));
                        }
                        continue;
                    }
                    if byte == 0 && *bytes > 1 {
                        return Err(broken("the length of a message is not in its shortest form"));
                    }
                    let Some(length) = value.checked_sub(1) else {
                        self.state = State::Close { bytes: BytesMut::new() };
                        continue;
                    };
                    let length = usize::try_from(length).unwrap_or(usize::MAX);
                    if length > self.message_bytes_max {
                        return Err(TransportError::TooLarge { bytes_max: self.message_bytes_max });
                    }
                    if length <= self.chunk.len() {
                        self.state = START;
                        return Ok(Some(Record::Message(self.chunk.split_to(length))));
                    }
                    let bytes = BytesMut::with_capacity(length.min(RESERVED_BYTES_MAX));
                    self.state = State::Message { length, bytes };
                }
                State::Message { length, bytes } => {
                    let missing = *length - bytes.len();
                    bytes.extend_from_slice(&self.chunk.split_to(missing.min(self.chunk.len())));
                    if bytes.len() == *length {
                        let message = std::mem::take(bytes).freeze();
                        self.state = START;
                        return Ok(Some(Record::Message(message)));
                    }
                }
                State::Close { bytes } => {
                    let length = 3 + bytes.get(2).map_or(0, |length| usize::from(*length));
                    let missing = length - bytes.len();
                    bytes.extend_from_slice(&self.chunk.split_to(missing.min(self.chunk.len())));
                    if let [low, high, length, reason @ ..] = &**bytes
                        && reason.len() == usize::from(*length)
                    {
                        let code = u16::from_le_bytes([*low, *high]);
                        let reason = String::from_utf8_lossy(reason).into_owned();
                        // Nothing counts that comes behind the last words.
                        self.chunk = Bytes::new();
                        return Ok(Some(Record::Close(CloseReason { code: Some(code), reason })));
                    }
                }
            }
        }
        Ok(None)
    }
}

fn broken(problem: &str) -> TransportError {
    TransportError::Protocol(problem.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    fn all(deframer: &mut Deframer, chunk: &[u8]) -> Result<Vec<Record>, TransportError> {
        deframer.push(Bytes::copy_from_slice(chunk));
        std::iter::from_fn(|| deframer.next().transpose()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        /// However the stream is cut, the same messages and last words come out.
        #[test]
        fn cuts_make_no_difference(
            lengths in prop::collection::vec(prop_oneof![0_usize..3, 120..135_usize, 0..20_000_usize], 0..8),
            cuts in prop::collection::vec(1_usize..3000, 1..40),
            reason in ".{0,200}",
        ) {
            let mut stream = BytesMut::new();
            for (number, length) in lengths.iter().enumerate() {
                put_prefix(*length, &mut stream);
                stream.extend_from_slice(&vec![number as u8; *length]);
            }
            stream.extend_from_slice(&close_record(7, &reason));

            let mut deframer = Deframer::new(20_000);
            let mut records = Vec::new();
            let mut cuts = cuts.iter().cycle();
            while !stream.is_empty() {
                let cut = stream.split_to((*cuts.next().unwrap()).min(stream.len()));
                records.extend(all(&mut deframer, &cut).unwrap());
            }
            let Some(Record::Close(close)) = records.pop() else { panic!("no end") };
            prop_assert_eq!(close.code, Some(7));
            prop_assert!(reason.starts_with(&close.reason));
            let want = lengths.iter().enumerate().map(|(number, length)| Record::Message(vec![number as u8; *length].into()));
            prop_assert_eq!(records, want.collect::<Vec<_>>());
        }

        /// Anything may arrive; what comes out is never larger than allowed.
        #[test]
        fn takes_garbage(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..16)) {
            let mut deframer = Deframer::new(100);
            for chunk in chunks {
                let Ok(records) = all(&mut deframer, &chunk) else { break };
                for record in records {
                    match record {
                        Record::Message(message) => prop_assert!(message.len() <= 100),
                        Record::Close(_) => return Ok(()),
                    }
                }
            }
        }
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        let problem = |bytes: &[u8]| all(&mut Deframer::new(100), bytes).unwrap_err();
        assert!(matches!(problem(&[102]), TransportError::TooLarge { bytes_max: 100 }));
        assert!(matches!(problem(&[0xff, 0xff, 0xff, 0xff, 0x0f]), TransportError::TooLarge { .. }));
        assert!(matches!(problem(&[0xff; 5]), TransportError::Protocol(_)));
        assert!(matches!(problem(&[0x81, 0]), TransportError::Protocol(_)));
    }

    #[test]
    fn nothing_follows_the_last_words() {
        let mut stream = close_record(7, "bye").to_vec();
        stream.extend_from_slice(&[2, b'a', 0, 0, 0, 0]);
        assert_eq!(all(&mut Deframer::new(100), &stream).unwrap().len(), 1);
    }

    #[test]
    fn knows_where_a_stream_may_end() {
        let mut deframer = Deframer::new(100);
        assert!(deframer.is_between_records());
        assert_eq!(all(&mut deframer, &[3, b'a', b'b']).unwrap().len(), 1);
        assert!(deframer.is_between_records());
        assert!(all(&mut deframer, &[3, b'a']).unwrap().is_empty());
        assert!(!deframer.is_between_records());
    }
}
