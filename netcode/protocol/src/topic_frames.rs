//! What all topics say in a frame.
//!
//! Hot on both sides: the world's thread writes up to some ten thousand topics a frame, and each session looks at those that it sees.
//! So states stand one behind the other in one buffer, and whether a topic says anything is a bit in a small table.

use bytes::Bytes;

use crate::block::BlockWriter;
use crate::by_topic::{BITS, ByTopic};
use crate::frame::TopicId;
use crate::prefetch::prefetch;
use crate::spans::{Span, Spans};

/// So many topics share a word of bits.
pub const TOPICS_PER_WORD: u32 = BITS;

/// So many bytes at once are copied of a state that has no more.
const COPIED_BYTES: usize = 64;

/// What each topic says that has subscribers and something to say. Made by a [`TopicFramesWriter`].
///
/// ```
/// use evertick_protocol::{States, TopicFramesWriter, TopicId};
///
/// let mut writer = TopicFramesWriter::new();
/// writer.states(TopicId(7), 1);
/// writer.state(0, 12, b"\x03abc");
/// let topics = writer.finish();
/// let Some(States::Whole(state)) = topics.states(TopicId(7)) else { panic!("it has one") };
/// assert_eq!(topics.state(state), b"\x03abc");
/// assert_eq!(topics.moving_rows(TopicId(7)), 12);
/// assert!(topics.states(TopicId(8)).is_none());
/// ```
#[derive(Clone, Debug, Default)]
pub struct TopicFrames {
    blocks: ByTopic<Blocks>,
    states: Spans,
    cut: ByTopic<Cut>,
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

/// Where the parts of a topic are that has several.
#[derive(Clone, Copy, Debug)]
struct Cut {
    first: u32,
    count: u16,
    parts_per_side: u8,
}

/// A topic's moving rows with absolute values. A session may take any of it from any frame, at any cadence.
#[derive(Clone, Copy, Debug)]
pub enum States<'f> {
    /// All are in one.
    Whole(State),
    /// They are in several.
    Cut {
        /// Into how many parts each side of the topic's cell is cut: 1 (the topic is whole), 2, 4 or 8.
        parts_per_side: u8,
        /// The parts that have moving rows. Several entries may have the same part; together they are the part's state.
        parts: &'f [StatePart],
    },
}

/// Where a state block is that [`TopicFrames::state`] has, as [`BlockWriter::begin_state`](crate::BlockWriter::begin_state) starts it: at
/// most [`STATE_BYTES_MAX`](crate::STATE_BYTES_MAX) bytes unless a single row is longer.
#[derive(Clone, Copy, Debug)]
pub struct State {
    start: u32,
    end: u32,
}

/// Some of a part's moving rows.
#[derive(Clone, Copy, Debug)]
pub struct StatePart {
    /// Their block.
    pub state: State,
    /// How many rows it has.
    pub rows: u16,
    /// `y * parts_per_side + x` of the sub-square of the topic's cell; of topics without a place a running number.
    pub part: u8,
}

/// What moves in [`TOPICS_PER_WORD`] topics whose numbers follow each other.
#[derive(Clone, Copy, Debug)]
pub struct WordStates<'f> {
    bits: u64,
    spans: Option<&'f [Span; TOPICS_PER_WORD as usize]>,
}

impl WordStates<'_> {
    /// The topics in which something moves, a bit for each.
    #[inline]
    pub const fn topics(&self) -> u64 {
        self.bits
    }

    /// All that moves in the topic of this bit, if it is in one state.
    #[inline]
    pub fn whole(&self, bit: u32) -> Option<State> {
        let span = self.spans?[bit as usize % TOPICS_PER_WORD as usize];
        (self.bits >> bit & 1 == 1 && !span.is_cut()).then(|| span.into())
    }
}

impl State {
    /// How many bytes the block has.
    #[inline]
    pub const fn bytes(self) -> usize {
        (self.end - self.start) as usize
    }
}

impl From<Span> for State {
    #[inline]
    fn from(span: Span) -> Self {
        Self { start: span.start, end: span.end() }
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
        let span = self.states.get(topic)?;
        if span.is_cut() { self.parts_of(topic) } else { Some(States::Whole(span.into())) }
    }

