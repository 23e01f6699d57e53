//! What all topics say in a frame.
//!
//! Hot on both sides: the world's thread writes up to some ten thousand topics a frame, and each session looks at those that it sees.
//! So states stand one behind the other in one buffer, and whether a topic says anything is a bit in a small table.

use bytes::Bytes;

use crate::block::BlockWriter;
use crate::by_topic::ByTopic;
use crate::frame::TopicId;

/// What each topic says that has subscribers and something to say. Made by a [`TopicFramesWriter`].
///
/// ```
/// use evertick_protocol::{TopicFramesWriter, TopicId};
///
/// let mut writer = TopicFramesWriter::new();
/// writer.states(TopicId(7), 1);
/// writer.state(0, 12, b"\x03abc");
/// let topics = writer.finish();
/// let states = topics.states(TopicId(7)).expect("it has one");
/// assert_eq!(topics.state(&states.parts[0]), b"\x03abc");
/// assert!(topics.states(TopicId(8)).is_none());
/// ```
#[derive(Clone, Debug, Default)]
pub struct TopicFrames {
    blocks: ByTopic<Blocks>,
    states: ByTopic<Head>,
    parts: Vec<StatePart>,
    bytes: Bytes,
}

/// What is sent in order.
#[derive(Clone, Debug, Default)]
pub struct Blocks {
    /// A block of roster changes, whole rows, ordered updates and rest values. Each session must get it, once and in order.
    pub ordered: Option<Bytes>,
    /// A block with EVENTS sections only, for those who see the topic in this frame, newcomers included. It comes behind
    /// `ordered`. Who sees the topic later does not get it.
    pub events: Option<Bytes>,
}

/// Where a topic's parts are.
#[derive(Clone, Copy, Debug)]
struct Head {
    first: u32,
    count: u16,
    parts_per_side: u8,
}

/// A topic's moving rows with absolute values, cut to parts. A session may take any of it from any frame, at any cadence.
#[derive(Clone, Copy, Debug)]
pub struct States<'f> {
    /// Into how many parts each side of the topic's cell is cut: 1 (the topic is whole), 2, 4 or 8.
    pub parts_per_side: u8,
    /// The parts that have moving rows. Several entries may have the same part; together they are the part's state.
    pub parts: &'f [StatePart],
}

/// Some of a part's moving rows: one state block, as [`BlockWriter::begin_state`](crate::BlockWriter::begin_state) starts it,
/// at most [`STATE_BYTES_MAX`](crate::STATE_BYTES_MAX) bytes unless a single row is longer.
#[derive(Clone, Copy, Debug)]
pub struct StatePart {
    start: u32,
    len: u32,
    /// How many rows it has.
    pub rows: u16,
    /// `y * parts_per_side + x` of the sub-square of the topic's cell; of topics without a place a running number.
    pub part: u8,
}

impl StatePart {
    /// The bytes of its block.
    #[inline]
    pub const fn bytes(&self) -> usize {
        self.len as usize
    }
}

impl TopicFrames {
    /// What a topic says in order.
    #[inline]
    pub fn blocks(&self, topic: TopicId) -> Option<&Blocks> {
        self.blocks.get(topic)
    }

    /// What moves in a topic.
    #[inline]
    pub fn states(&self, topic: TopicId) -> Option<States<'_>> {
        let head = self.states.get(topic)?;
        let parts = &self.parts[head.first as usize..][..usize::from(head.count)];
        Some(States { parts_per_side: head.parts_per_side, parts })
    }

    /// The block of a part, which [`Self::states`] has returned.
    #[inline]
    pub fn state(&self, part: &StatePart) -> &[u8] {
        &self.bytes[part.start as usize..][..part.len as usize]
    }

    /// Whether no topic says anything.
    pub fn is_empty(&self) -> bool {
        self.blocks.len() == 0 && self.states.len() == 0
    }

    /// All topics that say something in order, ascending.
    pub fn all_blocks(&self) -> impl Iterator<Item = (TopicId, &Blocks)> {
        self.blocks.iter()
    }

    /// All topics in which something moves, ascending.
    pub fn all_states(&self) -> impl Iterator<Item = (TopicId, States<'_>)> {
        self.states.iter().filter_map(|(topic, _)| Some((topic, self.states(topic)?)))
    }

    /// Bytes of all blocks and states.
    pub fn bytes(&self) -> usize {
        let blocks = self.all_blocks().flat_map(|(_, blocks)| blocks.ordered.iter().chain(&blocks.events));
        blocks.map(Bytes::len).sum::<usize>() + self.bytes.len()
    }

    /// The same without states.
    #[must_use]
    pub fn without_states(self) -> Self {
        Self { blocks: self.blocks, ..Self::default() }
    }
}

impl FromIterator<(TopicId, Blocks)> for TopicFrames {
    /// What topics say in order, ascending.
    fn from_iter<I: IntoIterator<Item = (TopicId, Blocks)>>(all: I) -> Self {
        let mut writer = TopicFramesWriter::new();
        all.into_iter().for_each(|(topic, blocks)| writer.blocks(topic, blocks));
        writer.finish()
    }
}

/// Writes down what topics say, in ascending order of their numbers.
#[derive(Debug, Default)]
pub struct TopicFramesWriter {
    blocks: ByTopic<Blocks>,
    states: ByTopic<Head>,
    parts: Vec<StatePart>,
    bytes: Vec<u8>,
}

impl TopicFramesWriter {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What `topic` says in order.
    ///
    /// # Panics
    /// When blocks of a topic with a higher number were added.
    pub fn blocks(&mut self, topic: TopicId, blocks: Blocks) {
        if blocks.ordered.is_some() || blocks.events.is_some() {
            *self.blocks.last_or(topic, Blocks::default) = blocks;
        }
    }

    /// Begins the states of `topic`, whose sides are cut to so many parts.
    ///
    /// # Panics
    /// When states of a topic with a higher number were added.
    pub fn states(&mut self, topic: TopicId, parts_per_side: u8) {
        let first = self.parts.len() as u32;
        *self.states.last_or(topic, || Head { first, count: 0, parts_per_side }) =
            Head { first, count: 0, parts_per_side };
    }

    /// One of the parts, in one or several pieces, of the topic whose states were begun last: a state block of so many rows.
    ///
    /// # Panics
    /// When no states were begun.
    pub fn state(&mut self, part: u8, rows: u16, state: &[u8]) {
        self.append(part, rows, |out| out.extend_from_slice(state));
    }

    /// The same, of the state block that is being written.
    ///
    /// # Panics
    /// When no states were begun.
    #[inline]
    pub fn written(&mut self, part: u8, rows: u16, writer: &mut BlockWriter) {
        self.append(part, rows, |out| writer.finish_into(out));
    }

    #[inline]
    fn append(&mut self, part: u8, rows: u16, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let len = (self.bytes.len() - start) as u32;
        self.parts.push(StatePart { start: start as u32, len, rows, part });
        self.states.last().count += 1;
    }

    /// All of it, to be shared.
    pub fn finish(self) -> TopicFrames {
        let Self { blocks, states, parts, bytes } = self;
        TopicFrames { blocks, states, parts, bytes: bytes.into() }
    }
}
