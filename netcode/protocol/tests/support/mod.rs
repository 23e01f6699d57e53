//! A description with every kind of field, and a stage on which a server plays frames for one client.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, reason = "tests")]

pub mod decoders;
pub mod description;
pub mod json;
pub mod random;
pub mod report;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use evertick_protocol::{
    BlockWriter, Blocks, CallOutcome, CallReply, Changes, Entered, Frame, FrameMessage, FramePacker,
    ProtocolError, QueryOutcome, QueryReply, Replica, ServerMessage, SessionFrame, Snapshot, StateMessage,
    StatePacker, TopicFramesWriter, TopicId, TopicKind, TopicList, WireSchema, pack_frame,
};
use evertick_schema::{Field, ModuleDescription, RowWriter, Timestamp};

/// A field's value of any type.
pub trait Put {
    fn size(&self) -> usize;
    fn put(&self, row: &mut RowWriter<'_>, at: usize);
}

impl<T: Field> Put for T {
    fn size(&self) -> usize {
        T::SIZE
    }

    fn put(&self, row: &mut RowWriter<'_>, at: usize) {
        self.write(row, at);
    }
}

/// The bytes of a row with these fields.
pub fn row(fields: &[&dyn Put]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = RowWriter::new(&mut bytes, fields.iter().map(|field| field.size()).sum());
    let mut at = 0;
    for field in fields {
        field.put(&mut writer, at);
        at += field.size();
    }
    bytes
}

/// Plays the server's part: one session, frames packed for it as a gateway would.
pub struct Stage {
    pub schema: WireSchema,
    writer: BlockWriter,
    versions: HashMap<TopicId, u16>,
    topics: TopicList,
    frame: Frame,
    said: BTreeMap<TopicId, (Blocks, Vec<Bytes>)>,
    own: SessionFrame,
    tick: u64,
}

impl Stage {
    pub fn new(description: &ModuleDescription) -> Self {
        Self {
            schema: WireSchema::new(&description.rows).unwrap(),
            writer: BlockWriter::new(),
            versions: HashMap::new(),
            topics: TopicList::default(),
            frame: Frame::default(),
            said: BTreeMap::new(),
            own: SessionFrame::default(),
            tick: 100,
        }
    }

    /// The session enters a topic.
    pub fn enter(&mut self, topic: u32, kind: TopicKind, write: impl FnOnce(&mut BlockWriter, &WireSchema)) {
        let topic = TopicId(topic);
        let version = *self.versions.entry(topic).or_default();
        self.writer.begin_snapshot(topic, version, kind);
        write(&mut self.writer, &self.schema);
        let snapshot = Arc::new(Snapshot::new(self.writer.finish()));
        self.own.entered.push(Entered { topic, square: None, snapshot, followed: Vec::new() });
    }

    /// The session enters a cell.
    pub fn enter_cell(&mut self, topic: u32, write: impl FnOnce(&mut BlockWriter, &WireSchema)) {
        self.enter(topic, TopicKind::Cell { space: 0, x: topic as i32, y: -3 }, write);
    }

    /// A topic changes.
    pub fn change(&mut self, topic: u32, write: impl FnOnce(&mut BlockWriter, &WireSchema)) {
        let topic = TopicId(topic);
        let version = self.versions.entry(topic).or_default();
        self.writer.begin(topic, *version);
        write(&mut self.writer, &self.schema);
        *version = self.writer.version();
        self.said.entry(topic).or_default().0.ordered = Some(self.writer.finish());
    }

    /// A topic changes after the snapshot that this frame has of it.
    pub fn follow(&mut self, topic: u32, write: impl FnOnce(&mut BlockWriter, &WireSchema)) {
        self.change(topic, write);
        let block = self.said.remove(&TopicId(topic)).and_then(|said| said.0.ordered).unwrap();
        let entered = self.own.entered.iter_mut().find(|entered| entered.topic == TopicId(topic));
        entered.unwrap().followed.push(block);
    }

    /// Something happens in a topic.
    pub fn happen(&mut self, topic: u32, write: impl FnOnce(&mut BlockWriter, &WireSchema)) {
        let topic = TopicId(topic);
        self.writer.begin(topic, *self.versions.entry(topic).or_default());
        write(&mut self.writer, &self.schema);
        self.said.entry(topic).or_default().0.events = Some(self.writer.finish());
    }