    #[cold]
    fn parts_of(&self, topic: TopicId) -> Option<States<'_>> {
        let Cut { first, count, parts_per_side } = *self.cut.get(topic)?;
        Some(States::Cut { parts_per_side, parts: &self.parts[first as usize..][..usize::from(count)] })
    }

    /// The topics that say something in order, a bit for each of those whose numbers by [`TOPICS_PER_WORD`] are `word`.
    #[inline]
    pub fn word_blocks(&self, word: u32) -> u64 {
        self.blocks.bits(word)
    }

    /// What moves in the topics whose numbers by [`TOPICS_PER_WORD`] are `word`.
    #[inline]
    pub fn word_states(&self, word: u32) -> WordStates<'_> {
        let word = self.states.word(word);
        WordStates { bits: word.map_or(0, |(bits, _)| bits), spans: word.map(|(_, spans)| spans) }
    }

    /// How many rows of a topic move; of more than 65,535, so many.
    pub fn moving_rows(&self, topic: TopicId) -> u16 {
        self.states.rows(topic)
    }

    /// The block of a state that [`Self::states`] has returned.
    #[inline]
    pub fn state(&self, state: State) -> &[u8] {
        &self.bytes[state.start as usize..state.end as usize]
    }

    /// Has the processor fetch the block of a state that [`Self::states`] has returned, which is to be read soon.
    #[inline]
    pub fn prefetch(&self, state: State) {
        prefetch(self.bytes.as_ptr().wrapping_add(state.start as usize), COPIED_BYTES * 2);
    }

    /// Appends the block of a state that [`Self::states`] has returned.
    #[inline]
    pub(crate) fn append_state(&self, state: State, out: &mut Vec<u8>) {
        let from = &self.bytes[state.start as usize..];
        if state.bytes() <= COPIED_BYTES {
            append_chunk::<COPIED_BYTES>(from, state.bytes(), out);
        } else {
            append_chunk::<{ COPIED_BYTES * 2 }>(from, state.bytes(), out);
        }
    }

    /// All states of a topic, one behind the other.
    pub fn states_of(&self, topic: TopicId) -> impl Iterator<Item = State> {
        let (whole, parts) = match self.states(topic) {
            None => (None, &[][..]),
            Some(States::Whole(state)) => (Some(state), &[][..]),
            Some(States::Cut { parts, .. }) => (None, parts),
        };
        whole.into_iter().chain(parts.iter().map(|part| part.state))
    }

    /// All states of all topics, one behind the other.
    pub fn state_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether no topic says anything.
    pub fn is_empty(&self) -> bool {
        self.blocks.len() == 0 && self.bytes.is_empty()
    }

    /// All topics that say something in order, ascending.
    pub fn all_blocks(&self) -> impl Iterator<Item = (TopicId, &Blocks)> {
        self.blocks.iter()
    }

    /// All topics in which something moves, ascending.
    pub fn all_states(&self) -> impl Iterator<Item = (TopicId, States<'_>)> {
        self.states.topics().filter_map(|topic| Some((topic, self.states(topic)?)))
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

/// Appends the first `len` bytes of `from`: if there is room, as a chunk that is longer, of which the rest is taken back. That is cheaper than
/// a copy of unknown length.
#[inline]
fn append_chunk<const CHUNK: usize>(from: &[u8], len: usize, out: &mut Vec<u8>) {
    match from.first_chunk::<CHUNK>() {
        Some(chunk) if len <= CHUNK && out.capacity() - out.len() >= CHUNK => {
            let end = out.len() + len;
            out.extend_from_slice(chunk);
            out.truncate(end);
        }
        _ => out.extend_from_slice(&from[..len]),
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
    states: Spans,
    cut: ByTopic<Cut>,
    parts: Vec<StatePart>,
    bytes: Vec<u8>,
    /// Whose states were begun last, and how many parts a side has.
    topic: Option<(TopicId, u8)>,
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
    pub fn states(&mut self, topic: TopicId, parts_per_side: u8) {
        self.topic = Some((topic, parts_per_side));
    }

    /// One of the parts, in one or several pieces, of the topic whose states were begun last: a state block of so many rows.
    ///
    /// # Panics
    /// When no states were begun, states of a topic with a higher number were added, or all states together are more than 2 GiB.
    pub fn state(&mut self, part: u8, rows: u16, state: &[u8]) {
        self.append(part, rows, |out| out.extend_from_slice(state));
    }

    /// The same, of the state block that is being written.
    ///
    /// # Panics
    /// As [`Self::state`].
    #[inline]
    pub fn written(&mut self, part: u8, rows: u16, writer: &mut BlockWriter) {
        self.append(part, rows, |out| writer.finish_into(out));
    }

    #[inline]
    fn append(&mut self, part: u8, rows: u16, write: impl FnOnce(&mut Vec<u8>)) {
        let (topic, parts_per_side) = self.topic.expect("a topic's states were begun");
        let start = self.bytes.len();
        write(&mut self.bytes);
        let span = Span::new(start, self.bytes.len());
        let before = self.states.add(topic, span, rows);
        if before.is_some() || part > 0 || parts_per_side > 1 {
            self.states.cut(topic);
            let first = self.parts.len() as u32;
            let cut = self.cut.last_or(topic, || Cut { first, count: 0, parts_per_side });
            // What seemed to be all of the topic was a piece of it.
            if let Some((span, rows)) = before.filter(|_| cut.count == 0) {
                self.parts.push(StatePart { state: span.into(), rows, part: 0 });
            }
            self.parts.push(StatePart { state: span.into(), rows, part });
            cut.count = (self.parts.len() as u32 - cut.first) as u16;
        }
    }

    /// All of it, to be shared.
    pub fn finish(self) -> TopicFrames {
        let Self { blocks, states, cut, parts, bytes, .. } = self;
        TopicFrames { blocks, states, cut, parts, bytes: bytes.into() }
    }
}
