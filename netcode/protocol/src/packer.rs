//! A session's messages, put together of what all sessions share.
//!
//! Hot: a gateway packs once per session and frame. Small pieces are copied one behind the other, because a piece of its own
//! costs a reference count that all shards touch and an entry of the write; large ones go out as they are.

use bytes::{Bytes, BytesMut};
use evertick_schema::Timestamp;

use crate::frame::{CallReply, Entered, QueryReply, TopicId};
use crate::put;
use crate::reply::{put_query_reply, put_reply};
use crate::server_message::{FRAME, STATE};
use crate::topic_frames::{State, TopicFrames};

/// Pieces up to so many bytes are copied.
const COPY_BYTES_MAX: usize = 512;

/// Messages are parts of buffers of so many bytes, or of one as long as the message. One that waits to be sent keeps its buffer, which is used again
/// when no message of it waits.
const BUFFER_BYTES: usize = 4096;

/// The lists of a message.
const LISTS: usize = 6;

/// Puts messages of one frame together, one after the other, with buffers that are kept. What is added for each list of the message
/// may come in any order; within a list it stays as it came.
///
/// ```
/// use bytes::Bytes;
/// use evertick_protocol::FramePacker;
/// use evertick_schema::Timestamp;
///
/// let mut packer = FramePacker::new(7, 99, Timestamp(0));
/// packer.changed(&Bytes::from_static(&[4, 1, 0, 0, 0]));
/// let mut message = Vec::new();
/// let bytes = packer.finish(&mut message);
/// assert_eq!(bytes, message.concat().len());
/// ```
#[derive(Debug)]
pub struct FramePacker {
    /// What every message begins with.
    head: Vec<u8>,
    /// Whether anything was added to a list.
    any: bool,
    left: List,
    entered: List,
    changed: List,
    results: List,
    queries: List,
    /// The message as it is put together.
    own: Vec<u8>,
    /// Room for messages.
    buffer: BytesMut,
}

/// One counted list of a message.
#[derive(Debug, Default)]
struct List {
    count: usize,
    /// What is copied.
    copied: Vec<u8>,
    /// What is shared, and behind how many of the copied bytes it stands.
    shared: Vec<(usize, Bytes)>,
    shared_bytes: usize,
}

impl FramePacker {
    /// A packer for frame `number`, which closes `tick`, with nothing in it.
    pub fn new(number: u64, tick: u64, time: Timestamp) -> Self {
        let mut head = vec![FRAME];
        put::varint(&mut head, number);
        put::varint(&mut head, tick);
        head.extend_from_slice(&time.0.to_le_bytes());
        let [left, entered, changed, results, queries] = std::array::from_fn(|_| List::default());
        let (own, buffer) = (Vec::new(), BytesMut::with_capacity(BUFFER_BYTES));
        Self { head, any: false, left, entered, changed, results, queries, own, buffer }
    }

    /// A topic is not seen any more.
    pub fn left(&mut self, topic: TopicId) {
        self.any = true;
        self.left.count += 1;
        put::varint(&mut self.left.copied, topic.0.into());
    }

    /// A topic is seen from now on: its snapshot, compressed if that pays, and what followed it.
    pub fn entered(&mut self, entered: &Entered) {
        self.any = true;
        self.entered.add(entered.snapshot.wire());
        entered.followed.iter().for_each(|block| self.changed.add(block));
    }

    /// A block of a topic that is seen: the ordered one, or events.
    pub fn changed(&mut self, block: &Bytes) {
        self.any = true;
        self.changed.add(block);
    }

    /// The answer to a call.
    pub fn result(&mut self, reply: &CallReply) {
        self.any = true;
        self.results.count += 1;
        put_reply(&mut self.results.copied, reply);
    }

    /// The answer to a query.
    pub fn query(&mut self, reply: &QueryReply) {
        self.any = true;
        self.queries.count += 1;
        put_query_reply(&mut self.queries.copied, reply);
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        !self.any
    }

    /// Bytes of the message so far, but for its head of at most 64 bytes.
    pub fn bytes(&self) -> usize {
        let bytes = |list: &List| list.copied.len() + list.shared_bytes;
        if self.any { self.lists().into_iter().map(bytes).sum() } else { 0 }
    }

    /// A message that says nothing but that all up to this frame has been sent. A receiver takes states only near the newest frame
    /// that it was sent on the ordered lane, so that a session which is sent states by datagram must be sent a frame at least
    /// every second, if need be this one.
    pub fn beat(&self) -> Bytes {
        [&self.head[..], &[0; LISTS]].concat().into()
    }