    /// A state of a topic, for a message of its own.
    pub fn state(&mut self, topic: u32, write: impl FnOnce(&mut BlockWriter, &WireSchema)) -> Bytes {
        self.writer.begin_state(TopicId(topic));
        write(&mut self.writer, &self.schema);
        let len = self.writer.len();
        let state = self.writer.finish();
        assert_eq!(state.len(), len);
        state
    }

    /// Rows of a topic move; the frame has their state.
    pub fn moving(&mut self, topic: u32, write: impl FnOnce(&mut BlockWriter, &WireSchema)) {
        let bytes = self.state(topic, write);
        self.said.entry(TopicId(topic)).or_default().1.push(bytes);
    }

    /// A query is answered.
    pub fn answer(&mut self, query: u32, outcome: QueryOutcome) {
        self.own.queries.push(QueryReply { query, outcome });
    }

    /// The tick that [`send`](Self::send) has closed.
    pub fn tick(&self) -> u64 {
        self.tick
    }

    /// So many ticks pass of which the session hears nothing.
    pub fn wait(&mut self, ticks: u64) {
        self.tick += ticks;
    }

    /// A frame that says nothing.
    pub fn beat(&mut self) -> Vec<u8> {
        self.tick += 1;
        FramePacker::new(self.tick * 2, self.tick, time(self.tick)).beat().into()
    }

    /// The session no longer sees a topic.
    pub fn leave(&mut self, topic: u32) {
        self.own.left.push(TopicId(topic));
    }

    /// A call is answered.
    pub fn reply(&mut self, seq: u32, result: CallOutcome) {
        self.own.results.push(CallReply { seq, result });
    }

    pub fn reply_ok(&mut self, seq: u32, bytes: &[u8]) {
        self.reply(seq, CallOutcome::Ok(Bytes::copy_from_slice(bytes)));
    }

    /// Ends the frame: the session's message.
    pub fn send(&mut self) -> Vec<u8> {
        self.tick += 1;
        self.frame.number = self.tick * 2;
        self.frame.tick = self.tick;
        self.frame.time = time(self.tick);
        let mut topics = TopicFramesWriter::new();
        for (topic, (blocks, states)) in std::mem::take(&mut self.said) {
            topics.blocks(topic, blocks);
            topics.states(topic, 1);
            states.iter().for_each(|state| topics.state(0, 0, state));
        }
        self.frame.topics = topics.finish();
        let mut out = Vec::new();
        assert!(pack_frame(&self.frame, Some(&self.own), &mut self.topics, &mut out), "nothing was said");
        self.frame = Frame::default();
        self.own = SessionFrame::default();
        out
    }
}

fn time(tick: u64) -> Timestamp {
    Timestamp(1_700_000_000_000_000 + 50_000 * tick as i64)
}

/// A State message of frame `number`; the stage's frames have twice their tick as number.
pub fn state_message(number: u64, tick: u64, states: &[Bytes]) -> Vec<u8> {
    let mut packer = StatePacker::new();
    packer.begin(number, tick, usize::MAX);
    states.iter().for_each(|state| assert!(packer.add(state)));
    packer.finish().unwrap().into()
}

/// The states in a message.
pub fn states(message: &[u8]) -> StateMessage<'_> {
    match ServerMessage::decode(message).unwrap() {
        ServerMessage::State(states) => states,
        other => panic!("{other:?} has no states"),
    }
}

/// The frame in a message.
pub fn frame(message: &[u8]) -> FrameMessage<'_> {
    match ServerMessage::decode(message).unwrap() {
        ServerMessage::Frame(frame) => frame,
        other => panic!("{other:?} is not a frame"),
    }
}

/// Applies a State message, which must be well-formed.
pub fn apply_state(replica: &mut Replica, message: &[u8]) -> Changes {
    let mut changes = Changes::new();
    replica.apply_state(states(message), &mut changes).unwrap();
    changes
}

/// Applies a frame's message.
pub fn apply(replica: &mut Replica, message: &[u8]) -> Result<Changes, ProtocolError> {
    let mut changes = Changes::new();
    replica.apply(frame(message), &mut changes)?;
    Ok(changes)
}
