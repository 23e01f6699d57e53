//! A session's messages, put together of what all sessions share.
//!
//! Hot: a gateway packs once per session and frame. Small pieces are copied one behind the other, because a piece of its own
//! costs a reference count that all shards touch and an entry of the write; large ones go out as they are.

use bytes::Bytes;
use evertick_schema::Timestamp;

use crate::frame::{CallReply, Entered, QueryReply, TopicId};
use crate::put;
use crate::reply::{put_query_reply, put_reply};
use crate::server_message::{FRAME, STATE};

/// Pieces up to so many bytes are copied.
const COPY_BYTES_MAX: usize = 512;

/// Puts Frame messages together, one after the other, with buffers that are kept. What is added for each list of the message
/// may come in any order; within a list it stays as it came.
///
/// ```
/// use bytes::Bytes;
/// use evertick_protocol::FramePacker;
/// use evertick_schema::Timestamp;
///
/// let mut packer = FramePacker::new();
/// packer.changed(&Bytes::from_static(&[4, 1, 0, 0, 0]));
/// let mut message = Vec::new();
/// let bytes = packer.finish(7, 99, Timestamp(0), &mut message);
/// assert_eq!(bytes, message.concat().len());
/// ```
#[derive(Debug, Default)]
pub struct FramePacker {
    left: List,
    entered: List,
    changed: List,
    states: List,
    results: List,
    queries: List,
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
    /// A packer with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// A topic is not seen any more.
    pub fn left(&mut self, topic: TopicId) {
        self.left.count += 1;
        put::varint(&mut self.left.copied, topic.0.into());
    }

    /// A topic is seen from now on: its snapshot, compressed if that pays, and what followed it.
    pub fn entered(&mut self, entered: &Entered) {
        self.entered.add(entered.snapshot.wire());
        entered.followed.iter().for_each(|block| self.changed.add(block));
    }

    /// A block of a topic that is seen: the ordered one, or events.
    pub fn changed(&mut self, block: &Bytes) {
        self.changed.add(block);
    }

    /// A state of a topic that is seen. It is copied.
    #[inline]
    pub fn state(&mut self, state: &[u8]) {
        self.states.count += 1;
        self.states.copied.extend_from_slice(state);
    }

    /// The answer to a call.
    pub fn result(&mut self, reply: &CallReply) {
        self.results.count += 1;
        put_reply(&mut self.results.copied, reply);
    }

    /// The answer to a query.
    pub fn query(&mut self, reply: &QueryReply) {
        self.queries.count += 1;
        put_query_reply(&mut self.queries.copied, reply);
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.lists().iter().all(|list| list.count == 0)
    }

    /// Bytes of the message so far, but for its head of at most 64 bytes.
    pub fn bytes(&self) -> usize {
        self.lists().iter().map(|list| list.copied.len() + list.shared_bytes).sum()
    }

    /// A message that says nothing but that all up to frame `number`, which closes `tick`, has been sent. A receiver takes
    /// states only near the newest frame that it was sent on the ordered lane, so that a session which is sent states by datagram
    /// must be sent a frame at least every second, if need be this one.
    pub fn beat(number: u64, tick: u64, time: Timestamp) -> Bytes {
        let mut message = Vec::with_capacity(40);
        head(&mut message, number, tick, time);
        message.extend_from_slice(&[0; 6]);
        message.into()
    }

    /// Appends the message of frame `number`, which closes `tick`, to `parts`; its bytes are those of all new parts, and how many that
    /// are is returned: 0 when there was nothing to say, and no part then. The packer is empty again.
    ///
    /// Cost: one allocation, a copy of what is small, and a reference to each piece that is not.
    pub fn finish(&mut self, number: u64, tick: u64, time: Timestamp, parts: &mut Vec<Bytes>) -> usize {
        if self.is_empty() {
            return 0;
        }
        // To the byte: a buffer with room to spare would need an allocation more to be shared.
        let len = |list: &List| put::varint_len(list.count as u64) + list.copied.len();
        let mut own =
            Vec::with_capacity(head_len(number, tick) + self.lists().map(len).iter().sum::<usize>());
        head(&mut own, number, tick, time);
        let Self { left, entered, changed, states, results, queries } = self;
        // Where in `own` which shared piece goes.
        let mut cuts: Vec<(usize, Bytes)> = Vec::new();
        for list in [left, entered, changed, states, results, queries] {
            put::varint(&mut own, list.count as u64);
            if list.count == 0 {
                continue;
            }
            let start = own.len();
            own.append(&mut list.copied);
            list.count = 0;
            if list.shared_bytes > 0 {
                cuts.extend(list.shared.drain(..).map(|(at, piece)| (start + at, piece)));
                list.shared_bytes = 0;
            }
        }
        let mut own = Bytes::from(own);
        let bytes = own.len() + cuts.iter().map(|(_, piece)| piece.len()).sum::<usize>();
        let mut done = 0;
        for (at, piece) in cuts {
            if at > done {
                parts.push(own.split_to(at - done));
                done = at;
            }
            parts.push(piece);
        }
        if !own.is_empty() {
            parts.push(own);
        }
        bytes
    }

    const fn lists(&self) -> [&List; 6] {
        [&self.left, &self.entered, &self.changed, &self.states, &self.results, &self.queries]
    }
}

fn head(out: &mut Vec<u8>, number: u64, tick: u64, time: Timestamp) {
    out.push(FRAME);
    put::varint(out, number);
    put::varint(out, tick);
    out.extend_from_slice(&time.0.to_le_bytes());
}

const fn head_len(number: u64, tick: u64) -> usize {
    1 + put::varint_len(number) + put::varint_len(tick) + size_of::<i64>()
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

    /// A block or state: its length, then as many bytes.
    fn piece(len: usize) -> Bytes {
        let mut out = Vec::new();
        put::bytes(&mut out, &vec![len as u8; len]);
        out.into()
    }

    fn finish(packer: &mut FramePacker) -> Vec<Bytes> {
        let mut parts = vec![Bytes::from_static(b"before")];
        let bytes = packer.bytes();
        let whole = packer.finish(300, 299, Timestamp(-1), &mut parts);
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
        let mut packer = FramePacker::new();
        // Twice: nothing is left over from the first.
        for _ in 0..2 {
            packer.query(&answer);
            packer.result(&reply);
            packer.state(&small);
            packer.state(&larger);
            packer.changed(&larger);
            packer.entered(&entered);
            packer.changed(&small);
            packer.left(TopicId(300));
            packer.left(TopicId(9));
            let parts = finish(&mut packer);
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
                states: vec![&small, &larger],
                results: vec![reply.clone()],
                queries: vec![answer.clone()],
            };
            assert_eq!(FrameParts::read(frame), Ok(expected));
        }
        assert_eq!(finish(&mut packer), Vec::<Bytes>::new());
    }

    #[test]
    fn a_frame_may_say_nothing() {
        let message = FramePacker::beat(300, 299, Timestamp(-1));
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