    /// Appends the message to `parts`; its bytes are those of all new parts, and how many that are is returned: 0 when there was
    /// nothing to say, and no part then. The packer is empty again.
    ///
    /// Cost: two copies of what is small, and a reference to each piece that is not; an allocation while messages wait to be sent.
    pub fn finish(&mut self, parts: &mut Vec<Bytes>) -> usize {
        self.finish_with_states(&TopicFrames::default(), std::iter::empty(), parts)
    }

    /// The same, with states of topics that are seen, which `topics` have. They are copied.
    #[inline]
    pub fn finish_with_states(
        &mut self,
        topics: &TopicFrames,
        states: impl ExactSizeIterator<Item = State>,
        parts: &mut Vec<Bytes>,
    ) -> usize {
        if !self.any && states.len() == 0 {
            return 0;
        }
        let own = &mut self.own;
        own.clear();
        own.extend_from_slice(&self.head);
        // Where in `own` which shared piece goes.
        let mut cuts: Vec<(usize, Bytes)> = Vec::new();
        for list in [&mut self.left, &mut self.entered, &mut self.changed] {
            list.finish(own, &mut cuts);
        }
        put::varint(own, states.len() as u64);
        // With room behind them states are copied faster.
        own.reserve(BUFFER_BYTES);
        states.for_each(|state| topics.append_state(state, own));
        for list in [&mut self.results, &mut self.queries] {
            list.finish(own, &mut cuts);
        }
        self.any = false;
        self.buffer.extend_from_slice(own);
        let bytes = own.len();
        let mut own = self.buffer.split().freeze();
        if cuts.is_empty() {
            parts.push(own);
            return bytes;
        }
        let mut done = 0;
        let mut shared_bytes = 0;
        for (at, piece) in cuts {
            if at > done {
                parts.push(own.split_to(at - done));
                done = at;
            }
            shared_bytes += piece.len();
            parts.push(piece);
        }
        if !own.is_empty() {
            parts.push(own);
        }
        bytes + shared_bytes
    }

    const fn lists(&self) -> [&List; LISTS - 1] {
        [&self.left, &self.entered, &self.changed, &self.results, &self.queries]
    }
}

impl List {
    fn add(&mut self, piece: &Bytes) {
        self.count += 1;
        if piece.len() <= COPY_BYTES_MAX {
            self.copied.extend_from_slice(piece);
        } else {
            self.shared_bytes += piece.len();
            self.shared.push((self.copied.len(), piece.clone()));
        }
    }

    /// Appends the list to a message, but for what is shared: that is added to `cuts`, with where it goes. The list is empty again.
    #[inline(always)]
    fn finish(&mut self, own: &mut Vec<u8>, cuts: &mut Vec<(usize, Bytes)>) {
        if self.count == 0 {
            own.push(0);
        } else {
            self.finish_some(own, cuts);
        }
    }

    #[inline(never)]
    fn finish_some(&mut self, own: &mut Vec<u8>, cuts: &mut Vec<(usize, Bytes)>) {
        put::varint(own, self.count as u64);
        let start = own.len();
        own.extend_from_slice(&self.copied);
        self.copied.clear();
        self.count = 0;
        if self.shared_bytes > 0 {
            cuts.extend(self.shared.drain(..).map(|(at, piece)| (start + at, piece)));
            self.shared_bytes = 0;
        }
    }
}

/// Puts State messages together, one after the other: each one datagram.
#[derive(Debug, Default)]
pub struct StatePacker {
    message: Vec<u8>,
    head: usize,
    bytes_max: usize,
}

impl StatePacker {
    /// A packer without a message.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a message of frame `number`, which closed `tick`, of at most `bytes_max` bytes. One that was not
    /// [finished](Self::finish) is dropped.
    pub fn begin(&mut self, number: u64, tick: u64, bytes_max: usize) {
        self.message.clear();
        self.message.reserve(bytes_max.min(1 << 16));
        self.message.push(STATE);
        put::varint(&mut self.message, number);
        put::varint(&mut self.message, tick);
        self.head = self.message.len();
        self.bytes_max = bytes_max;
    }

    /// Adds a state if it fits. The first always does: a message of a single state that is too long for a datagram goes the
    /// longer way.
    pub fn add(&mut self, state: &[u8]) -> bool {
        let fits = self.message.len() == self.head || self.message.len() + state.len() <= self.bytes_max;
        if fits {
            self.message.extend_from_slice(state);
        }
        fits
    }

