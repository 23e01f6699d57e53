//! A session's message, put together from the frame that all sessions share.

use std::ops::Range;

use bytes::Bytes;

use crate::error::ProtocolError;
use crate::frame::{CallOutcome, CallReply, FailCode, Frame, SessionFrame, TopicId};
use crate::limits::{SERVER_MESSAGE_BYTES_MAX, TEXT_BYTES_MAX, TOPICS_MAX};
use crate::put;
use crate::reader::Reader;
use crate::server_message::{FRAME, FrameMessage};

const OK: u8 = 0;
const REFUSED: u8 = 1;
const FAILED: u8 = 2;

/// The topics that a session sees, kept by its gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicList {
    /// Ascending.
    topics: Vec<TopicId>,
}

impl TopicList {
    /// The topics, ascending.
    pub fn as_slice(&self) -> &[TopicId] {
        &self.topics
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.topics.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    fn remove(&mut self, topic: TopicId) {
        if let Ok(index) = self.topics.binary_search(&topic) {
            self.topics.remove(index);
        }
    }

    fn insert(&mut self, topic: TopicId) {
        if let Err(index) = self.topics.binary_search(&topic) {
            self.topics.insert(index, topic);
        }
    }
}

/// Appends the message that `frame` is to one session, and updates the topics the session sees. `own` is what
/// `frame.sessions` has for it. When there is nothing to say, appends nothing and returns `false`. An
/// [`own.close`](SessionFrame::close) is not part of it: send [`ServerMessage::Closed`](crate::ServerMessage::Closed) behind.
///
/// Cost: one look-up per topic of the session and a copy of the blocks it sees.
pub fn pack_frame(
    frame: &Frame,
    own: Option<&SessionFrame>,
    topics: &mut TopicList,
    out: &mut Vec<u8>,
) -> bool {
    let (left, entered, results) =
        own.map_or((&[][..], &[][..], &[][..]), |own| (&own.left, &own.entered, &own.results));
    for topic in left {
        topics.remove(*topic);
    }
    for (topic, _) in entered {
        topics.remove(*topic); // its snapshot has this frame's changes already
    }
    let changed = topics.topics.iter().filter(|topic| frame.blocks.contains_key(*topic)).count();
    let says_something = changed + left.len() + entered.len() + results.len() > 0;
    if says_something {
        out.push(FRAME);
        put::varint(out, frame.tick);
        out.extend_from_slice(&frame.time.0.to_le_bytes());
        put::varint(out, left.len() as u64);
        for topic in left {
            put::varint(out, topic.0.into());
        }
        put::varint(out, entered.len() as u64);
        for (_, snapshot) in entered {
            out.extend_from_slice(snapshot);
        }
        put::varint(out, changed as u64);
        for block in topics.topics.iter().filter_map(|topic| frame.blocks.get(topic)) {
            out.extend_from_slice(block);
        }
        put::varint(out, results.len() as u64);
        for reply in results {
            put_reply(out, reply);
        }
    }
    for (topic, _) in entered {
        topics.insert(*topic);
    }
    says_something
}

fn put_reply(out: &mut Vec<u8>, reply: &CallReply) {
    put::varint(out, reply.seq.into());
    match &reply.result {
        CallOutcome::Ok(row) => {
            out.push(OK);
            put::bytes(out, row);
        }
        CallOutcome::Refused { variant, message, fields } => {
            out.push(REFUSED);
            let text = message.floor_char_boundary(TEXT_BYTES_MAX);
            let len = 2 + put::varint_len(text as u64) + text + fields.len();
            put::varint(out, len as u64);
            out.extend_from_slice(&variant.to_le_bytes());
            put::text(out, message, TEXT_BYTES_MAX);
            out.extend_from_slice(fields);
        }
        CallOutcome::Failed { code, message, id } => {
            out.push(FAILED);
            let text = message.floor_char_boundary(TEXT_BYTES_MAX);
            put::varint(out, (1 + put::varint_len(text as u64) + text + 8) as u64);
            out.push(*code as u8);
            put::text(out, message, TEXT_BYTES_MAX);
            out.extend_from_slice(&id.to_le_bytes());
        }
    }
}

pub(crate) fn read_reply(reader: &mut Reader<'_>) -> Result<CallReply, ProtocolError> {
    let seq = reader.varint_u32("a result's seq")?;
    let status = reader.u8("a result's status")?;
    let payload = reader.bytes(SERVER_MESSAGE_BYTES_MAX, "a result's payload")?;
    let mut payload = Reader::new(payload);
    let result = match status {
        OK => CallOutcome::Ok(Bytes::copy_from_slice(payload.rest())),
        REFUSED => CallOutcome::Refused {
            variant: payload.u16("a refusal's variant")?,
            message: payload.text(TEXT_BYTES_MAX, "a refusal's message")?.to_owned(),
            fields: Bytes::copy_from_slice(payload.rest()),
        },
        FAILED => {
            let failed = CallOutcome::Failed {
                code: FailCode::from_wire(payload.u8("a failure's code")?),
                message: payload.text(TEXT_BYTES_MAX, "a failure's message")?.to_owned(),
                id: payload.u64("a failure's id")?,
            };
            payload.finish("a failure")?;
            failed
        }
        status => return Err(ProtocolError::Unknown { what: "result status", value: status.into() }),
    };
    Ok(CallReply { seq, result })
}

/// The parts of a frame's message. Blocks are delimited here and read by [`BlockReader`](crate::BlockReader).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FrameParts<'a> {
    pub(crate) tick: u64,
    pub(crate) time_us: i64,
    pub(crate) left: Vec<TopicId>,
    /// Snapshots first, then changes.
    pub(crate) blocks: Vec<&'a [u8]>,
    /// Which of the blocks are snapshots.
    pub(crate) entered: Range<usize>,
    pub(crate) results: Vec<CallReply>,
}

impl<'a> FrameParts<'a> {
    pub(crate) fn read(message: FrameMessage<'a>) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(message.body);
        let tick = reader.varint("Frame.tick")?;
        let time_us = reader.i64("Frame.time_us")?;
        let left = topic_count(&mut reader, 1, "Frame.left")?;
        let left = (0..left)
            .map(|_| Ok(TopicId(reader.varint_u32("Frame.left")?)))
            .collect::<Result<Vec<_>, ProtocolError>>()?;
        let mut blocks = Vec::new();
        let entered = read_blocks(&mut reader, "Frame.entered", &mut blocks)?;
        read_blocks(&mut reader, "Frame.changed", &mut blocks)?;
        let results = reader.count(3, "Frame.results")?;
        let results = (0..results).map(|_| read_reply(&mut reader)).collect::<Result<Vec<_>, _>>()?;
        reader.finish("the frame")?;
        Ok(Self { tick, time_us, left, blocks, entered: 0..entered, results })
    }
}

fn topic_count(
    reader: &mut Reader<'_>,
    bytes_each: usize,
    what: &'static str,
) -> Result<usize, ProtocolError> {
    let count = reader.count(bytes_each, what)?;
    if count > TOPICS_MAX {
        return Err(ProtocolError::TooMuch { what, value: count as u64, max: TOPICS_MAX as u64 });
    }
    Ok(count)
}

fn read_blocks<'a>(
    reader: &mut Reader<'a>,
    what: &'static str,
    blocks: &mut Vec<&'a [u8]>,
) -> Result<usize, ProtocolError> {
    let count = topic_count(reader, 5, what)?;
    for _ in 0..count {
        blocks.push(reader.bytes(SERVER_MESSAGE_BYTES_MAX, what)?);
    }
    Ok(count)
}
