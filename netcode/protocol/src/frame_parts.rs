//! A frame's message taken apart.

use crate::error::ProtocolError;
use crate::frame::{CallReply, QueryReply, TopicId};
use crate::limits::{SERVER_MESSAGE_BYTES_MAX, TOPICS_MAX};
use crate::reader::Reader;
use crate::reply::{read_query_reply, read_reply};
use crate::server_message::FrameMessage;

/// The parts of a frame's message. Blocks and states are delimited here and read later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FrameParts<'a> {
    pub(crate) number: u64,
    pub(crate) tick: u64,
    pub(crate) time_us: i64,
    pub(crate) left: Vec<TopicId>,
    /// Snapshots.
    pub(crate) entered: Vec<&'a [u8]>,
    pub(crate) changed: Vec<&'a [u8]>,
    pub(crate) states: Vec<&'a [u8]>,
    pub(crate) results: Vec<CallReply>,
    pub(crate) queries: Vec<QueryReply>,
}

impl<'a> FrameParts<'a> {
    /// Whether it answers calls and says nothing else.
    pub(crate) fn has_results_alone(&self) -> bool {
        let topics = self.left.len() + self.entered.len() + self.changed.len() + self.states.len();
        topics + self.queries.len() == 0 && !self.results.is_empty()
    }

    pub(crate) fn read(message: FrameMessage<'a>) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(message.body);
        let reader = &mut reader;
        let parts = Self {
            number: reader.varint("Frame.number")?,
            tick: reader.varint("Frame.tick")?,
            time_us: reader.i64("Frame.time_us")?,
            left: list(reader, 1, "Frame.left", |reader| Ok(TopicId(reader.varint_u32("Frame.left")?)))?,
            entered: list(reader, 6, "Frame.entered", |reader| block(reader, "Frame.entered"))?,
            changed: list(reader, 5, "Frame.changed", |reader| block(reader, "Frame.changed"))?,
            states: list(reader, 2, "Frame.states", |reader| block(reader, "Frame.states"))?,
            results: list(reader, 3, "Frame.results", read_reply)?,
            queries: list(reader, 3, "Frame.queries", read_query_reply)?,
        };
        reader.finish("the frame")?;
        let counts = [("Frame.left", parts.left.len()), ("Frame.entered", parts.entered.len())];
        match counts.into_iter().find(|(_, count)| *count > TOPICS_MAX) {
            None => Ok(parts),
            Some((what, count)) => {
                Err(ProtocolError::TooMuch { what, value: count as u64, max: TOPICS_MAX as u64 })
            }
        }
    }
}

/// What a varint counts; each takes `bytes_each` bytes at least.
fn list<'a, T>(
    reader: &mut Reader<'a>,
    bytes_each: usize,
    what: &'static str,
    read: impl Fn(&mut Reader<'a>) -> Result<T, ProtocolError>,
) -> Result<Vec<T>, ProtocolError> {
    let count = reader.count(bytes_each, what)?;
    (0..count).map(|_| read(reader)).collect()
}

fn block<'a>(reader: &mut Reader<'a>, what: &'static str) -> Result<&'a [u8], ProtocolError> {
    reader.bytes(SERVER_MESSAGE_BYTES_MAX, what)
}