    /// Ends the message; `None` when no state was added.
    pub fn finish(&mut self) -> Option<Bytes> {
        (self.message.len() > self.head).then(|| std::mem::take(&mut self.message).into())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::frame::{CallOutcome, QueryOutcome};
    use crate::frame_parts::FrameParts;
    use crate::server_message::{ServerMessage, StateMessage};
    use crate::snapshot::Snapshot;
    use crate::topic_frames::TopicFramesWriter;

    /// A block or state: its length, then as many bytes.
    fn piece(len: usize) -> Bytes {
        let mut out = Vec::new();
        put::bytes(&mut out, &vec![len as u8; len]);
        out.into()
    }

    fn finish(packer: &mut FramePacker, topics: &TopicFrames) -> Vec<Bytes> {
        let mut parts = vec![Bytes::from_static(b"before")];
        let states: Vec<_> = topics.all_states().flat_map(|(topic, _)| topics.states_of(topic)).collect();
        let bytes = packer.bytes() + topics.state_bytes().len();
        let whole = packer.finish_with_states(topics, states.into_iter(), &mut parts);
        assert!((bytes..bytes + 64).contains(&whole));
        let message = parts.split_off(1);
        assert_eq!(parts, ["before"]);
        assert_eq!(whole, message.concat().len());
        message
    }

    #[test]
    fn small_pieces_are_copied_and_large_ones_shared() {
        let (small, large, larger) = (piece(20), piece(1000), piece(5000));
        let entered = Entered {
            topic: TopicId(4),
            square: None,
            snapshot: Arc::new(Snapshot::new(large.clone())),
            followed: vec![small.clone(), large.clone()],
        };
        let reply = CallReply { seq: 8, result: CallOutcome::Ok(Bytes::from_static(b"done")) };
        let outcome = QueryOutcome::Applied { topics: vec![TopicId(4), TopicId(500)] };
        let answer = QueryReply { query: 2, outcome };
        let mut topics = TopicFramesWriter::new();
        for (topic, state) in (1..).map(TopicId).zip([&small, &larger, &small]) {
            topics.states(topic, 1);
            topics.state(0, 1, state);
        }
        let topics = topics.finish();
        let mut packer = FramePacker::new(300, 299, Timestamp(-1));
        // Twice: nothing is left over from the first.
        for _ in 0..2 {
            packer.query(&answer);
            packer.result(&reply);
            packer.changed(&larger);
            packer.entered(&entered);
            packer.changed(&small);
            packer.left(TopicId(300));
            packer.left(TopicId(9));
            let parts = finish(&mut packer, &topics);
            assert!(packer.is_empty());
            let shared = |of: &Bytes| parts.iter().filter(|part| part.as_ptr() == of.as_ptr()).count();
            assert_eq!((shared(&small), shared(&large), shared(&larger), parts.len()), (0, 2, 1, 7));

            let message = parts.concat();
            let Ok(ServerMessage::Frame(frame)) = ServerMessage::decode(&message) else { panic!("no frame") };
            let body =
                |piece: &Bytes| -> Vec<u8> { piece[put::varint_len(piece.len() as u64 - 2)..].to_vec() };
            let (small, large, larger) = (body(&small), body(&large), body(&larger));
            let expected = FrameParts {
                number: 300,
                tick: 299,
                time_us: -1,
                left: vec![TopicId(300), TopicId(9)],
                entered: vec![&large],
                changed: vec![&larger, &small, &large, &small],
                states: vec![&small, &larger, &small],
                results: vec![reply.clone()],
                queries: vec![answer.clone()],
            };
            assert_eq!(FrameParts::read(frame), Ok(expected));
        }
        assert_eq!(finish(&mut packer, &TopicFrames::default()), Vec::<Bytes>::new());
    }

    #[test]
    fn a_frame_may_say_nothing() {
        let message = FramePacker::new(300, 299, Timestamp(-1)).beat();
        let Ok(ServerMessage::Frame(frame)) = ServerMessage::decode(&message) else { panic!("no frame") };
        let expected = FrameParts { number: 300, tick: 299, time_us: -1, ..FrameParts::default() };
        assert_eq!(FrameParts::read(frame), Ok(expected));
    }

    #[test]
    fn states_fill_a_datagram() {
        let mut packer = StatePacker::new();
        packer.begin(300, 299, 100);
        assert_eq!(packer.finish(), None);
        let (short, long) = (piece(40), piece(200));
        for _ in 0..2 {
            packer.begin(300, 299, 5 + 2 * short.len());
            assert_eq!([(); 3].map(|()| packer.add(&short)), [true, true, false]);
            let message = packer.finish();
            assert_eq!(message.as_ref().map(Bytes::len), Some(5 + 2 * short.len()));
            let both = [&short[..], &short].concat();
            let state = StateMessage { number: 300, tick: 299, states: &both };
            assert_eq!(message.as_deref().map(ServerMessage::decode), Some(Ok(ServerMessage::State(state))));
        }
        // One that is too long goes alone.
        packer.begin(1, 1, 100);
        assert_eq!([packer.add(&long), packer.add(&short)], [true, false]);
        assert_eq!(packer.finish().map(|message| message.len()), Some(3 + long.len()));
    }
}
